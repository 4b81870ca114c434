"""Open a file with MNE-Python, and read the samples of its channels in µV."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.errors import DataError, first_line
from hms.recording.channels import Channel
from hms.recording.edf import Header
from hms.recording.source import Stretch

_LARGEST_UV = 1e9
"""Values beyond a kilovolt do not come from a body: they are damaged."""

_IRRELEVANT = ("not unique", "filters", "cutoff", "naming conventions", "annotation(s) that were")
"""Words of MNE's warnings about what is not used here, or noted in our own words."""


def open_raw(path: Path, header: Header | None, labels: list[str]) -> tuple[Any, list[str]]:
    """Open a file with MNE-Python; return its `Raw` object and its relevant warnings.

    Of EDF and BDF, only channels with one of the `labels` are opened: MNE would resample all channels to the highest
    rate among them.
    """
    import mne  # slow to import

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if header is None:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
            else:
                reader = mne.io.read_raw_bdf if header.sample_bytes == 3 else mne.io.read_raw_edf
                raw = reader(path, include=labels, preload=False, encoding="latin1", verbose="warning")
    except Exception as error:  # MNE's readers raise all kinds
        raise DataError(f"{path}: cannot be read ({_reason(path, error)})") from None
    lines = [first_line(warning.message) for warning in caught if isinstance(warning.message, RuntimeWarning)]
    return raw, [line for line in lines if not any(word in line for word in _IRRELEVANT)]


def _reason(path: Path, error: Exception) -> str:
    """Why MNE-Python cannot open a file, and what to open instead."""
    if path.suffix.lower() == ".eeg":  # MNE takes it to be Nihon Kohden's
        header = path.with_suffix(".vhdr")
        named = f"'{header.name}'" if header.exists() else "the .vhdr file that names it"
        return f"not a file of Nihon Kohden; if it is BrainVision's, open {named}"
    if path.suffix.lower() == ".lay" and isinstance(error, KeyError | TypeError):  # as of one without a patient
        return f"MNE-Python wants First, Last, Sex, Hand, ID and BirthDate=01/01/1980 or so below [Patient]; {error}"
    if isinstance(error, AssertionError) or "Unsupported file type" in str(error):
        return f"no reader of MNE-Python recognises this '{path.suffix}' file"
    return first_line(error)


class Reader(NamedTuple):
    """The samples of a file that MNE-Python opened as `raw`, by place in time; gaps and damaged values are NaN."""

    path: Path
    raw: Any
    channels: list[Channel]
    stretches: list[Stretch]
    to_uv: Float[np.ndarray, " channel"]

    def read(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        values = np.full((len(self.channels), last - first), np.nan)
        for stretch in self.stretches:
            begin, end = max(first, stretch.at), min(last, stretch.end + stretch.held)
            if begin < end:
                shift, last_stored = stretch.stored_at - stretch.at, stretch.stored_at + stretch.length - 1
                stored = self._stored(min(begin + shift, last_stored), min(end + shift, last_stored + 1))
                held = end - begin - stored.shape[1]
                values[:, begin - first : end - first] = np.pad(stored, ((0, 0), (0, held)), "edge") if held else stored
        with np.errstate(over="ignore"):
            values *= self.to_uv[:, None]
        values[~(np.abs(values) < _LARGEST_UV)] = np.nan
        return values

    def _stored(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        """Samples in MNE's unit, numbered as they are stored, without gaps."""
        try:
            with np.errstate(all="ignore"):  # values that overflow become missing
                return self.raw.get_data([channel.place for channel in self.channels], first, last, verbose="error")
        except Exception as error:  # MNE's readers raise all kinds
            raise DataError(f"{self.path}: cannot be read to its end ({first_line(error)})") from None
