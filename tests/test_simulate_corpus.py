"""A simulated folder has exactly the competition's layout, and the same settings give the same bytes."""

import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from unittest import mock

import numpy as np
import polars as pl
import pytest
from interruption import children

from hms.data.store import build_store
from hms.electrodes import ELECTRODES
from hms.errors import DataError
from hms.labels import CLASSES, CONSENSUS_NAMES, HIGH_VOTES, VOTE_COLUMNS
from hms.scoring.scores import read_truth
from hms.simulate.corpus import FORMAT, SIZES, SimulatedFolder
from hms.simulate.plan import make_plan
from hms.simulate.recording import first_inner_row
from hms.spectrogram_recipe import COLUMNS, regional_spectrogram
from hms.system.atomic import locked

TRAIN_COLUMNS = (
    "eeg_id,eeg_sub_id,eeg_label_offset_seconds,spectrogram_id,spectrogram_sub_id,spectrogram_label_offset_seconds,"
    "label_id,patient_id,expert_consensus,seizure_vote,lpd_vote,gpd_vote,lrda_vote,grda_vote,other_vote"
)


FEW = {"patients": 6, "high_eegs": 6, "low_eegs": 4}
"""Counts that replace those of the size tiny in corpora that a test simulates itself."""


@pytest.fixture
def tiny(corpus: Path) -> Path:
    return corpus


@pytest.fixture
def of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "tiny", SIZES["tiny"]._replace(**FEW))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "few"
    with mock.patch.dict(SIZES, tiny=SIZES["tiny"]._replace(**FEW)):
        SimulatedFolder(str(root), "tiny", workers=1).make()
    return root


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


MAKE = f"""
import sys
from hms.simulate.corpus import SIZES, SimulatedFolder
if __name__ == "__main__":
    SIZES["tiny"] = SIZES["tiny"]._replace(**{FEW})
    SimulatedFolder(sys.argv[1], "tiny", workers=1).make()
"""


def test_two_processes_that_need_the_same_corpus_simulate_it_once(few: Path, tmp_path: Path):
    root = tmp_path / "new" / "tiny"
    command = [sys.executable, "-c", MAKE, str(root)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0] in ("", f"another process is simulating {root}; waiting for it\n")  # or it came too late to wait
    assert re.fullmatch(rf"simulated 12 EEGs in {root} \(\d+ s\)\n", said[1])
    assert digest(root) == digest(few)


def test_waiting_for_a_lock_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    order = []

    def second() -> None:
        with locked(tmp_path / "lock", "opening it"):
            order.append("second")

    with locked(tmp_path / "lock", "closing it"):
        thread = Thread(target=second)
        thread.start()
        while "another" not in (said := capsys.readouterr().err):
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert (order, said) == (["first", "second"], "another process is opening it; waiting for it\n")


def test_a_script_whose_workers_would_wait_for_it_for_ever_is_told_why(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from hms.system.workers import in_workers\n"
        "from hms.system.atomic import locked\n"
        "with locked(Path('made'), 'making it'):\n"
        "    print(*in_workers(abs, [1, 2], 2))\n"
    )
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 1
    told = "a worker process imports the script that started it: put its code under if __name__ == '__main__'"
    assert told in ran.stderr


def test_the_table_has_the_real_columns_types_and_consensus(tiny):
    assert (tiny / "train.csv").read_text().splitlines()[0] == TRAIN_COLUMNS
    train = pl.read_csv(tiny / "train.csv")
    assert train["eeg_label_offset_seconds"].dtype == pl.Float64
    votes = train.select(VOTE_COLUMNS).to_numpy()
    assert train["expert_consensus"].to_list() == [CONSENSUS_NAMES[k] for k in votes.argmax(axis=1)]
    assert train["label_id"].is_unique().all()
    ids = train.select("eeg_id", "spectrogram_id", "label_id", "patient_id").to_numpy()
    assert (ids > 0).all()
    assert (ids < 2**32).all()
    assert train["patient_id"].n_unique() >= 10


