"""Simulated critical-care EEG in the competition's file layout, with a known panel of experts.

The patterns follow the American Clinical Neurophysiology Society's critical-care EEG terminology (Hirsch et al. 2021, J
Clin Neurophysiol 38:1-29): lateralised and generalised periodic discharges (LPD, GPD), lateralised and generalised
rhythmic delta activity (LRDA, GRDA), and electrographic seizures. Amplitudes, spectra and their variability are those
measured on twelve real segments.

plan        patients, recordings, windows and panels: all but signals
kinds       what patterns of each kind look like
mimics      what resembles a pattern but is none
patterns    one pattern, as a signal
presence    when it is present
background  EEG without patterns
sleep       its sleep graphoelements
artefacts   eyes, muscle, heart, sweat
movement    eyes, jaw and bed that move
equipment   amplifier, cables and room
clock       sampling times, and curves in continuous time
noise       noise in two bands
wavelet     trains of brief waves
geometry    fields over the head
sources     waves and curves with such a field
recording   all of these, as the EEG and spectrogram of one recording
findings    what experts can see in it
experts     how they vote
rows        its rows of train.csv
corpus      the whole folder
window      a window on its own, for training without a folder
"""
