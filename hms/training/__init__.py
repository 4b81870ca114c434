"""The training of one fold, from start to finish."""
