"""One prediction from several models: their weights, a calibration, and an honest score of both.

members      out-of-fold predictions of runs, and of other people's models, row beside row
choices      what can be chosen
weights      how much each member counts, fitted exactly
calibration  temperature, class biases, another population's prior
mixture      members, weights and calibration as `ensemble.json` keeps and applies them
nested       fitted on some patients, scored on others
scores       what came out, with intervals, and how far the members differ
tables       the same for people
"""
