"""The competition's metric, tables of predictions with their scores, and confidence intervals."""
