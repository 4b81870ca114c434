"""Maliciously spoilt headers of recordings: each is refused in one line, or the recording is read correctly.

`make fuzz COUNT=5000` spoils that many files of each kind, and every byte of a header in every way.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from conftest import Say
from edf_files import write_edf
from recordings import AS_IN_FILE, BANANA, MIDLINE, noise, write_brainvision
from spoiling import COUNT, assert_usable_or_refused, no_infinity, spoilt, times
from untrained_runs import a_run

from hms.electrodes import ELECTRODES, SCALP
from hms.errors import UserError
from hms.labels import CLASSES
from hms.recording.recording import Recording, open_recording

PAIRS = [*BANANA, *MIDLINE, ("Fz", "F3")]
SECONDS, SFREQ_HZ = 6, 256

HEADER = {"version": 8, "patient": 80, "recording": 80, "date": 8, "time": 8, "bytes": 8, "kind": 44, "records": 8,
          "record_s": 8, "channels": 4}  # fmt: skip
OF_CHANNELS = {"label": 16, "transducer": 80, "dimension": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8,
               "digital_max": 8, "prefilter": 80, "samples": 8, "reserved": 32}  # fmt: skip

OF_ONE_CHANNEL = {"label", "dimension", "physical_min", "physical_max", "digital_min", "digital_max"}
"""Fields that give the meaning of one channel's numbers; nothing else in the file contradicts a wrong value."""

TEXTS = {"patient", "recording", "kind", "transducer", "prefilter", "reserved"}

BYTES = b" \x00\xff7-a.0_,e1+"

WORDS = [b"        ", b"-1      ", b"0       ", b"99999999", b"1e308   ", b"nan     ", b"1e-300  ", b"-0      ", 
         b"1_0     ", b"inf     ", b"\xb2       ", b"0x10    ", b"0.1     ", b"+1      ", b"1 1     ", b"\x001      ",
         b"64      ", b"2       ", b"EDF Anno", b"Fp1     ", b"a=b=c   "]  # fmt: skip
"""Values for a whole field of eight bytes."""


class Whole(NamedTuple):
    """An intact file, and what is read from it."""

    path: Path
    data: bytes
    fields: list[tuple[str, int, int]]
    """Name, start and end (exclusive) in bytes of each header field."""
    recording: Recording
    eeg: np.ndarray


