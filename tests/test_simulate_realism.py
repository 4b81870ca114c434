"""Simulated windows have the amplitudes, spectra and noise of the twelve real ones; both can be drawn side by side.

`HMS_PICTURES=folder pytest tests/test_simulate_realism.py` keeps the pictures.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import real
from PIL import Image, ImageDraw
from scipy import signal

from hms.data.files import read_eeg
from hms.labels import CLASSES
from hms.simulate import geometry
from hms.simulate.corpus import SIZES
from hms.simulate.plan import make_plan
from hms.simulate.recording import SimulatedRecording
from hms.spectrogram_recipe import bipolar

BANDS_HZ = ((0.5, 1), (1, 2), (2, 4), (4, 8), (8, 13), (13, 20), (20, 28))

LIMITS = {
    "robust SD (µV)": (9, 26),
    "p99 (µV)": (45, 115),
    "mean |r|": (0.27, 0.5),
    "SD of log channel SD": (0.25, 0.55),
    "0.5-1 Hz (dB)": (14, 25),
    "1-2 Hz (dB)": (15.5, 24),
    "2-4 Hz (dB)": (9, 19),
    "4-8 Hz (dB)": (3, 13),
    "8-13 Hz (dB)": (-3, 6),
    "13-20 Hz (dB)": (-9, 0),
    "20-28 Hz (dB)": (-14.5, -5.5),
    "slope 4-12 Hz": (-3.1, -1.6),
    "slope 12-40 Hz": (-3.4, -1.7),
    "kurtosis": (3.0, 5.5),
    "excess kurtosis of beta": (0.24, 3.8),
    "EKG (log10 µV)": (1.5, 2.9),
    "offset (µV)": (6, 28),
    "noise 66-95 Hz (µV/√Hz)": (0.1, 0.7),
    "mains (log10 µV)": (-0.1, 1.2),
}
"""Limits of the median over windows: about the 95 % bootstrap interval of the real median, wide with twelve."""

SPREAD = {"robust SD (µV)": (2.0, 12.0), "mains (log10 µV)": (8.0, 500.0), "p99 (µV)": (2.0, 12.0)}
"""Limits of the ratio of the 90th to the 10th percentile over windows."""


def spectrum(waves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hz, power = signal.welch(waves, 200, nperseg=800)
    return hz[1:], power[..., 1:]


def clean(eeg: np.ndarray) -> np.ndarray:
    """Sixteen pairs and the EKG, without mains hum and offsets."""
    waves = np.nan_to_num(eeg.T.astype(float))
    waves = np.concatenate([bipolar(waves), waves[19:]])
    for hz in (50, 60):
        waves = signal.filtfilt(*signal.iirnotch(hz, 15, fs=200), waves)
    return waves


def excess_kurtosis(pairs: np.ndarray) -> float:
    """Excess kurtosis of the beta band: 0 for Gaussian noise, more for bursts."""
    beta = signal.sosfiltfilt(signal.butter(3, (13, 25), "bandpass", fs=200, output="sos"), pairs)
    return float(np.median((beta**4).mean(axis=1) / np.maximum((beta**2).mean(axis=1), 1e-6) ** 2) - 3)


def measured(eeg: np.ndarray) -> dict[str, float]:
    """The quantities in `LIMITS`, of one window of 50 s (10000, 20)."""
    pairs = clean(eeg)[:16]
    hz, power = spectrum(pairs)
    middle = np.median(power, axis=0)
    band = signal.sosfiltfilt(signal.butter(4, (0.5, 28), "bandpass", fs=200, output="sos"), pairs)
    scalp = np.nan_to_num(eeg.T[:19].astype(float))
    _, raw = spectrum(scalp)
    mains = max(np.sqrt(np.median(raw[:, np.abs(hz - f) < 1].sum(axis=1)) / 4) for f in (50, 60))

    def slope(low: float, high: float) -> float:
        part = (hz >= low) & (hz < high)
        return float(np.polyfit(np.log10(hz[part]), np.log10(middle[part]), 1)[0])

    kurtosis = ((band - band.mean(axis=1, keepdims=True)) ** 4).mean(axis=1) / np.maximum(band.var(axis=1), 1e-3) ** 2
    deviation = np.maximum(band.std(axis=1), 0.5)
    values = [
        geometry.background_amplitude(band),
        np.percentile(np.abs(band), 99),
        np.abs(np.corrcoef(band + 1e-3 * np.random.default_rng(0).normal(size=band.shape)))[
            np.triu_indices(16, 1)
        ].mean(),
        np.std(np.log(deviation)),
        *(10 * np.log10(middle[(hz >= low) & (hz < high)].mean()) for low, high in BANDS_HZ),
        slope(4, 12),
        slope(12, 40),
        np.median(kurtosis),
        excess_kurtosis(band[:, 4000:6000]),
        np.log10(max(np.nanstd(eeg[:, 19]), 0.1)),
        np.median(np.abs(scalp.mean(axis=1))),
        np.sqrt(np.median(raw[:, (hz > 66) & (hz < 95)])),
        np.log10(mains),
    ]
    return dict(zip(LIMITS, map(float, values), strict=True))


@pytest.fixture(scope="module")
def simulated() -> list[tuple[str, np.ndarray]]:
    """Name and samples of windows, up to six of each kind."""
    windows, seen = [], Counter()
    for plan in make_plan(SIZES["small"], 0):
        if plan.group == "high" and seen[plan.kind] < 6:
            seen[plan.kind] += 1
            windows.append((f"simulated {plan.kind}", SimulatedRecording(plan, 0).eeg(0)[:10_000]))
    return sorted(windows, key=lambda window: CLASSES.index(window[0].split()[1]))


@pytest.fixture(scope="module")
def recorded() -> list[tuple[str, np.ndarray]]:
    folder = real("data/hms_real")
    rows = pl.read_csv(folder / "train.csv").unique("eeg_id", keep="first", maintain_order=True)
    return [
        (f"real {name}", read_eeg(folder / f"train_eegs/{eeg_id}.parquet")[:10_000])
        for eeg_id, name in rows.select("eeg_id", "expert_consensus").iter_rows()
    ]


def outside_limits(windows: list[tuple[str, np.ndarray]]) -> dict[str, float]:
    quantities = [measured(eeg) for _, eeg in windows]
    medians = {name: float(np.median([one[name] for one in quantities])) for name in LIMITS}
    wrong = {name: value for name, value in medians.items() if not LIMITS[name][0] <= value <= LIMITS[name][1]}
    for name, (least, most) in SPREAD.items():
        low, high = np.percentile([one[name] for one in quantities], (10, 90))
        ratio = 10 ** (high - low) if "log10" in name else high / low
        wrong |= {} if least <= ratio <= most else {f"{name}, spread": float(ratio)}
    return wrong


def test_simulated_windows_have_the_sizes_and_spectra_of_real_ones(simulated):
    assert outside_limits(simulated) == {}


def test_the_limits_hold_for_the_real_windows_themselves(recorded):
    assert outside_limits(recorded) == {}


def montage(title: str, eeg: np.ndarray, width: int = 760, height: int = 420, seconds: int = 15) -> Image.Image:
    """A stretch of double banana and EKG as an EEG reader sees it, 0.5-40 Hz."""
    image = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(image)
    band = signal.sosfiltfilt(signal.butter(2, (0.5, 40), "bandpass", fs=200, output="sos"), clean(eeg))
    band = band[:, 4000 : 4000 + 200 * seconds]
    gap = height / 18
    scale = gap / max(6 * geometry.background_amplitude(band[:16]), 40.0)
    for row, wave in enumerate(band, start=1):
        gain = scale if row < 17 else gap / max(2 * np.percentile(np.abs(wave), 99.5), 1.0)
        line = gap * row - np.clip(wave * gain, -2 * gap, 2 * gap)
        pen.line(list(zip(np.linspace(0, width, len(wave)), line, strict=True)), fill=0)
    pen.text((4, 0), title, fill=0)
    return image


def spectra(windows: list[tuple[str, np.ndarray]], title: str) -> Image.Image:
    """Log power (-30 ... 40 dB) of the median pair over log frequency (0.5 ... 60 Hz), a line per window."""
    image = Image.new("L", (760, 420), 255)
    pen = ImageDraw.Draw(image)
    for _, eeg in windows:
        hz, power = spectrum(clean(eeg)[:16])
        shown = (hz >= 0.5) & (hz < 48)
        decibel = 10 * np.log10(np.median(power, axis=0)[shown] + 1e-6)
        across = 760 * np.log(hz[shown] / 0.5) / np.log(120)
        pen.line(list(zip(across, 420 * (40 - decibel) / 70, strict=True)), fill=0)
    pen.text((4, 0), title, fill=0)
    return image


def test_real_and_simulated_windows_are_drawn_side_by_side(simulated, recorded, tmp_path):
    folder = Path(os.environ.get("HMS_PICTURES", tmp_path))
    both = [recorded, simulated[::3]]
    sheet = Image.new("L", (1520, 420 * 13), 255)
    for column, windows in enumerate(both):
        sheet.paste(spectra(windows, f"{windows[0][0].split()[0]}: power of the median pair"), (760 * column, 0))
        for row, (name, eeg) in enumerate(windows, start=1):
            sheet.paste(montage(name, eeg), (760 * column, 420 * row))
    sheet.save(folder / "real_and_simulated.png")
    assert [len(windows) for windows in both] == [12, 12]
    assert np.asarray(sheet).std() > 10
