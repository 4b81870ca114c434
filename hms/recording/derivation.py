"""From the channels of a file to the electrodes of the project, as one fixed matrix.

Channels are edges of a graph: each is the difference between two electrodes, or between an electrode and a reference.
Within what hangs together, least squares give every potential up to one constant, which no montage sees: exact for
electrodes against a common reference and for a bipolar chain alike. Electrodes that are missing are interpolated by
spherical splines (Perrin et al. 1989), as MNE-Python does it.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, POSITIONS, SCALP
from hms.errors import DataError
from hms.recording.labels import EKG, Lead

MOST_MISSING = 4
"""Electrodes of the nineteen that are interpolated; with more missing, too little of the head was recorded."""

_HEAD_M = 0.095


class Derivation(NamedTuple):
    """How the electrodes come from the channels."""

    matrix: Float[np.ndarray, "electrode channel"]
    """A row of NaN for an electrode that is not known."""
    interpolated: tuple[str, ...]
    reconstructed: bool
    """Whether channels share no reference: potentials are known up to one constant for all that hang together."""


def derivation(leads: Sequence[Lead], pairs: Collection[tuple[str, str]]) -> Derivation:
    """The twenty electrodes from channels that measure `leads`, so that each of `pairs` can be formed.

    Raises DataError (without the file's name) where too few electrodes are there, or where what is there does not hang
    together and `pairs` cannot do without.
    """
    scalp = [i for i, lead in enumerate(leads) if lead != EKG]
    if not {name for i in scalp for name in leads[i]} & {*SCALP}:
        raise DataError("no EEG: none of its channels is named as an electrode of the 10-20 system")
    nodes, solved = _solved([leads[i] for i in scalp])
    parts = sorted(
        ([n for n in part if nodes[n] in SCALP] for part in _parts([leads[i] for i in scalp], nodes)), key=len
    )
    here = {nodes[n] for part in parts for n in part}
    if len(SCALP) - len(here) > MOST_MISSING:
        raise DataError(_too_few(here))
    loose = [part for part in parts[:-1] if part]
    if loose and not _closed(pairs, [{nodes[n] for n in part} for part in parts]):
        here = {nodes[n] for n in parts[-1]}  # the level of the others is not known
        if len(SCALP) - len(here) > MOST_MISSING:
            raise DataError(_loose([[nodes[n] for n in part] for part in parts if part], pairs))
        loose = []
    matrix = np.full((len(ELECTRODES), len(leads)), np.nan)
    for name in here:
        matrix[SCALP.index(name)] = 0.0
        matrix[SCALP.index(name), scalp] = solved[nodes.index(name)]
    missing = () if loose else tuple(name for name in SCALP if name not in here)
    if missing:
        known = [i for i, name in enumerate(SCALP) if name not in missing]
        matrix[[SCALP.index(name) for name in missing]] = _splines(missing) @ matrix[known]
    if EKG in leads:
        matrix[-1] = np.eye(len(leads))[leads.index(EKG)]
    return Derivation(matrix, missing, bool(loose) or any(leads[i].cathode in SCALP for i in scalp))


def _solved(leads: Sequence[Lead]) -> tuple[list[str], Float[np.ndarray, "node channel"]]:
    """All electrodes and references, and the potential of each from the channels.

    Relative to the reference where a part of the graph has one, to the mean of its electrodes where it has not.
    """
    nodes = sorted({name for lead in leads for name in lead})
    edges = np.zeros((len(leads), len(nodes)))
    for row, lead in zip(edges, leads, strict=True):
        row[nodes.index(lead.anode)], row[nodes.index(lead.cathode)] = 1.0, -1.0
    solved = np.linalg.pinv(edges)  # the shortest solution: in each part the mean is 0
    anodes = {lead.anode for lead in leads}
    for part in _parts(leads, nodes):
        references = [n for n in part if nodes[n] not in anodes and nodes[n] not in SCALP]
        if len(references) == 1:
            solved[part] -= solved[references[0]]
    return nodes, solved.round(12)  # an electrode against the reference is exactly 1 times its channel


def _parts(leads: Sequence[Lead], nodes: list[str]) -> list[list[int]]:
    """The nodes that hang together."""
    part = np.arange(len(nodes))
    for lead in leads:
        one, other = part[nodes.index(lead.anode)], part[nodes.index(lead.cathode)]
        part[part == other] = one
    return [np.flatnonzero(part == number).tolist() for number in np.unique(part)]


def _closed(pairs: Collection[tuple[str, str]], parts: list[set[str]]) -> bool:
    return all(any({*pair} <= part for part in parts) for pair in pairs)


def _splines(missing: Sequence[str]) -> Float[np.ndarray, "missing known"]:
    import mne  # takes long to import

    info = mne.create_info([*SCALP], 1.0, "eeg")
    places = {name: _HEAD_M * place for name, place in zip(SCALP, POSITIONS, strict=True)}
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    raw = mne.io.RawArray(np.eye(len(SCALP)), info, verbose="error")
    raw.info["bads"] = list(missing)
    raw.interpolate_bads(origin=(0.0, 0.0, 0.0), method="spline", verbose="error")
    known = [i for i, name in enumerate(SCALP) if name not in missing]
    return raw.get_data()[[SCALP.index(name) for name in missing]][:, known]


def _too_few(here: Collection[str]) -> str:
    lacking = [name for name in SCALP if name not in here]
    return (
        f"want at least {len(SCALP) - MOST_MISSING} of the 19 electrodes of the 10-20 system, got {len(here)} "
        f"(lacks {', '.join(lacking)}); up to {MOST_MISSING} are interpolated"
    )


def _loose(parts: list[list[str]], pairs: Collection[tuple[str, str]]) -> str:
    each = [{*part} for part in parts]
    one, other = next(pair for pair in pairs if not _closed([pair], each))
    said = "; ".join(" ".join(name for name in SCALP if name in part) for part in each)
    return (
        f"want channels that join {one} and {other}, which the model subtracts, got {len(parts)} parts apart ({said})"
    )
