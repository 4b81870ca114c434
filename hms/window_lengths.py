"""Lengths of a row's windows and how they align: 50 s of EEG in the middle of ten minutes of spectrogram."""

from hms.electrodes import SFREQ_HZ
from hms.spectrogram_recipe import STEP_S

EEG_S, SPECTROGRAM_S = 50, 600
"""Lengths of a row's two windows, which share their centre."""

CENTRE_S = 10
"""The middle of the EEG window, which the experts labelled and a prediction is about."""

EEG_SAMPLES = EEG_S * SFREQ_HZ
SPECTROGRAM_ROWS = SPECTROGRAM_S // STEP_S

LEAD_S = (SPECTROGRAM_S - EEG_S) // 2
"""From the start of the spectrogram window to that of the EEG window."""

BEFORE_S = (EEG_S - CENTRE_S) // 2
"""From the start of the EEG window to that of its labelled centre."""
