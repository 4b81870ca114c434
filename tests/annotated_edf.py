"""Recordings with annotations, as viewers write them into EDF+ files."""

from pathlib import Path

from edf_files import write_edf
from recordings import noise

from hms.electrodes import SCALP


def annotated_edf(path: Path, seed: int, *notes: tuple[float, float, str], seconds: int = 60) -> Path:
    """Write a recording with annotations: onset and duration in seconds, and text."""
    stored = {number: b"+%g\x15%g\x14%b\x14\0" % (*at, text.encode()) for number, (*at, text) in enumerate(notes)}
    return write_edf(path, noise(seconds, 200, seed=seed), SCALP, 200, starts_s=range(seconds), annotated=stored)
