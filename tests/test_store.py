import fcntl
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from conftest import real

from hms.data.corpus import CompetitionFolder
from hms.data.flaws import flaws_of
from hms.data.identity import fingerprint
from hms.data.store import Store, build_store, open_store, prepare_store
from hms.data.windows import OneRowPerEeg, Windows
from hms.electrodes import ELECTRODES
from hms.errors import DataError
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A corpus that a test may damage."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def an_eeg(folder: Path, longest: bool = False) -> tuple[pl.DataFrame, Path]:
    rows = pl.read_csv(folder / "train.csv").partition_by("eeg_id", maintain_order=True)
    chosen = max(rows, key=len) if longest else rows[0]
    return chosen, folder / "train_eegs" / f"{chosen['eeg_id'][0]}.parquet"


def test_a_window_is_the_50_seconds_of_the_file_that_its_row_names(store: Store, corpus: Path):
    windows = Windows(store, store.rows, with_spectrogram=True)
    wanted, path = an_eeg(corpus, longest=True)
    file = pl.read_parquet(path).to_numpy()
    for row in wanted.iter_rows(named=True):
        index = store.rows["label_id"].to_list().index(row["label_id"])
        batch = windows[index]
        start = int(row["eeg_label_offset_seconds"] * 200)
        np.testing.assert_array_equal(batch.eeg[0].T, file[start : start + EEG_SAMPLES].astype(np.float16))


def test_a_store_is_read_in_long_stretches_without_writing_or_locking(store: Store, monkeypatch: pytest.MonkeyPatch):
    """That suits a network disk best."""
    monkeypatch.setattr(fcntl, "flock", None)
    opened = open_store(store.path)
    windows = Windows(opened, opened.rows, with_spectrogram=True)
    assert len(windows.__getitems__([0, 1]).eeg) == 2
    for mapped, views in ((opened.eeg, windows._eeg), (opened.spectrogram, windows._spectrogram)):
        assert mapped.mode == "r"
        assert views[0].flags.c_contiguous


