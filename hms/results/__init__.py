"""Out-of-fold scores of runs: read from their folders, compared, and shown best first."""
