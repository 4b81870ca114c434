"""Open recordings for a corpus, and say which of them are of no use."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Literal

from hms.electrodes import SCALP
from hms.errors import DataError, with_lines
from hms.recording.options import ReadingOptions
from hms.recording.recording import Recording, open_recording
from hms.system.console import counted, say

OnBad = Literal["raise", "skip"]
"""What is done about recordings that cannot be used."""

_PAIRS = [*combinations(SCALP, 2)]
"""Any model may read the corpus, so the difference of any two electrodes must be known."""


def open_for_any_model(path: str, reading: ReadingOptions) -> Recording:
    """The recording at a path. Raises DataError if it cannot be used."""
    try:
        return open_recording(Path(path), _PAIRS, reading)
    except OSError as error:
        raise DataError(f"{path}: {error}") from None


def want_usable(bad: Mapping[str, str], recordings: int, on_bad: OnBad) -> None:
    """Say why some of the `recordings` are `bad`, by path. Raises DataError unless they are to be skipped."""
    head = f"{len(bad)} of {counted(recordings, 'recording')} cannot be used"
    if bad and len(bad) == recordings:
        raise DataError(with_lines(f"{head}:", bad.values()))
    if bad and on_bad == "raise":
        raise DataError(with_lines(f"{head}; on_bad=skip leaves them out:", bad.values()))
    if bad:
        say(with_lines(f"{head}; left out:", bad.values()))