def test_each_row_has_the_votes_of_the_panel_planned_for_it(tiny: Path):
    rows = pl.concat(pl.read_csv(table) for table in (tiny / "train.csv", tiny / "test/train.csv"))
    eegs = [eeg for plan in make_plan(SIZES["tiny"], 0) for eeg in plan.eegs]
    planned = {label_id: votes for eeg in eegs for label_id, votes in zip(eeg.label_ids, eeg.votes, strict=True)}
    assert dict(zip(rows["label_id"], rows.select(pl.sum_horizontal(VOTE_COLUMNS)).to_series(), strict=True)) == planned
    assert any(len({*eeg.votes}) > 1 for eeg in eegs)


def test_golden_a_change_of_what_is_simulated_raises_the_format(tiny: Path):
    """If it fails, because the same settings now give other bytes: raise `FORMAT`, and record all numbers here anew.

    They are means over a file, since the last digit of a sample may differ between processors.
    """
    eeg_uv, db = {}, {}
    for plan in make_plan(SIZES["tiny"], 0):
        if plan.group != "test" and plan.kind not in eeg_uv:
            eeg = pl.read_parquet(tiny / f"train_eegs/{plan.eegs[0].eeg_id}.parquet").to_numpy()
            power = pl.read_parquet(tiny / f"train_spectrograms/{plan.spectrogram_id}.parquet").to_numpy()[:, 1:]
            eeg_uv[plan.kind], db[plan.kind] = (
                np.nanmean(np.abs(eeg.astype(float))),
                np.nanmean(10 * np.log10(power + 0.01)),
            )
    assert FORMAT == 11
    assert eeg_uv == pytest.approx(
        {"grda": 52.054, "other": 48.333, "gpd": 104.263, "lpd": 14.126, "seizure": 92.313}, rel=1e-4
    )
    assert db == pytest.approx(
        {"grda": -2.767, "other": -4.334, "gpd": 3.837, "lpd": -2.994, "seizure": -2.293}, abs=2e-3
    )


def test_rows_of_an_eeg_start_at_zero_and_overlap(tiny):
    for (eeg_id,), rows in pl.read_csv(tiny / "train.csv").group_by("eeg_id"):
        offset = rows["eeg_label_offset_seconds"].to_numpy()
        assert offset[0] == 0, eeg_id
        assert (offset % 2 == 0).all()
        assert ((np.diff(offset) > 0) & (np.diff(offset) < 50)).all()
        assert rows["eeg_sub_id"].to_list() == list(range(len(rows)))
        assert (rows["spectrogram_label_offset_seconds"] - rows["eeg_label_offset_seconds"]).n_unique() == 1
        assert rows["patient_id"].n_unique() == rows["spectrogram_id"].n_unique() == 1


def test_every_file_has_the_real_columns_and_reaches_its_last_window(tiny):
    train = pl.read_csv(tiny / "train.csv")
    for (eeg_id,), rows in train.group_by("eeg_id"):
        eeg = pl.read_parquet(tiny / "train_eegs" / f"{eeg_id}.parquet")
        assert eeg.columns == list(ELECTRODES)
        assert set(eeg.dtypes) == {pl.Float32}
        assert len(eeg) == (rows["eeg_label_offset_seconds"].max() + 50) * 200
        samples = eeg.to_numpy().astype(float)
        np.testing.assert_allclose(samples, np.round(samples, 2), atol=2e-3)
    for (spectrogram_id,), rows in train.group_by("spectrogram_id"):
        power = pl.read_parquet(tiny / "train_spectrograms" / f"{spectrogram_id}.parquet")
        assert power.columns == ["time", *COLUMNS]
        assert power.dtypes == [pl.Int64, *[pl.Float32] * 400]
        assert len(power) == 300 + rows["spectrogram_label_offset_seconds"].max() / 2
        assert power["time"].to_list() == list(range(1, 2 * len(power), 2))
        assert (power.drop("time").drop_nulls().to_numpy() >= 0).all()


