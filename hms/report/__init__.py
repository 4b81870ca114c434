"""A page about a run or an ensemble: one self-contained HTML file."""
