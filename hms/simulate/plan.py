"""The plan of a corpus, which is everything but the signals: patients, recordings, EEGs, windows and votes.

Votes and rows per EEG, steps between rows, and EEGs per patient follow the competition's train.csv; long EEGs are left
out to keep a corpus small.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from hms.simulate.kinds import Kind
from hms.window_lengths import EEG_S

Group = Literal["high", "low", "test"]

# Real EEGs by their number of votes; few have more than 20, none 8 or 9.
_HIGH_VOTES = {10: 98, 11: 320, 12: 693, 13: 1145, 14: 623, 15: 1409, 16: 664, 17: 302, 18: 307, 19: 72, 20: 212}
_HIGH_VOTES |= {21: 49, 22: 23, 23: 10, 24: 3, 25: 5, 26: 2, 27: 1, 28: 1}
_LOW_VOTES = {1: 3064, 2: 1716, 3: 4949, 4: 382, 5: 925, 6: 114, 7: 10}
_ROWS = {1: 1072, 2: 920, 3: 707, 4: 583, 5: 440, 6: 342, 7: 304, 8: 192}
_STEPS_S = {2: 4196, 4: 1801, 6: 951, 8: 567, 10: 383, 12: 246, 14: 172, 16: 126, 20: 74, 24: 51}

KIND_SHARES: dict[Group, dict[Kind | Literal["other"], float]] = {
    "high": {"seizure": 0.02, "lpd": 0.25, "gpd": 0.115, "lrda": 0.045, "grda": 0.055, "other": 0.515},
    "low": {"seizure": 0.25, "lpd": 0.13, "gpd": 0.085, "lrda": 0.03, "grda": 0.115, "other": 0.39},
}
KIND_SHARES["test"] = KIND_SHARES["high"]
"""Shares of the planned kinds. Weak and short ones end up as "other", so the votes have the real prior (0.48 other)."""

_JUDGED_TWICE: dict[Group, float] = {"high": 0.06, "low": 0.11, "test": 0.0}
"""Share of the EEGs with several windows that are judged twice. Of the real ones 94 % have a single set of votes, 83 %
including those with few votes: a panel judged one window, and the others got its votes (Jing et al. 2023)."""

_OWN_KIND = 0.6
"""Share of recordings with the patient's own kind of pattern: disease and lesion stay the same."""

_GOLDEN = 0.6180339887498949


class Size(NamedTuple):
    """The size of a corpus."""

    patients: int
    high_eegs: int
    low_eegs: int
    test_eegs: int
    skew: float
    """Log-SD of the number of EEGs per patient."""


class EegPlan(NamedTuple):
    """One EEG file and its labelled windows; `start_s` is the spectrogram offset of its first window.

    `judged_s` gives, for each window, the offset of the window that the panel actually saw.
    """

    eeg_id: int
    start_s: int
    offsets_s: tuple[int, ...]
    label_ids: tuple[int, ...]
    votes: tuple[int, ...]
    judged_s: tuple[int, ...]

    @property
    def duration_s(self) -> int:
        """Length of the file."""
        return self.offsets_s[-1] + EEG_S


class RecordingPlan(NamedTuple):
    """One spectrogram of one patient, with one to three EEGs."""

    number: int
    patient: int
    patient_id: int
    spectrogram_id: int
    group: Group
    kind: Kind | Literal["other"]
    eegs: tuple[EegPlan, ...]

    @property
    def last_offset_s(self) -> int:
        """Spectrogram offset of the last window."""
        return self.eegs[-1].start_s + self.eegs[-1].offsets_s[-1]


