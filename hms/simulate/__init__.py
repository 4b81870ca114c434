"""Simulated critical-care EEG in the competition's file layout, with a known panel of experts.

The patterns follow the American Clinical Neurophysiology Society's critical-care EEG terminology (Hirsch et al. 2021, J
Clin Neurophysiol 38:1-29): lateralised or generalised periodic discharges (LPD, GPD) and rhythmic delta activity (LRDA,
GRDA), and electrographic seizures. Sizes, spectra and spreads are those measured on twelve real segments.
"""
