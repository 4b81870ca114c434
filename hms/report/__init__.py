"""The page about a run or an ensemble: one HTML file, with everything it needs inside."""
