"""Read a recording from any clinic as the twenty channels of `hms.electrodes`, piece by piece, and cut its windows.

paths           the files that a name stands for
channel_names   what the name of a channel says
units           the units of their values
options         what a user says about recordings
meanings        what the channels of a file measure, by both
edf             the header of an EDF or BDF file
records         its records, and when they began
passband        the filters that its EEG has passed
channels        what a file says about each of its channels, which are read, and their factors to µV
source          what an open file is: channels, samples, gaps, annotations
times           when its samples were recorded
annotations     its annotations
reader          a file as MNE-Python opens it, and its samples in µV
formats         a file of any format, opened as such a source
resample        its channels at 200 Hz
reconstruction  the electrodes, from the channels
quality         channels that are flat or contradict others, and values that are no EEG in µV
blocks          the electrodes, ten seconds at a time, without what is flat
recording       a recording, opened: all of these together
windows         its windows, as batches
keys            the config keys of the commands that read recordings
"""