def test_a_spectrogram_window_is_the_600_seconds_of_the_file_that_its_row_names(store: Store, corpus: Path):
    windows = Windows(store, store.rows, with_spectrogram=True)
    for index in (0, len(store.rows) // 2, len(store.rows) - 1):
        row = store.rows.row(index, named=True)
        file = pl.read_parquet(corpus / "train_spectrograms" / f"{row['spectrogram_id']}.parquet")
        inside = file.filter(pl.col("time") >= row["spectrogram_label_offset_seconds"])[:SPECTROGRAM_ROWS]
        power = inside.drop("time").to_numpy().reshape(-1, 4, 100).transpose(1, 0, 2)
        power = np.minimum(power, np.finfo(np.float16).max)  # the most that the store can hold
        np.testing.assert_allclose(windows[index].spectrogram[0], power, rtol=1e-3, atol=1e-6)


def test_an_odd_spectrogram_offset_starts_at_the_row_centred_on_that_second_even_at_the_end(copy: Path, tmp_path: Path):
    labels = pl.read_csv(copy / "train.csv").sort("spectrogram_label_offset_seconds", descending=True)
    shifted = labels.with_columns(pl.col("spectrogram_label_offset_seconds") + 1)
    shifted.write_csv(copy / "train.csv")
    store = build_store(copy, tmp_path / "store")
    row = store.rows.row(0, named=True)
    assert row["spectrogram_label_offset_seconds"] % 2 == 1
    file = pl.read_parquet(copy / "train_spectrograms" / f"{row['spectrogram_id']}.parquet")
    first = file.filter(pl.col("time") == row["spectrogram_label_offset_seconds"]).drop("time").to_numpy()
    window = Windows(store, store.rows, with_spectrogram=True)[0].spectrogram[0, :, 0]
    np.testing.assert_allclose(window, first.reshape(4, 100), rtol=1e-3, atol=1e-6)


def test_a_batch_equals_its_rows_one_by_one(store: Store):
    windows = Windows(store, store.rows)
    batch = windows.__getitems__([4, 0, 9])
    for place, index in enumerate([4, 0, 9]):
        for together, alone in zip(batch, windows[index], strict=True):
            if together is not None:
                np.testing.assert_array_equal(together[place], alone[0])


def test_targets_are_shares_of_votes(store: Store):
    batch = next(iter(Windows(store, store.rows).loader(len(store.rows))))
    np.testing.assert_allclose(batch.target.sum(dim=1), 1, rtol=1e-6)
    row = store.rows.row(3, named=True)
    votes = sum(row[f"{name}_vote"] for name in ("seizure", "lpd", "gpd", "lrda", "grda", "other"))
    assert batch.target[3, 5] == pytest.approx(row["other_vote"] / votes)
    assert batch.weight[3] == pytest.approx(np.log(votes + 1) / np.log(3))


def test_each_epoch_draws_a_new_row_of_every_eeg(store: Store):
    sampler = OneRowPerEeg(store.rows, seed=3)
    epochs = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        assert store.rows["eeg_id"][drawn].n_unique() == len(drawn) == store.rows["eeg_id"].n_unique()
        epochs.append(drawn)
    assert len({tuple(sorted(drawn)) for drawn in epochs}) > 1
    sampler.set_epoch(0)
    assert list(sampler) == epochs[0]


def test_the_real_folder_can_be_stored_as_it_is(tmp_path: Path):
    root = real("data/hms_real")
    store = build_store(root, tmp_path / "store")
    assert len(store.rows) == 12
    batch = next(iter(Windows(store, store.rows, with_spectrogram=True).loader(12)))
    known = torch.isfinite(batch.spectrogram[:, 0, :, 0])
    # Computed from 50 s of EEG: 24 rows, their centre at second 300 of 600.
    assert known.sum(dim=1).tolist() == [24] * 12
    assert np.flatnonzero(known[0].numpy()).mean() == pytest.approx(149.5)


def test_the_fingerprint_depends_on_labels_and_the_files_they_name_and_nothing_else(copy: Path, corpus: Path):
    assert fingerprint(copy) == fingerprint(corpus)
    (copy / "corpus.json").write_text("{}")
    for kind, name in (("eegs", "1.parquet"), ("eegs", "notes.txt"), ("spectrograms", "1.parquet")):
        (copy / f"train_{kind}" / name).write_text("named by no row")
    assert fingerprint(copy) == fingerprint(corpus)
    _, path = an_eeg(copy)
    pl.read_parquet(path).vstack(pl.read_parquet(path)).write_parquet(path)
    changed = fingerprint(copy)
    assert changed != fingerprint(corpus)
    (copy / "train.csv").write_text((copy / "train.csv").read_text() + "\n")
    assert fingerprint(copy) not in (changed, fingerprint(corpus))


def test_a_store_says_if_files_of_its_corpus_changed_at_the_same_size(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    folder = CompetitionFolder(str(copy), "auto")
    path = prepare_store(folder, tmp_path / "stores", "raise").path
    assert prepare_store(folder, tmp_path / "stores", "raise").path == path
    said = f"{copy} has files newer than {path}: if their content changed, delete that folder\n"
    assert said not in capsys.readouterr().err
    _, eeg = an_eeg(copy)
    read_at_s = (path / "store.json").stat().st_mtime
    os.utime(eeg, (read_at_s + 1, read_at_s + 1))
    assert prepare_store(folder, tmp_path / "stores", "raise").path == path
    assert capsys.readouterr().err == said


def test_bad_files_are_reported_together_and_leave_nothing_behind(copy: Path, tmp_path: Path):
    rows = pl.read_csv(copy / "train.csv").partition_by("eeg_id", maintain_order=True)
    first, second, third = (copy / "train_eegs" / f"{eeg['eeg_id'][0]}.parquet" for eeg in rows[:3])
    first.unlink()
    second.write_text("no parquet")
    pl.read_parquet(third)[: 40 * 200].write_parquet(third)
    with pytest.raises(DataError) as caught:
        build_store(copy, tmp_path / "stores" / "copy")
    message = str(caught.value)
    assert "3 bad files; on_bad=skip leaves their EEGs out" in message
    assert f"{first}: no such file" in message
    assert f"{second}: not a valid parquet file" in message
    assert f"{third}: want at least " in message
    assert "got 40 s; wrong sampling rate?" in message
    assert list((tmp_path / "stores").iterdir()) == []

    store = build_store(copy, tmp_path / "stores" / "copy", on_bad="skip")
    left_out = {eeg["eeg_id"][0] for eeg in rows[:3]}
    assert set(store.rows["eeg_id"]) == {eeg["eeg_id"][0] for eeg in rows} - left_out
    assert len(store.left_out) == 3

    class Folder:
        root, resident = copy, False

        def make(self) -> None:
            pass

    stores = tmp_path / "kept"
    assert prepare_store(Folder(), stores, "skip").left_out == store.left_out
    with pytest.raises(
        DataError, match=r"3 bad files; .*; read when .* was built: if they were mended since, delete it"
    ):
        prepare_store(Folder(), stores, "raise")


def test_an_eeg_that_lacks_a_channel_is_bad_or_kept_without_it(copy: Path, tmp_path: Path, capsys):
    rows, path = an_eeg(copy)
    table = pl.read_parquet(path)
    table.with_columns(C3=pl.lit(None, pl.Float32)).write_parquet(path)
    problem = f"{path}: column 'C3': want samples, got none (all {len(table)} are missing)"
    with pytest.raises(DataError) as caught:
        build_store(copy, tmp_path / "copy")
    assert str(caught.value).splitlines() == [
        f"{copy}: 1 bad file; on_bad=skip leaves their EEGs out, or only the channels without samples",
        f"  {problem}",
    ]

    class Folder:
        root, resident = copy, False

        def make(self) -> None:
            pass

    store = prepare_store(Folder(), tmp_path, "skip")
    assert capsys.readouterr().err.endswith(f"was built without channels of 1 EEG file:\n{problem}\n")
    assert (store.left_out, store.lacking) == ([], [problem])
    (start, *_) = store.rows.filter(eeg_id=rows["eeg_id"][0])["eeg_start"]
    kept = store.eeg[start : start + 10000]
    assert np.isnan(kept[:, ELECTRODES.index("C3")]).all()
    assert not np.isnan(kept[:, ELECTRODES.index("Cz")]).all()
    with pytest.raises(DataError, match="column 'C3': want samples, got none"):
        prepare_store(Folder(), tmp_path, "raise")


def test_a_folder_of_bad_files_alone_is_refused_whatever_on_bad_says(copy: Path, tmp_path: Path):
    shutil.rmtree(copy / "train_eegs")
    (copy / "train_eegs").mkdir()
    with pytest.raises(DataError) as caught:
        build_store(copy, tmp_path / "store", on_bad="skip")
    told, *files = str(caught.value).splitlines()
    assert told == f"{copy}: {len(files)} bad files; on_bad=skip leaves their EEGs out, and then none is left"
    assert len(files) == pl.read_csv(copy / "train.csv")["eeg_id"].n_unique()


def test_a_folder_without_eegs_is_reported_in_one_line(copy: Path, tmp_path: Path):
    shutil.rmtree(copy / "train_eegs")
    with pytest.raises(DataError, match=r"train_eegs: no such folder; it holds <eeg_id>\.parquet"):
        build_store(copy, tmp_path / "store")


def test_a_dangling_link_counts_as_a_missing_file(copy: Path, tmp_path: Path):
    _, path = an_eeg(copy)
    path.unlink()
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=f"{path}: no such file"):
        build_store(copy, tmp_path / "store")


def test_a_missing_spectrogram_file_is_an_error_if_others_exist(copy: Path, tmp_path: Path):
    rows, _ = an_eeg(copy)
    path = copy / "train_spectrograms" / f"{rows['spectrogram_id'][0]}.parquet"
    path.unlink()
    with pytest.raises(DataError, match=f"{path}: no such file"):
        build_store(copy, tmp_path / "store")


def test_spectrograms_are_computed_if_the_folder_has_none(copy: Path, tmp_path: Path, store: Store):
    shutil.rmtree(copy / "train_spectrograms")
    computed = build_store(copy, tmp_path / "store")
    filed = Windows(store, store.rows, with_spectrogram=True).__getitems__([0, 5]).spectrogram
    ours = Windows(computed, computed.rows, with_spectrogram=True).__getitems__([0, 5]).spectrogram
    both = torch.isfinite(ours) & torch.isfinite(filed)
    assert both.sum() > 0.05 * both.numel()
    np.testing.assert_allclose(ours[both].float().log(), filed[both].float().log(), atol=0.05)


@pytest.mark.parametrize("part", ["eeg.f16", "rows.parquet", "store.json"])
def test_an_incomplete_store_is_refused(part: str, store: Store, tmp_path: Path):
    broken = Path(shutil.copytree(store.path, tmp_path / "broken"))
    (broken / part).write_bytes((broken / part).read_bytes()[:1000])
    if part == "store.json":
        (broken / part).write_bytes((broken / part).read_bytes()[:50])
    with pytest.raises(DataError, match=r"not a complete store .*; delete it and prepare again"):
        open_store(broken)


def test_more_than_a_tenth_of_a_windows_samples_are_missing_over_all_its_channels():
    eeg = np.random.default_rng(0).normal(size=(EEG_SAMPLES, len(ELECTRODES))).astype(np.float32)
    found = []
    for channels in (1, 2):
        eeg[:, :channels] = np.nan
        found.append(flaws_of(eeg, np.array([0])).missing)
    assert found == [0, 1]  # of 19
