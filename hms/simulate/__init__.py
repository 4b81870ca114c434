"""Simulated critical-care EEG in the competition's file layout, with a known panel of experts.

The patterns follow the American Clinical Neurophysiology Society's critical-care EEG terminology (Hirsch et al. 2021, J
Clin Neurophysiol 38:1-29): lateralised and generalised periodic discharges (LPD, GPD), lateralised and generalised
rhythmic delta activity (LRDA, GRDA), and electrographic seizures. Amplitudes, spectra and their variability are those
measured on twelve real segments.
"""
