"""Recordings to test readers with: noise of an EEG's amplitude, pairs of electrodes, BrainVision's files."""

from pathlib import Path

import numpy as np

from hms.electrodes import SCALP
from hms.recording.channel_names import lead_of
from hms.recording.options import ReadingOptions
from hms.recording.recording import Recording, open_recording
from hms.spectrogram_recipe import REGIONS

BANANA = [tuple(pair.split("-")) for chain in REGIONS.values() for pair in chain]
MIDLINE = [("Fz", "Cz"), ("Cz", "Pz")]
AS_IN_FILE = ReadingOptions(unit=None, channels=None)
DOUBLE_BANANA = [f"{one}-{other}" for one, other in [*BANANA, *MIDLINE]]


def noise(seconds: float, sfreq_hz: float = 256, seed: int = 0, channels: int = 19) -> np.ndarray:
    """Smooth noise of EEG's amplitude, without power above 40 Hz."""
    draw = np.random.default_rng(seed)
    spectrum = np.fft.rfft(draw.normal(size=(channels, round(seconds * sfreq_hz))))
    spectrum[:, np.fft.rfftfreq(round(seconds * sfreq_hz), 1 / sfreq_hz) > 40] = 0
    values = np.fft.irfft(spectrum, round(seconds * sfreq_hz))
    return 30 * values / values.std(axis=1, keepdims=True)


def write_persyst(path: Path, values: np.ndarray, sample_times: str, birth: str = "01/01/1980") -> None:
    """Values of the scalp at 200 Hz, in steps of 0.1 µV."""
    (10 * values).round().T.astype("<i2").tofile(path.with_suffix(".dat"))
    channels = "".join(f"{name}-Ref={place}\n" for place, name in enumerate(SCALP, 1))
    path.write_text(
        f"[FileInfo]\nFile={path.stem}.dat\nFileType=Interleaved\nSamplingRate=200\nHeaderLength=0\nCalibration=0.1\n"
        f"WaveformCount=19\nDataType=0\n[Patient]\nFirst=\nLast=\nSex=\nHand=\nID=\nBirthDate={birth}\nTestDate=2024.03.01\nTestTime=23:59:00\n"
        f"[SampleTimes]\n{sample_times}[ChannelMap]\n{channels}[Comments]\n70,20,0,100,Anfall\n"
    )


def pairs_of(values: np.ndarray, labels: list[str]) -> np.ndarray:
    leads = [lead_of(label) for label in labels]
    return np.stack([values[SCALP.index(lead.anode)] - values[SCALP.index(lead.cathode)] for lead in leads])


def recorded(path: Path, pairs=BANANA, unit: str | None = None, channels: dict | None = None) -> Recording:
    return open_recording(path, pairs, ReadingOptions(unit, channels))


def write_brainvision(path: Path, values: np.ndarray, markers: str = "") -> None:
    path.with_suffix(".vmrk").write_text(
        f"Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n[Marker Infos]\n{markers}"
    )
    values.T.astype("<f4").tofile(path.with_suffix(".eeg"))
    channels = "\n".join(f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(SCALP))
    path.write_text(
        "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=19\n"
        f"MarkerFile={path.stem}.vmrk\n"
        "SamplingInterval=3906.25\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n" + channels
    )
