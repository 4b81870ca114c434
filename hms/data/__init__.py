"""A folder in the competition's layout, read, checked and stored, and its batches.

files           one EEG or spectrogram file, checked
tables          train.csv, test.csv and submissions, checked
half_precision  how samples are rounded, and electrodes' offsets removed first
flaws           how many windows have a flat channel or many missing samples
silence         whether there is any EEG in a signal
corpus          the whole folder, EEG by EEG
identity        its fingerprint, and when its files changed
store           the same as memory-mapped arrays
distributed     which rows of a batch each of several processes gets
windows         batches from a store
resident        batches from the memory of a GPU
stream          batches straight from files, to predict
folds           which fold holds out which patient
"""
