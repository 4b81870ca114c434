"""Read the annotations that a file holds, with onsets in the time of the recording.

MNE-Python reads them from most formats. Those of EDF+ and BDF+ are read here: MNE drops what lies beyond the joined
records of a discontinuous file, and knows a single encoding. Source: Kemp and Olivan 2003, edfplus.info.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hms.recording.edf import Header
from hms.recording.records import annotation_bytes
from hms.recording.source import Annotation, Stretch
from hms.recording.times import bounds_s, recording_s
from hms.system.console import duration_text, some

_TIMED = re.compile(rb"([+-]\d+\.?\d*)(?:\x15(\d+\.?\d*))?\x14(.*)", re.DOTALL)
_TECHNICAL = re.compile(r"BAD_ACQ_SKIP|EDGE\b.*|New Segment/.*", re.IGNORECASE)
"""Marks of a gap, by MNE where it joined samples or by the file where a segment begins; gaps are shown as such."""

_COMMENT = "Comment/"
"""What MNE puts before a BrainVision comment, the one type of marker whose description is a text that people write; the
others, such as `Stimulus/S  1`, hold codes."""

_CHECKS = {"impedance", "impedances", "calibration", "cal"}
_OF_CHECKS = {"imp", "check", "checking", "test", "measurement", "electrode", "electrodes", "signal", "pulse", "pulses",
              "on", "start", "begin", "comment", "uv", "µv", "μv", "mv", "hz"}  # fmt: skip
"""Words that name a check of the electrodes, during which there is no EEG, and others that may come with them."""


def annotations_of(path: Path, header: Header | None, raw: Any, stretches: Sequence[Stretch]) -> list[Annotation]:
    """The annotations of a file that lie within its recording, in chronological order."""
    rate = float(raw.info["sfreq"])
    if header is None:
        onsets_s = (float(marked["onset"]) - raw.first_time for marked in raw.annotations)
        found = [
            Annotation(
                recording_s(onset_s, stretches, rate),
                float(marked["duration"]),
                _of_channels(_text_of(path, marked["description"]), marked.get("ch_names", ())),
            )
            for onset_s, marked in zip(onsets_s, raw.annotations, strict=True)
        ]
    else:
        found = [*_of_records(path, header)]
    end_s = stretches[-1].end / rate
    return sorted(
        Annotation(max(0.0, onset_s), min(end_s, onset_s + length_s) - max(0.0, onset_s), text.strip())
        for onset_s, length_s, text in found
        if onset_s <= end_s and onset_s + length_s >= 0 and text.strip() and not _TECHNICAL.fullmatch(text.strip())
    )


def _of_records(path: Path, header: Header) -> Iterator[Annotation]:
    """Those of an EDF+ or BDF+ file, in time from its first record.

    The time stamps of its records are annotations without a text, so they are left out.
    """
    first_s: float | None = None
    for channel in annotation_bytes(path, header):
        for stored in channel.tobytes().split(b"\0"):
            if not (found := _TIMED.fullmatch(stored)):
                continue
            onset_s, length_s = float(found[1]), float(found[2] or 0)
            first_s = onset_s if first_s is None else first_s
            for text in filter(None, found[3].split(b"\x14")):
                plain, *channels = _decoded(text).split("@@")  # how MNE writes what concerns some channels
                yield Annotation(onset_s - first_s, length_s, _of_channels(plain, channels))


def bad_s(annotations: Iterable[Annotation]) -> Float[np.ndarray, "stretch 2"]:
    """Begin and end of each stretch that annotations mark as bad or as a check of the electrodes; none overlap."""
    return _stretches_s(annotations, lambda text: _is_bad(text) or _is_check(text))


def checks_s(annotations: Iterable[Annotation]) -> Float[np.ndarray, "stretch 2"]:
    """Begin and end of each stretch that annotations mark as a check of the electrodes; none overlap."""
    return _stretches_s(annotations, _is_check)


def bad_notes(annotations: Sequence[Annotation], stretches: Sequence[Stretch], sfreq_hz: float) -> list[str]:
    """How much of what was recorded annotations mark as bad, and how much as a check of the electrodes."""
    notes = []
    for name, marks, so in (
        ("bad", _is_bad, "without a prediction"),
        ("an impedance check or a calibration", _is_check, "not read"),
    ):
        if len(stretches_s := _stretches_s(annotations, marks)):
            marked_s = sum(float(np.diff(stretches_s.clip(*ends)).sum()) for ends in bounds_s(stretches, sfreq_hz))
            texts = some([*dict.fromkeys(one.text for one in annotations if marks(one.text) and one.duration_s)], 3)
            notes.append(f"Marked as {name} in the file ({texts}), so {so}: {duration_text(marked_s)}.")
    return notes


def _is_bad(text: str) -> bool:
    """Whether a text marks time as bad, which MNE does by its first word."""
    return text.lower().startswith("bad")


def _is_check(text: str) -> bool:
    """Whether a text says that there is a check of the electrodes, and nothing else, such as that it is over."""
    words = {*re.findall(r"[^\W\d_]+", text.lower())}
    named = words & _CHECKS or ("imp" in words and words & {"check", "test"})
    return bool(named) and words <= _CHECKS | _OF_CHECKS


def _stretches_s(annotations: Iterable[Annotation], marks: Callable[[str], bool]) -> Float[np.ndarray, "stretch 2"]:
    """Begin and end of each stretch that annotations with a text of one kind cover; none overlap."""
    merged: list[list[float]] = []
    for onset_s, duration_s, text in annotations:
        if marks(text) and duration_s > 0:
            if merged and onset_s <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], onset_s + duration_s)
            else:
                merged.append([onset_s, onset_s + duration_s])
    return np.array(merged).reshape(-1, 2)


def _text_of(path: Path, description: str) -> str:
    """What was written of what MNE describes; a BrainVision file that is open goes by the name of its samples, .eeg."""
    return description.removeprefix(_COMMENT) if path.suffix.lower() in (".vhdr", ".eeg") else description


def _of_channels(text: str, channels: Sequence[str]) -> str:
    """The text, after the channels that it concerns if these are not all: then it marks no time as bad."""
    return f"{' '.join(channels)}: {text}" if channels else text


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")  # as many recorders write, against the specification
