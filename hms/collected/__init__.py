"""Make a corpus in the competition's layout from recordings and their labels: `hms.collect`.

table        a researcher's CSV file as text, whichever program wrote it
labels       a table of labels, read and checked
names        the recordings that the names in a table mean
places       the ten seconds that the rows are about
patients     a table that says whose the recordings are
how_to_read  how recordings are read, and what becomes of bad ones
annotated    labels that the recordings hold themselves
ignored      annotations that nearly are labels
labelled     labels of either kind, each with its recording
cut          the EEG and the spectrogram around the labels of a recording, as timelines read them
lost         why some labels are left out
writer       the files of a corpus
made_from    what a corpus was made from
corpus       the whole folder, from words on a command line
told         what it holds, and the commands that come next
"""
