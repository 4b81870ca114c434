"""The twenty channels of the competition's EEG files: names, order, partners under a flip, positions on the head.

Names and positions follow the international 10-20 system (Jasper 1958; Klem et al. 1999) in its older spelling, T3 T4
T5 T6 for T7 T8 P7 P8, as the files use it.
"""

import numpy as np
from jaxtyping import Float

ELECTRODES = (
    *("Fp1", "F3", "C3", "P3", "F7", "T3", "T5", "O1"),
    *("Fz", "Cz", "Pz"),
    *("Fp2", "F4", "C4", "P4", "F8", "T4", "T6", "O2"),
    "EKG",
)
"""Column order of an EEG file. The last, EKG, is not a scalp electrode and reaches tens of thousands of µV."""

SCALP = ELECTRODES[:-1]
SFREQ_HZ = 200

_LEFT_RIGHT = "Fp1-Fp2 F3-F4 C3-C4 P3-P4 F7-F8 T3-T4 T5-T6 O1-O2"
_FRONT_BACK = "Fp1-O1 Fp2-O2 F3-P3 F4-P4 F7-T5 F8-T6 Fz-Pz"


def _partner_index(pairs: str) -> tuple[int, ...]:
    partner = {name: name for name in ELECTRODES}
    for pair in pairs.split():
        one, other = pair.split("-")
        partner[one], partner[other] = other, one
    return tuple(ELECTRODES.index(partner[name]) for name in ELECTRODES)


LEFT_RIGHT = _partner_index(_LEFT_RIGHT)
"""Index of each channel's mirror partner in the other hemisphere; the midline and EKG map to themselves."""

FRONT_BACK = _partner_index(_FRONT_BACK)
"""Index of each channel's partner when front and back are swapped; the central row and EKG map to themselves."""

FLIPS = {
    (False, False): tuple(range(len(ELECTRODES))),
    (False, True): FRONT_BACK,
    (True, False): LEFT_RIGHT,
    (True, True): tuple(LEFT_RIGHT[channel] for channel in FRONT_BACK),
}
"""Index of the channel whose signal each channel has in a head that is flipped left to right, front to back."""


def on_sphere(from_vertex_deg: float, from_front_deg: float) -> Float[np.ndarray, " 3"]:
    """Unit vector (x right, y front, z up), tilted from the vertex and turned from the nose to the right."""
    tilt, turn = np.radians(from_vertex_deg), np.radians(from_front_deg)
    return np.array([np.sin(tilt) * np.sin(turn), np.sin(tilt) * np.cos(turn), np.cos(tilt)])


def _positions() -> Float[np.ndarray, "19 3"]:
    # Steps of 10 and 20 % of half a circumference: 18 and 36 degrees. The outer ring is one step above the ears.
    at = {"Cz": on_sphere(0, 0), "Fz": on_sphere(36, 0), "Pz": on_sphere(36, 180)}
    at |= {"C3": on_sphere(36, -90), "C4": on_sphere(36, 90)}
    for step, (left, right) in enumerate(zip("Fp1 F7 T3 T5 O1".split(), "Fp2 F8 T4 T6 O2".split(), strict=True)):
        at[left], at[right] = on_sphere(72, -18 - 36 * step), on_sphere(72, 18 + 36 * step)
    for name, one, other in (("F3", "Fz", "F7"), ("F4", "Fz", "F8"), ("P3", "Pz", "T5"), ("P4", "Pz", "T6")):
        between = at[one] + at[other]
        at[name] = between / np.linalg.norm(between)
    return np.stack([at[name] for name in SCALP])


POSITIONS = _positions()
"""(19, 3) unit vectors of the scalp electrodes: x to the right ear, y to the nose, z to the vertex."""