def stream(seed: int, *key: int) -> np.random.Generator:
    """A random generator that depends on seed and key alone, regardless of other draws."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def make_plan(size: Size, seed: int) -> list[RecordingPlan]:
    """All recordings of a corpus, the test part last."""
    rng = stream(seed, 0)
    groups = _groups(rng, size)
    rows = 8 * sum(count for _, _, count in groups)
    ids = _unique_ids(rng, 2**32 - 1, rows)
    eeg_ids, spectrogram_ids = _unique_ids(rng, 2**32 - 1, rows), _unique_ids(rng, 2**31 - 1, len(groups))
    patient_ids = _unique_ids(rng, 2**16 - 1, size.patients + size.test_eegs)
    own_offset, kind_offset = rng.random(2)
    plans = []
    eeg_number = 0
    for index, (patient, group, eegs) in enumerate(groups):
        own_rng = stream(seed, 1, index)
        # The golden ratio spreads kinds evenly over patients and recordings, so that small corpora hold all of them.
        place = own_offset + patient * _GOLDEN if own_rng.random() < _OWN_KIND else kind_offset + index * _GOLDEN
        shares = KIND_SHARES[group]
        edges = np.cumsum(list(shares.values()))
        kind = list(shares)[int(np.searchsorted(edges, place % 1.0 * edges[-1], side="right"))]
        files: list[EegPlan] = []
        for _ in range(eegs):
            start_s = 0 if not files else files[-1].start_s + files[-1].duration_s + 2 * int(own_rng.integers(1, 30))
            labels = tuple(ids[8 * eeg_number : 8 * eeg_number + 8].tolist())
            files.append(_plan_eeg(own_rng, int(eeg_ids[eeg_number]), start_s, labels, group))
            eeg_number += 1
        ids_here = int(patient_ids[patient]), int(spectrogram_ids[index])
        plans.append(RecordingPlan(index, patient, *ids_here, group=group, kind=kind, eegs=tuple(files)))
    return plans


def lone_window(rng: np.random.Generator, kind: Kind | Literal["other"]) -> RecordingPlan:
    """A recording with one window, judged by ten experts or more. Raises ValueError for a kind that is none."""
    if kind not in (kinds := (*get_args(Kind), "other")):
        raise ValueError(f"kind: want {', '.join(kinds)}, got '{kind}'")
    eeg = _plan_eeg(rng, eeg_id=1, start_s=0, labels=(1,), group="test")
    return RecordingPlan(number=0, patient=0, patient_id=1, spectrogram_id=1, group="test", kind=kind, eegs=(eeg,))


def _unique_ids(rng: np.random.Generator, top: int, count: int) -> Int[np.ndarray, " id"]:
    return 1 + rng.choice(top, count, replace=False)


def _groups(rng: np.random.Generator, size: Size) -> list[tuple[int, Group, int]]:
    """Draw (patient, group, number of EEGs) for every recording."""
    total = size.high_eegs + size.low_eegs
    owner = np.repeat(np.arange(size.patients), _skewed_counts(size.patients, total, size.skew))
    low = np.zeros(total, bool)
    low[rng.choice(total, size.low_eegs, replace=False)] = True
    recordings: list[tuple[int, Group, int]] = []
    for is_low in (False, True):
        for patient in range(size.patients):
            left = int(np.sum((owner == patient) & (low == is_low)))
            while left:
                eegs = min(left, int(rng.choice([1, 2, 3], p=[0.8, 0.12, 0.08])))
                recordings.append((patient, "low" if is_low else "high", eegs))
                left -= eegs
    return recordings + [(size.patients + number, "test", 1) for number in range(size.test_eegs)]


def _skewed_counts(patients: int, total: int, skew: float) -> Int[np.ndarray, " patient"]:
    """EEGs per patient: at least one; the rest follow the quantiles of a log-normal distribution, with an exact total.

    Counts grow with the patient's number, while kinds follow the golden ratio, so no kind gets all the long stays.
    """
    weight = np.exp(skew * ndtri((np.arange(patients) + 0.5) / patients))
    bounds = np.round(np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum() * (total - patients)).astype(int)
    return 1 + np.diff(bounds)


def _plan_eeg(rng: np.random.Generator, eeg_id: int, start_s: int, labels: tuple[int, ...], group: Group) -> EegPlan:
    rows = 1 if group == "test" else _pick(rng, _ROWS)
    steps = [_pick(rng, _STEPS_S) for _ in range(rows - 1)]
    offsets = np.concatenate([[0], np.cumsum(steps, dtype=np.int64)]).astype(int).tolist()
    votes = _pick(rng, _LOW_VOTES if group == "low" else _HIGH_VOTES)
    per_row = [votes] * rows
    if rows > 1 and rng.random() < 0.1:  # in a tenth of the real EEGs some experts saw only some of the windows
        per_row[int(rng.integers(rows))] = min(max(1, votes // 2), 7)
    return EegPlan(
        eeg_id=eeg_id,
        start_s=start_s,
        offsets_s=tuple(offsets),
        label_ids=labels[:rows],
        votes=tuple(per_row),
        judged_s=_judged(rng, offsets, group),
    )


def _judged(rng: np.random.Generator, offsets: list[int], group: Group) -> tuple[int, ...]:
    """For each window, the offset of the one that was judged: one for all, or one before and one after a change."""
    rows = len(offsets)
    change = int(rng.integers(1, rows)) if rows > 1 and rng.random() < _JUDGED_TWICE[group] else rows
    first = offsets[int(rng.integers(change))]
    second = offsets[int(rng.integers(change, rows))] if change < rows else first
    return (first,) * change + (second,) * (rows - change)


def _pick(rng: np.random.Generator, counts: dict[int, int]) -> int:
    weight: Float[np.ndarray, " choice"] = np.array(list(counts.values()), float)
    return int(rng.choice(list(counts), p=weight / weight.sum()))
