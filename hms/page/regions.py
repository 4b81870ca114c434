"""Draw the ten-minute regional spectrograms of a window, in dB, as a small image per region."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from plotly.colors import sample_colorscale, unlabel_rgb

from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS

SCALE = "Inferno"
NAMES = {"LL": "left temporal", "RL": "right temporal", "LP": "left parasagittal", "RP": "right parasagittal"}
_LEAST_UV2_HZ = 0.005  # files hold hundredths, so that what was recorded and is less is 0
_SHADES = 64
_NONE = _SHADES  # palette entry of missing values: transparent


class DbRange(NamedTuple):
    """The values of the darkest and the brightest shade, in dB of 1 µV²/Hz."""

    low_db: int
    high_db: int


def decibels(
    power: Float[np.ndarray, "*window region row frequency"],
) -> Float[np.ndarray, "*window region row frequency"]:
    """10 log10 of power in µV²/Hz, -23 dB from 0 to 0.005 µV²/Hz; NaN where it is missing."""
    return 10 * np.log10(np.maximum(power, _LEAST_UV2_HZ, dtype=np.float32))


def common_range(db: Float[np.ndarray, "..."]) -> DbRange:
    """One range for all windows, so that they are comparable: 2nd to 98th percentile, rounded outwards to 5 dB."""
    known = db[np.isfinite(db)]
    if not known.size:
        return DbRange(-10, 20)
    low, high = np.quantile(known, [0.02, 0.98])
    low_db = int(np.floor(low / 5)) * 5
    return DbRange(low_db, max(low_db + 5, int(np.ceil(high / 5)) * 5))


def pictures(db: Float[np.ndarray, "region row frequency"], within: DbRange) -> dict[str, str]:
    """A PNG of each region as a data URI: time to the right, frequency up."""
    return {region: _png(_shades(values, within)) for region, values in zip(REGIONS, db, strict=True)}


def gradient() -> list[str]:
    """The colours of the scale, from low to high, for a legend."""
    colours: list[str] = sample_colorscale(SCALE, [i / 8 for i in range(9)])
    return colours


def ticks() -> list[tuple[int, float]]:
    """Frequencies to label, in Hz, with the distance of each from the top as a share of the height."""
    low, high = FREQUENCIES_HZ[[0, -1]]
    return [(hz, float((high - hz) / (high - low))) for hz in (5, 10, 15)]


def _shades(db: Float[np.ndarray, "row frequency"], within: DbRange) -> UInt8[np.ndarray, "frequency row"]:
    share = (db.T[::-1] - within.low_db) / max(within.high_db - within.low_db, 1)
    shades = np.clip(np.nan_to_num(share) * _SHADES, 0, _SHADES - 1).astype(np.uint8)
    return np.where(np.isfinite(share), shades, np.uint8(_NONE))


def _png(shades: UInt8[np.ndarray, "frequency row"]) -> str:
    image = Image.fromarray(shades)
    colours = sample_colorscale(SCALE, [i / (_SHADES - 1) for i in range(_SHADES)])
    image.putpalette([*(round(part) for colour in colours for part in unlabel_rgb(colour)), 0, 0, 0])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, transparency=_NONE)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
