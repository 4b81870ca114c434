"""Out-of-fold scores of runs: read from their folders, compared, and shown best first.

entry        what is compared: a run or an evaluation, with the KL of each of its rows
run          a run, read from the folders of its folds
evaluated    an evaluation, read from the folder that `hms.evaluate` wrote
comparison   each against the best, on the rows that both have
differences  the settings in which runs differ
table        the comparison on the terminal and as a CSV file
sweep        the runs of a sweep, compared once all its jobs have ended
"""
