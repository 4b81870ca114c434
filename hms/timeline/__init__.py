"""The predictions for a recording over time, as tables, annotations and a page.

options      what a user may choose
timeline     the predictions, and the time that each refers to
events       events, and burden
status       the criterion of status epilepticus
notes        what a user should know about it
predicted    a recording, predicted
origin       what made it
settings     the same in plain words
clock        moments in words
selection    the windows to draw
chart        what is drawn over time
page         the page
annotations  events for other programs
files        all of it, written
entries      what those files tell of each timeline in a folder
overview     all timelines of a folder, in one page and one table
recordings   the same for many recordings
"""
