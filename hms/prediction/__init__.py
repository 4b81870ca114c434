"""The predictions of trained models.

keys                the config keys of commands that predict
views               a window and its mirror images, as models see them
inference           probabilities from batches: the single code path
adaptation          models adapted to the EEG that they are to predict
predictors          the runs that predict together
evaluation          their scores on a labelled folder
submission          their submission.csv
sharded_submission  the same, in shards
"""
