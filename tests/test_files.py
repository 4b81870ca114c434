"""Every error in a file is reported in one line that names the file, the column and the row."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import real

from hms.data.files import lacking_samples, read_eeg, read_spectrogram
from hms.data.tables import LABEL_COLUMNS, read_labels
from hms.electrodes import ELECTRODES, SCALP
from hms.errors import DataError
from hms.spectrogram_recipe import COLUMNS
from hms.system.atomic import replacing, write_table


def labels(rows: int = 3) -> pl.DataFrame:
    table = pl.DataFrame({name: np.arange(rows) for name in LABEL_COLUMNS})
    return table.with_columns(expert_consensus=pl.lit("LPD"), eeg_label_offset_seconds=pl.lit(0.0), lpd_vote=pl.lit(3))


def eeg(rows: int = 400) -> pl.DataFrame:
    samples = np.random.default_rng(0).normal(scale=20, size=(rows, len(ELECTRODES))).astype(np.float32)
    return pl.DataFrame(samples, ELECTRODES)


def spectrogram(rows: int = 5) -> pl.DataFrame:
    power = pl.DataFrame(np.ones((rows, len(COLUMNS)), np.float32), COLUMNS)
    return power.select(pl.int_range(1, 2 * rows, 2).alias("time"), pl.all())


def at(table: pl.DataFrame, column: str, row: int, value: object) -> pl.DataFrame:
    values = table[column].to_list()
    values[row] = value
    kind = pl.String if isinstance(value, str) else None
    return table.with_columns(pl.Series(column, [str(v) for v in values] if kind else values, kind, strict=False))


def test_ids_of_64_bits_are_read_to_the_last_digit(tmp_path: Path):
    large = 2**53 + 1  # no double
    labels().with_columns(eeg_id=pl.lit(large), eeg_sub_id=pl.lit("2.0"), patient_id=7, spectrogram_id=7).write_csv(
        tmp_path / "train.csv"
    )
    read = read_labels(tmp_path / "train.csv")
    assert read["eeg_id"].unique().to_list() == [large]
    assert read["eeg_sub_id"].unique().to_list() == [2]


LABEL_MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "missing column": (lambda t: t.drop("lpd_vote"), r"train\.csv: lacks column 'lpd_vote'"),
    "extra column": (lambda t: t.with_columns(x=1), r"train\.csv: has an unknown column 'x'"),
    "misordered": (
        lambda t: t.select(*t.columns[1::-1], *t.columns[2:]),
        r"column 1: want 'eeg_id', got 'eeg_sub_id' \(the order is fixed\)",
    ),
    "no rows": (lambda t: t.clear(), "want at least one row, got none"),
    "text": (lambda t: at(t, "gpd_vote", 1, "three"), "line 3, column 'gpd_vote': want a whole number, got 'three'"),
    "fraction": (lambda t: at(t, "gpd_vote", 2, "1.5"), r"line 4, column 'gpd_vote': want a whole number, got '1\.5'"),
    "nothing": (lambda t: at(t, "eeg_id", 0, None), "line 2, column 'eeg_id': want a whole number, got nothing"),
    "not a number": (
        lambda t: at(t, "eeg_label_offset_seconds", 0, "nan"),
        "line 2, column 'eeg_label_offset_seconds': want a number, got 'nan'",
    ),
    "negative votes": (lambda t: at(t, "grda_vote", 0, -1), "line 2, column 'grda_vote': want 0 or more votes, got -1"),
    "no votes": (
        lambda t: t.with_columns(pl.col(r"^.*_vote$") * 0),
        r"line 2, column 'seizure_vote \.\.\. other_vote': want at least one vote, got none \(and 2 more rows\)",
    ),
    "duplicate id": (lambda t: at(t, "label_id", 2, 1), "line 3, column 'label_id': want each id once, got 1 again"),
    "negative offset": (
        lambda t: at(t, "eeg_label_offset_seconds", 1, -2.0),
        r"line 3, column 'eeg_label_offset_seconds': want 0 s or more, got -2\.0",
    ),
    "two patients": (
        lambda t: t.with_columns(eeg_id=7, spectrogram_id=7),
        "line 2, column 'patient_id': want one patient_id per eeg_id, got 0 and another",
    ),
}


@pytest.mark.parametrize("mistake", LABEL_MISTAKES)
def test_a_mistake_in_train_csv_is_named(mistake: str, tmp_path: Path):
    spoil, message = LABEL_MISTAKES[mistake]
    spoil(labels()).write_csv(tmp_path / "train.csv")
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "train.csv")


def test_all_mistakes_in_train_csv_are_reported_at_once(tmp_path: Path):
    at(at(labels(), "grda_vote", 0, -1), "label_id", 2, 1).write_csv(tmp_path / "train.csv")
    with pytest.raises(DataError) as caught:
        read_labels(tmp_path / "train.csv")
    assert len(str(caught.value).splitlines()) == 2


def test_a_good_train_csv_keeps_its_values_and_numbers_its_lines(tmp_path: Path):
    labels().write_csv(tmp_path / "train.csv")
    read = read_labels(tmp_path / "train.csv")
    assert read["line"].to_list() == [2, 3, 4]
    assert read["lpd_vote"].to_list() == [3, 3, 3]


def test_blank_lines_are_not_rows(tmp_path: Path):
    labels().write_csv(tmp_path / "train.csv")
    with open(tmp_path / "train.csv", "a") as file:
        file.write("\n\n")
    assert len(read_labels(tmp_path / "train.csv")) == 3


def test_a_missing_train_csv_and_an_invalid_one_have_different_messages(tmp_path: Path):
    with pytest.raises(DataError, match=r"train\.csv: no such file; a corpus is a folder with train\.csv"):
        read_labels(tmp_path / "train.csv")
    (tmp_path / "train.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"train\.csv: not a CSV file"):
        read_labels(tmp_path / "train.csv")
    (tmp_path / "train.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError, match=r"train\.csv: "):
        read_labels(tmp_path / "train.csv")


EEG_MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "missing column": (lambda t: t.drop("Cz"), r"5\.parquet: lacks column 'Cz'"),
    "extra column": (lambda t: t.with_columns(A1=pl.lit(0.0)), r"5\.parquet: has an unknown column 'A1'"),
    "misordered": (lambda t: t.select(*ELECTRODES[::-1]), r"5\.parquet: column 1: want 'Fp1', got 'EKG'"),
    "text": (
        lambda t: t.with_columns(pl.col("C3").cast(pl.String)),
        "column 'C3': want floating-point numbers, got String",
    ),
    "whole numbers": (lambda t: t.cast(pl.Int32), "column 'Fp1': want floating-point numbers, got Int32"),
    "infinite": (lambda t: at(t, "O2", 17, float("inf")), "column 'O2', row 17: want a number, got inf"),
    "dead": (
        lambda t: t.with_columns(pl.lit(None, pl.Float32).alias(name) for name in SCALP),
        r"columns 'Fp1', .*, 'O2': want samples, got none \(all 400 are missing\)",
    ),
    "volts": (lambda t: t / 1e6, r"want µV, got values with a median SD of 2e-05: volts or millivolts\?"),
    "nanovolts": (lambda t: t * 1e4, r"want µV, got values with a median SD of 2e\+05: nanovolts\?"),
    "empty": (lambda t: t.clear(), "want at least one row, got none"),
}


@pytest.mark.parametrize("mistake", EEG_MISTAKES)
def test_a_mistake_in_an_eeg_file_is_named(mistake: str, tmp_path: Path):
    spoil, message = EEG_MISTAKES[mistake]
    spoil(eeg()).write_parquet(tmp_path / "5.parquet")
    with pytest.raises(DataError, match=message):
        read_eeg(tmp_path / "5.parquet")


@pytest.mark.parametrize("content", [b"", b"Fp1,F3\n1,2\n", b"PAR1 is how it starts"])
def test_text_and_garbage_are_not_parquet(content: bytes, tmp_path: Path):
    (tmp_path / "5.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"5\.parquet: not a valid parquet file"):
        read_eeg(tmp_path / "5.parquet")


def test_a_truncated_parquet_is_refused(tmp_path: Path):
    eeg().write_parquet(tmp_path / "5.parquet")
    whole = (tmp_path / "5.parquet").read_bytes()
    (tmp_path / "5.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"5\.parquet: not a valid parquet file"):
        read_eeg(tmp_path / "5.parquet")


@pytest.mark.parametrize(("dead", "named"), [(["F7"], "column 'F7'"), (["O1", "F7"], "columns 'F7', 'O1'"), ([], "")])
def test_channels_without_samples_are_named_and_the_rest_is_read(dead: list[str], named: str, tmp_path: Path):
    path = tmp_path / "5.parquet"
    eeg().with_columns(pl.lit(None, pl.Float32).alias(name) for name in dead).write_parquet(path)
    read = read_eeg(path)
    assert np.isnan(read).sum() == len(dead) * len(read)
    wish = "want samples, got none (all 400 are missing)"
    assert lacking_samples(path, read) == (f"{path}: {named}: {wish}" if dead else "")


def test_missing_samples_become_nan_and_the_rest_is_unchanged(tmp_path: Path):
    table = at(eeg(), "Fz", 3, None)
    table.write_parquet(tmp_path / "5.parquet")
    read = read_eeg(tmp_path / "5.parquet")
    assert np.isnan(read).sum() == 1
    assert np.isnan(read[3, ELECTRODES.index("Fz")])
    np.testing.assert_array_equal(read[4:], table.to_numpy()[4:])


SPECTROGRAM_MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "missing column": (lambda t: t.drop("LL_0.59", "RP_19.92"), "lacks column 'LL_0.59', 'RP_19.92'"),
    "wrong rate": (
        lambda t: t.with_columns(pl.col("time") * 2),
        "column 'time', row 1: want 2 s between rows, got 2 then 6",
    ),
    "late start": (lambda t: t.with_columns(pl.col("time") + 50), r"column 'time', row 0: want 1 \(.*\), got 51"),
    "negative": (lambda t: at(t, "LL_0.59", 3, -5.0), r"column 'LL_0\.59', row 3: want 0 or more, got -5"),
    "infinite": (lambda t: at(t, "RL_0.59", 2, float("inf")), r"column 'RL_0\.59', row 2: want a number, got inf"),
}


@pytest.mark.parametrize("mistake", SPECTROGRAM_MISTAKES)
def test_a_mistake_in_a_spectrogram_file_is_named(mistake: str, tmp_path: Path):
    spoil, message = SPECTROGRAM_MISTAKES[mistake]
    spoil(spectrogram()).write_parquet(tmp_path / "6.parquet")
    with pytest.raises(DataError, match=message):
        read_spectrogram(tmp_path / "6.parquet")


@pytest.mark.parametrize(("name", "rows", "missing"), [("1000086677", 300, 10_400), ("589979261", 343, 0)])
def test_real_spectrogram_files_can_be_read_as_they_are(name: str, rows: int, missing: int):
    power = read_spectrogram(real(f"data/spectrograms_odd/{name}.parquet"))
    assert power.shape == (rows, 4, 100)
    assert np.isnan(power).sum() == missing


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "new")]


@pytest.mark.parametrize("name", ["table.csv", "table.txt", "table"])
def test_a_table_is_written_as_csv_unless_its_name_says_parquet(name: str, tmp_path: Path):
    table = pl.DataFrame({"a": [1, 2]})
    write_table(tmp_path / name, table)
    write_table(tmp_path / "table.parquet", table)
    assert (tmp_path / name).read_text() == "a\n1\n2\n"
    assert pl.read_parquet(tmp_path / "table.parquet").equals(table)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "table.parquet"])
