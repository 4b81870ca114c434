"""Combine several models into one predictor: weights, a calibration, and an honest score of the result.

members      out-of-fold predictions of runs, and of other people's models, aligned row by row
choices      the options, as types
weights      how much each member counts, fitted exactly
calibration  temperature and class biases
prior_shift  to another population's class shares
mixture      members, weights and calibration, as `ensemble.json` stores them
nested       fitted on some patients, scored on others
scores       KL with intervals, and how much the members differ
tables       the same, printed
fitted       all of this for the members that a config names, and written
"""