@pytest.fixture(params=["plus.edf", "plain.edf", "plus.bdf"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Whole:
    labels = [*SCALP, "EKG", "SpO2"]
    starts_s = range(SECONDS) if "plus" in request.param else None
    path = write_edf(
        tmp_path / request.param, noise(SECONDS, SFREQ_HZ, channels=21), labels, SFREQ_HZ, starts_s=starts_s
    )
    return Whole(path, path.read_bytes(), [*fields(len(labels) + (starts_s is not None))], *read(path))


def fields(channels: int) -> Iterator[tuple[str, int, int]]:
    at = 0
    for name, width in HEADER.items():
        yield name, at, at + width
        at += width
    for name, width in OF_CHANNELS.items():
        for _ in range(channels):
            yield name, at, at + width
            at += width


def read(path: Path) -> tuple[Recording, np.ndarray]:
    recording = open_recording(path, PAIRS, AS_IN_FILE)
    return recording, recording.read(0, min(recording.blocks.samples, 3000)).eeg


def answer_of(path: Path) -> tuple[Recording, np.ndarray] | UserError:
    try:
        recording, eeg = read(path)
    except UserError as error:
        text = str(error)
        refusal = error
    else:
        no_infinity(eeg)
        return recording, eeg
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return refusal


def assert_refused_or_right(path: Path, whole: Whole, spoilt_field: str) -> None:
    """Assert a one-line refusal or the true recording, apart from what only the spoilt field can tell."""
    answer = answer_of(path)
    if isinstance(answer, UserError):
        return
    recording, eeg = answer
    if spoilt_field == "record_s" and whole.path.name == "plain.edf":  # its records carry no times
        assert recording.duration_s * recording.source.sfreq_hz == SECONDS * SFREQ_HZ
        assert 50 <= recording.source.sfreq_hz <= 20_000
        return
    assert recording.duration_s == whole.recording.duration_s
    changed = [name for name, one, other in zip(ELECTRODES, eeg, whole.eeg, strict=True) if not same(one, other)]
    if spoilt_field not in OF_ONE_CHANNEL:
        assert not changed
    elif spoilt_field == "label":
        assert changed in ([], ["EKG"]) or recording.notes_so_far() != whole.recording.notes_so_far()
    assert len(changed) <= 2
    assert np.isfinite(eeg[: len(SCALP)]).all()


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=True)


def test_a_spoilt_byte_of_a_header_is_refused_or_changes_nothing(whole: Whole):
    rng, path = random.Random(0), whole.path
    numbers, texts = [], []
    for name, first, end in whole.fields:
        for at in range(first, end):
            values = [value for value in BYTES if value != whole.data[at]]
            more = [(name, at, value) for value in values]
            numbers += [] if name in TEXTS else more
            texts += [rng.choice(more)] if name in TEXTS else []
    for name, at, value in numbers + texts if COUNT else rng.sample(numbers, 30) + rng.sample(texts, 10):
        path.write_bytes(whole.data[:at] + bytes([value]) + whole.data[at + 1 :])
        assert_refused_or_right(path, whole, name)


def test_a_spoilt_field_of_a_header_is_refused_or_changes_nothing(whole: Whole):
    rng, path = random.Random(1), whole.path
    ways = [(name, at, word) for name, first, end in whole.fields for at in range(first, end, 8) for word in WORDS]
    numbers = [way for way in ways if way[0] not in TEXTS]
    for name, at, word in ways if COUNT else rng.sample(numbers, 30):
        path.write_bytes(whole.data[:at] + word[: 4 if name == "channels" else 8] + whole.data[at + len(word) :])
        assert_refused_or_right(path, whole, name)


def test_a_file_cut_in_its_header_is_refused_and_one_cut_later_is_read_up_to_the_cut(whole: Whole):
    rng, path = random.Random(2), whole.path
    size = 256 * (1 + sum(name == "label" for name, *_ in whole.fields))
    ends = (
        range(0, len(whole.data), 7)
        if COUNT
        else [0, 8, 255, 256, size - 1, size, *rng.sample(range(len(whole.data)), 20)]
    )
    of_record = (len(whole.data) - size) // SECONDS
    for end in ends:
        path.write_bytes(whole.data[:end])
        answer = answer_of(path)
        if isinstance(answer, UserError):
            assert end < size + 2 * of_record
        else:
            recording, eeg = answer
            assert recording.duration_s == (end - size) // of_record
            inside = eeg.shape[1] - 200  # the filter sees beyond the end
            np.testing.assert_array_equal(eeg[:, :inside], whole.eeg[:, :inside])
            assert "Number of records from the header does not match" in " ".join(recording.notes_so_far())


def test_a_header_spoilt_in_many_places_gives_usable_numbers_or_one_line(whole: Whole):
    rng, path = random.Random(3), whole.path
    for _ in range(times(30)):
        path.write_bytes(spoilt(rng, whole.data, whole.fields[-1][2]))
        assert_usable_or_refused(lambda: read(path)[1], no_infinity)


def test_spoilt_headers_of_brainvision(tmp_path: Path):
    rng, path = random.Random(4), tmp_path / "x.vhdr"
    write_brainvision(path, noise(SECONDS))
    header = path.read_bytes()
    lines = header.splitlines(keepends=True)
    for _ in range(times(30)):
        path.write_bytes(spoilt(rng, header))
        assert_usable_or_refused(lambda: read(path)[1], no_infinity)
        number = rng.randrange(len(lines))
        key = lines[number].partition(b"=")[0]
        value = rng.choice(
            [b"", b"0", b"-1", b"1e400", b"nan", b"99999999999", b"x", b"../../x.vhdr", b"/", b"x.vhdr", b"1,2"]
        )
        path.write_bytes(b"".join([*lines[:number], key, b"=", value, b"\n", *lines[number + 1 :]]))
        assert_usable_or_refused(lambda: read(path)[1], no_infinity)


def test_spoilt_parquet_recordings(tmp_path: Path):
    rng, path = random.Random(5), tmp_path / "x.parquet"
    eeg = noise(SECONDS, 200, channels=20).astype(np.float32)
    table = pl.DataFrame(dict(zip(ELECTRODES, eeg, strict=True)))
    table.write_parquet(path)
    data = path.read_bytes()
    for _ in range(times(30)):
        path.write_bytes(spoilt(rng, data))
        assert_usable_or_refused(lambda: read(path)[1], no_infinity)
        name = rng.choice(ELECTRODES)
        value = rng.choice([np.inf, -np.inf, 3e38, -3e38, 1e30, 1e10, np.nan])
        row = pl.int_range(pl.len()) == rng.randrange(len(table))
        rows = rng.choice([row, pl.lit(True)])
        table.with_columns(pl.when(rows).then(pl.lit(value, pl.Float32)).otherwise(name).alias(name)).write_parquet(
            path
        )
        assert_usable_or_refused(lambda: read(path)[1], no_infinity)


@pytest.mark.parametrize("whole", ["plus.edf"], indirect=True)
def test_predict_reports_each_spoilt_recording_in_one_line_and_predicts_the_others(
    whole: Whole, say: Say, tmp_path: Path
):
    rng, folder, count = random.Random(6), tmp_path / "ward", min(times(5), 60)
    folder.mkdir()
    for number in range(count):
        data = spoilt(rng, whole.data, whole.fields[-1][2]) if number else whole.data
        (folder / f"{number}{whole.path.suffix}").write_bytes(data)
    out = tmp_path / "out"
    run = a_run(tmp_path / "small-1a", 1, "extractor=stft_short")
    _, said = say(str(run), f"recording={folder}", f"out={out}", "windows=1", code=1)
    refused = [line for line in said.splitlines() if line.startswith(f"  {folder}")]
    made = [*out.glob("*.parquet")]
    assert len(refused) + len(made) == count
    assert f"{len(refused)} of {count} recordings got no timeline:" in said
    assert out / "0.parquet" in made
    for table in map(pl.read_parquet, made):
        shares = table.select(CLASSES).drop_nulls()
        assert len(shares)
        np.testing.assert_allclose(shares.sum_horizontal(), 1, rtol=1e-5)
