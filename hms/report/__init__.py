"""A page about a run or an ensemble: one self-contained HTML file.

subject      what the page is about, read from its files
summary      its numbers
figures      their charts
members      the charts of an ensemble
style        what all charts share
attribution  what a prediction rests on
windows      the windows to show
page         all of it, assembled
"""
