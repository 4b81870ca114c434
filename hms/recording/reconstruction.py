"""Reconstruct the project's electrodes from the channels of a file, as one fixed matrix.

Channels are the edges of a graph: each is the difference between two electrodes, or between an electrode and a
reference. Within a connected component, least squares give every potential up to one constant, which no montage sees.
This is exact both for electrodes against a common reference and for bipolar chains. Missing electrodes are interpolated
by MNE-Python with spherical splines (Perrin et al. 1989).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components

from hms.electrodes import ELECTRODES, POSITIONS, SCALP
from hms.errors import DataError
from hms.recording.channel_names import EKG, Lead

MOST_MISSING = 4
"""Up to so many of the nineteen electrodes are interpolated; with more missing, too little of the head was recorded."""

_HEAD_M = 0.095


class Reconstruction(NamedTuple):
    """How the electrodes are computed from the channels."""

    matrix: Float[np.ndarray, "electrode channel"]
    """The row of an unknown electrode is NaN."""
    interpolated: tuple[str, ...]
    unknown: tuple[str, ...]
    """Neither recorded nor interpolated, because the channels are connected only in parts."""
    without_reference: bool
    """Whether the channels share no electrode: each of the `groups` is known up to one constant."""
    groups: tuple[tuple[str, ...], ...]
    """The electrodes whose differences are known; those between groups are not."""
    residual: Float[np.ndarray, "channel channel"]
    """What of the channels no potentials explain: 0 unless they measure a difference in more than one way."""

    @property
    def reference_note(self) -> str:
        """What channels without a common reference leave unknown."""
        if len(self.groups) == 1:
            return (
                "Channels share no reference: electrodes are reconstructed up to a constant, which cancels in "
                "differences."
            )
        return (
            f"Channels share no reference: electrodes are known up to one constant in each of {len(self.groups)} "
            f"groups ({_listed(self.groups)}), so differences between groups are unknown and not drawn."
        )

    def group_numbers(self) -> Int[np.ndarray, " electrode"]:
        """The number of each electrode's group; -1 for one that is in none."""
        numbers = {name: number for number, group in enumerate(self.groups) for name in group}
        return np.array([numbers.get(name, -1) for name in ELECTRODES], np.int8)

    def electrodes(self, channels: Float[np.ndarray, "channel time"]) -> Float[np.ndarray, "electrode time"]:
        """The electrodes at each time, NaN where a channel that contributes is missing."""
        found, missing = np.full((len(ELECTRODES), channels.shape[1]), np.nan), np.isnan(channels)
        if missing.all():
            return found
        known = np.isfinite(self.matrix).all(axis=1)
        rows = self.matrix[known]
        found[known] = rows @ np.nan_to_num(channels)
        if missing.any():
            found[known] = np.where((rows != 0).astype(np.float32) @ missing > 0, np.nan, found[known])
        return found


def reconstruction(leads: Sequence[Lead], pairs: Collection[tuple[str, str]]) -> Reconstruction:
    """How the twenty electrodes follow from channels that measure `leads`, so that each of `pairs` can be formed.

    Raises DataError (without the file's name) if too few electrodes were recorded, or if `pairs` include differences
    between electrodes that no channels connect.
    """
    scalp = [i for i, lead in enumerate(leads) if lead != EKG]
    measuring = [leads[i] for i in scalp]
    if not {name for lead in measuring for name in lead} & {*SCALP}:
        raise DataError("no EEG: none of its channels is named after a 10-20 electrode")
    nodes, components, potentials, unexplained = _solve(measuring)
    groups = [{nodes[n] for n in component} & {*SCALP} for component in components]
    groups = sorted(filter(None, groups), key=len)
    present = set[str]().union(*groups)
    if len(SCALP) - len(present) > MOST_MISSING:
        raise DataError(_too_few(present))
    apart = len(groups) > 1 and _connected(pairs, groups)  # each group has its own level, which cancels in the pairs
    if len(groups) > 1 and not apart:
        present = groups[-1]  # the largest: relative to it, the level of the others is unknown
        if len(SCALP) - len(present) > MOST_MISSING:
            raise DataError(_detached(groups, pairs))
    missing = tuple(name for name in SCALP if name not in present)
    matrix = np.full((len(ELECTRODES), len(leads)), np.nan)
    for name in present:
        matrix[SCALP.index(name)] = 0.0
        matrix[SCALP.index(name), scalp] = potentials[nodes.index(name)]
    if missing and not apart:
        known = [i for i, name in enumerate(SCALP) if name not in missing]
        matrix[[SCALP.index(name) for name in missing]] = _splines(missing) @ matrix[known]
    if EKG in leads:
        matrix[-1] = np.eye(len(leads))[leads.index(EKG)]
    residual = np.zeros((len(leads), len(leads)))
    residual[np.ix_(scalp, scalp)] = unexplained
    shared = {*measuring[0]}.intersection(*measuring)
    without_reference = apart or (not shared and any(lead.cathode in SCALP for lead in measuring))
    if not apart:
        return Reconstruction(
            matrix=matrix,
            interpolated=missing,
            unknown=(),
            without_reference=without_reference,
            groups=(SCALP,),
            residual=residual,
        )
    by_place = tuple(tuple(name for name in SCALP if name in group) for group in groups)
    return Reconstruction(
        matrix=matrix,
        interpolated=(),
        unknown=missing,
        without_reference=without_reference,
        groups=by_place,
        residual=residual,
    )


