"""Make a corpus in the competition's layout from recordings and their labels: `hms.collect`.

names        the same name in other letters, and the recordings that names in a table mean
table        a researcher's CSV file as text, whichever program wrote it
terms        what else experts call the classes
own_terms    what a user says that texts stand for
covered      the ten seconds on which a labelled stretch of time votes
label_table  a table of labels, read and checked
votes        the votes on the same ten seconds, added up
patients     a table that says whose the recordings are
usable       recordings, opened, and what becomes of bad ones
annotated    labels that the recordings hold themselves
near_misses  annotations that nearly are labels
labelled     labels of either kind, each with its recording
cut          the EEG and the spectrogram around labels, as timelines read them; why some are left out
writer       the files of a corpus
made_from    what a corpus was made from
corpus       the whole folder, from words on a command line
summary      what it holds, and the commands that come next
"""