def test_the_test_part_has_one_window_each_of_unseen_patients(tiny):
    test = pl.read_csv(tiny / "test.csv")
    assert test.columns == ["spectrogram_id", "eeg_id", "patient_id"]
    assert not set(test["patient_id"]) & set(pl.read_csv(tiny / "train.csv")["patient_id"])
    for spectrogram_id, eeg_id, _ in test.iter_rows():
        assert len(pl.read_parquet(tiny / "test_eegs" / f"{eeg_id}.parquet")) == 10_000
        assert len(pl.read_parquet(tiny / "test_spectrograms" / f"{spectrogram_id}.parquet")) == 300
    submission = pl.read_csv(tiny / "sample_submission.csv")
    assert submission.columns == ["eeg_id", *VOTE_COLUMNS]
    assert submission["eeg_id"].to_list() == test["eeg_id"].to_list()
    assert pl.read_parquet(tiny / "test_truth.parquet").columns == ["eeg_id", *CLASSES]


def test_the_test_part_is_a_labelled_folder_with_truth_too(tiny, tmp_path):
    store = build_store(tiny / "test", tmp_path / "store")
    assert (
        store.rows.select("eeg_id", "spectrogram_id", "patient_id")
        .sort("eeg_id")
        .equals(pl.read_csv(tiny / "test.csv").select("eeg_id", "spectrogram_id", "patient_id").sort("eeg_id"))
    )
    truth = read_truth(tiny / "test").join(store.rows.select("label_id", "eeg_id"), on="label_id")
    assert (
        truth.select("eeg_id", *CLASSES)
        .sort("eeg_id")
        .equals(pl.read_parquet(tiny / "test_truth.parquet").sort("eeg_id"))
    )
    assert (store.rows.select(pl.sum_horizontal(VOTE_COLUMNS)).to_series() >= HIGH_VOTES).all()


def test_the_test_part_of_every_size_is_the_published_one():
    published = {"tiny": "46200ce30737", "small": "3908402d0795", "medium": "617d6b37af55", "large": "045166f38a0b"}
    for name, size in SIZES.items():
        plans = [plan for plan in make_plan(size, 0) if plan.group == "test"]
        names = [(plan.patient_id, plan.spectrogram_id, plan.kind, plan.eegs[0].eeg_id) for plan in plans]
        assert len(names) == size.test_eegs
        assert hashlib.sha256(repr(names).encode()).hexdigest()[:12] == published[name], name


def test_truth_names_every_row_and_sums_to_one(tiny):
    truth = pl.read_parquet(tiny / "truth.parquet")
    assert truth.columns == ["label_id", *CLASSES]
    assert truth["label_id"].to_list() == pl.read_csv(tiny / "train.csv")["label_id"].to_list()
    np.testing.assert_allclose(truth.select(CLASSES).to_numpy().sum(axis=1), 1.0, atol=1e-12)
    assert set(truth.select(CLASSES).dtypes) == {pl.Float64}


def test_inner_rows_of_a_spectrogram_are_the_recipe_on_the_eeg_file(tiny):
    for plan in make_plan(SIZES["tiny"], 0)[:6]:
        saved = pl.read_parquet(tiny / "train_spectrograms" / f"{plan.spectrogram_id}.parquet").drop("time").to_numpy()
        for eeg in plan.eegs:
            samples = pl.read_parquet(tiny / "train_eegs" / f"{eeg.eeg_id}.parquet").to_numpy()
            power = regional_spectrogram(samples.astype(np.float32))
            first = first_inner_row(eeg)
            # Row j is centred at 1 + 2j s of the spectrogram, 275 s later than in the EEG.
            assert 1 + 2 * first == 275 + eeg.start_s + 2
            inner = saved[first : first + power.shape[1]]
            np.testing.assert_array_equal(inner, power.transpose(1, 0, 2).reshape(len(inner), 400))


def test_two_workers_write_the_same_bytes_as_none(few, of_few, tmp_path):
    SimulatedFolder(str(tmp_path / "again"), "tiny", workers=2).make()
    assert digest(tmp_path / "again") == digest(few)