def _solve(
    leads: Sequence[Lead],
) -> tuple[list[str], list[list[int]], Float[np.ndarray, "node channel"], Float[np.ndarray, "channel channel"]]:
    """All electrodes and references, their connected components, by index, the potential of each as a combination of
    the channels, and what it leaves.

    Potentials are relative to the component's reference if it has one, otherwise to the mean of its electrodes.
    """
    nodes = sorted({name for lead in leads for name in lead})
    edges = np.zeros((len(leads), len(nodes)))
    for row, lead in zip(edges, leads, strict=True):
        row[nodes.index(lead.anode)], row[nodes.index(lead.cathode)] = 1.0, -1.0
    potentials = np.linalg.pinv(edges)  # the solution of least norm: in each component the mean is 0
    residual = np.eye(len(leads)) - edges @ potentials
    anodes = {lead.anode for lead in leads}
    component_of = connected_components(edges.T @ edges, directed=False)[1]
    components = [np.flatnonzero(component_of == number).tolist() for number in np.unique(component_of)]
    for component in components:
        references = [n for n in component if nodes[n] not in anodes and nodes[n] not in SCALP]
        if len(references) == 1:
            potentials[component] -= potentials[references[0]]
    # Rounded, an electrode against the reference is exactly 1 times its channel.
    return nodes, components, potentials.round(12), residual.round(12)


def _connected(pairs: Collection[tuple[str, str]], parts: list[set[str]]) -> bool:
    """Whether both electrodes of each pair are in the same part."""
    return all(any({*pair} <= part for part in parts) for pair in pairs)


def _splines(missing: Sequence[str]) -> Float[np.ndarray, "missing known"]:
    import mne  # slow to import

    info = mne.create_info([*SCALP], 1.0, "eeg")
    places = {name: _HEAD_M * place for name, place in zip(SCALP, POSITIONS, strict=True)}
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    raw = mne.io.RawArray(np.eye(len(SCALP)), info, verbose="error")
    raw.info["bads"] = list(missing)
    raw.interpolate_bads(origin=(0.0, 0.0, 0.0), method="spline", verbose="error")
    known = [i for i, name in enumerate(SCALP) if name not in missing]
    return raw.get_data()[[SCALP.index(name) for name in missing]][:, known]


def _too_few(present: Collection[str]) -> str:
    missing = [name for name in SCALP if name not in present]
    return (
        f"want at least {len(SCALP) - MOST_MISSING} of the 19 electrodes of the 10-20 system, got {len(present)} "
        f"(lacks {', '.join(missing)}); up to {MOST_MISSING} are interpolated"
    )


def _detached(groups: list[set[str]], pairs: Collection[tuple[str, str]]) -> str:
    one, other = next(pair for pair in pairs if not _connected([pair], groups))
    return (
        f"want channels that connect {one} and {other}, which a model subtracts, "
        f"got {len(groups)} separate groups ({_listed(groups)})"
    )


def _listed(groups: Iterable[Collection[str]]) -> str:
    return "; ".join(" ".join(name for name in SCALP if name in group) for group in groups)
