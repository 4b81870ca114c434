"""The training of one fold, from start to finish.

keys            the keys of a config
unsuitable      callbacks, optimizers and loggers that a training cannot have
rules           what a config may not combine
fit             all of it, in the order of events
lacking         what this machine lacks
parts           all that is built before a corpus is read
fold            which rows to train on, to validate on, and to predict
feed            batches of these rows
stages          one stage of training, or two
trainer         Lightning's trainer, set up
synced_norms    batch norms of processes that train together
learning_rates  learning rates by part of the model
module          Lightning's module: model, augmentations, loss, optimizer
compiled        networks compiled
without_effect  settings that change nothing
guard           the loss watched
metrics_csv     a row per epoch
callbacks       a user's callbacks of Lightning
loggers         Weights & Biases and Lightning's other loggers
measure_norms   batch norms measured anew
held_out        predictions for the held-out patients, and their scores
"""
