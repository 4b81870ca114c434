"""The folder of a trained run, and what is known about it.

bundle      the folder by which trained models are handed over
settings    the part of a config that determines the trained model
folder      where a run and its folds lie, which folds it predicts by, and which are missing
checkpoint  models saved and loaded
versions    the code and packages that trained it
provenance  what it was trained from
trained     a run, a fold or a bundle, with its models
scores      the scores of its folds together
teacher     the runs that teach a student
leakage     which rows it may have seen
start       trained weights that a training begins with
mismatch    whether several runs belong together
named       the runs that words on a command line stand for
"""
