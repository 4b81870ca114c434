"""How long the window of a row is, and what lies where in it: EEG in the middle of ten minutes of spectrogram."""

from hms.electrodes import SFREQ_HZ
from hms.spectrogram_recipe import STEP_S

EEG_S, SPECTROGRAM_S = 50, 600
"""Both have the same centre."""

CENTRE_S = 10
"""What the experts labelled, in the middle of the EEG, and a prediction is about."""

EEG_SAMPLES = EEG_S * SFREQ_HZ
SPECTROGRAM_ROWS = SPECTROGRAM_S // STEP_S

LEAD_S = (SPECTROGRAM_S - EEG_S) // 2
"""Of the spectrogram, before the EEG begins."""

BEFORE_S = (EEG_S - CENTRE_S) // 2
"""Of the EEG, before its centre."""
