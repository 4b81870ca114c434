"""Make a corpus in the competition's layout from recordings and their labels: `hms.collect`.

table       a researcher's CSV file as text, whichever program wrote it
labels      a researcher's table of labels, read and checked
annotated   labels that the recordings hold themselves
names       the recordings that the names in a table mean
places      the ten seconds that the rows are about
cut         the EEG and the spectrogram around the labels of a recording, as timelines read them
writer      the files of a corpus
corpus      the whole folder, from words on a command line
told        what it holds, and the commands that come next
"""
