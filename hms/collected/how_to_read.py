"""How recordings are read for a corpus, and what becomes of those that cannot be."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

from hms.electrodes import SCALP
from hms.errors import DataError, with_lines
from hms.recording.recording import Recording, open_recording
from hms.system.console import counted, say

_PAIRS = [*combinations(SCALP, 2)]
"""Any model may read the corpus, so the difference of any two electrodes must be known."""


class HowToRead(NamedTuple):
    """How recordings are read, and what is done about one that cannot be."""

    unit: str | None
    """Of their values, if their files state none or a wrong one."""
    channels: Mapping[str, str] | None
    """Electrodes of channels whose names do not say."""
    on_bad: Literal["raise", "skip"]

    def open(self, path: str) -> Recording:
        """The recording at a path. Raises DataError if it cannot be used."""
        try:
            return open_recording(Path(path), _PAIRS, self.unit, self.channels)
        except OSError as error:
            raise DataError(f"{path}: {error}") from None

    def want_usable(self, bad: Mapping[str, str], recordings: int) -> None:
        """Say why some of the `recordings` are `bad`, by path. Raises DataError unless they are to be skipped."""
        head = f"{len(bad)} of {counted(recordings, 'recording')} cannot be used"
        if bad and len(bad) == recordings:
            raise DataError(with_lines(f"{head}:", bad.values()))
        if bad and self.on_bad == "raise":
            raise DataError(with_lines(f"{head}; on_bad=skip leaves them out:", bad.values()))
        if bad:
            say(with_lines(f"{head}; left out:", bad.values()))