def test_workers_end_with_the_process_that_started_them(tmp_path: Path):
    run = subprocess.Popen([sys.executable, "-c", MAKE.replace("workers=1", "workers=2"), str(tmp_path / "tiny")])
    deadline_s = time.monotonic() + 60
    while not [*tmp_path.glob("tiny/*/*.parquet")]:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    workers = children(run.pid)
    run.kill()
    run.wait()
    assert len(workers) >= 2
    while [worker for worker in workers if Path(f"/proc/{worker}").exists()]:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_killed_run_resumes_to_the_same_bytes(few, of_few, tmp_path):
    root = tmp_path / "half"
    run = subprocess.Popen([sys.executable, "-c", MAKE, str(root)], stderr=subprocess.DEVNULL)
    while run.poll() is None and len(list(root.glob("train_spectrograms/*.parquet"))) < 5:
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert not (root / "train.csv").exists()
    done = {path: path.stat().st_mtime_ns for path in (root / ".work").glob("*.json")}
    made = {path: path.stat().st_mtime_ns for path in (root / "train_spectrograms").glob("*.parquet")}
    assert len(done) >= 4
    SimulatedFolder(str(root), "tiny", workers=1).make()
    redone = sum(path.stat().st_mtime_ns != before for path, before in made.items())
    assert redone <= len(made) - len(done)
    assert digest(root) == digest(few)


def test_a_complete_folder_is_left_alone(tiny, capsys):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    SimulatedFolder(str(tiny), "tiny").make()
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before
    assert capsys.readouterr().err == ""


def test_different_settings_are_refused_in_one_line(tiny):
    with pytest.raises(DataError, match="delete it") as caught:
        SimulatedFolder(str(tiny), "tiny", seed=5).make()
    assert str(caught.value) == (
        f"{tiny}: holds a simulated corpus of format {FORMAT}, size tiny, seed 0; asked for format {FORMAT}, size "
        "tiny, seed 5: delete it or choose another data.root"
    )


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1'])
def test_a_folder_whose_settings_cannot_be_read_is_named(content: str, tmp_path):
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(DataError, match=rf"^{tmp_path}/corpus\.json: not a JSON object "):
        SimulatedFolder(str(tmp_path), "tiny").make()


def test_a_folder_with_foreign_files_is_never_written_to(tmp_path):
    (tmp_path / "train.csv").write_text("real data")
    with pytest.raises(DataError, match="holds files that were not simulated; to read them, add data=competition; "):
        SimulatedFolder(str(tmp_path), "tiny").make()
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: want at least 0, got -1"),
        ({"workers": 0}, "workers: want at least 1, got 0"),
    ],
)
def test_a_value_out_of_range_is_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        SimulatedFolder(str(tmp_path), "tiny", **arguments)


def test_another_seed_gives_other_files(tiny):
    one, other = make_plan(SIZES["tiny"], 0), make_plan(SIZES["tiny"], 1)
    assert not {eeg.eeg_id for plan in one for eeg in plan.eegs} & {eeg.eeg_id for plan in other for eeg in plan.eegs}


def test_a_size_has_the_numbers_of_eegs_it_says():
    for size in (SIZES["tiny"], SIZES["small"]):
        plans = make_plan(size, 0)
        count = {
            group: sum(len(plan.eegs) for plan in plans if plan.group == group) for group in ("high", "low", "test")
        }
        assert count == {"high": size.high_eegs, "low": size.low_eegs, "test": size.test_eegs}
        assert len({plan.patient_id for plan in plans}) == size.patients + size.test_eegs
        for plan in plans:
            most, least = (7, 1) if plan.group == "low" else (28, 10)
            assert all(least <= max(eeg.votes) <= most for eeg in plan.eegs)
            assert not {8, 9} & {n for eeg in plan.eegs for n in eeg.votes}


def test_simulating_imports_neither_torch_nor_hydra():
    code = "import sys, hms.simulate.corpus; print({'torch', 'lightning', 'hydra', 'omegaconf'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
