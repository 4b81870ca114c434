"""A submission from trained models and test files alone: its content, and which input is refused with which message."""

import importlib
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import torch
from conftest import ROOT, Say, python, real
from untrained_runs import a_run

from hms.data.store import Store, build_store
from hms.data.tables import read_labels
from hms.data.windows import Windows
from hms.electrodes import SCALP
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.prediction.adaptation import adapt_models
from hms.prediction.inference import Compute, probabilities
from hms.prediction.predictors import find_predictors
from hms.prediction.sharded_submission import digest
from hms.prediction.submission import want_submission, write_submission
from hms.runs.bundle import new_bundle
from hms.runs.checkpoint import load_model
from hms.runs.mismatch import warn_of_unused
from hms.runs.named import named_runs, scored_runs
from hms.runs.trained import trained
from hms.scoring.metric import kl_divergence

Submit = Callable[..., str]


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose test part is also its training part: a window at the start of each of four EEGs."""
    root = tmp_path_factory.mktemp("both") / "corpus"
    rows = read_labels(corpus / "train.csv").unique("eeg_id", keep="first", maintain_order=True)[:4]
    for name in ("eegs", "spectrograms"):
        for part in ("train", "test"):
            (root / f"{part}_{name}").mkdir(parents=True)
            for number in rows[f"{name[:-1]}_id"].unique():
                file = f"{number}.parquet"
                (root / f"{part}_{name}" / file).symlink_to(corpus / f"train_{name}" / file)
    starts = [pl.lit(0.0).alias(name) for name in rows.columns if name.endswith("_seconds")]
    rows.drop("line").with_columns(*starts).write_csv(root / "train.csv")
    rows.select("spectrogram_id", "eeg_id", "patient_id").reverse().write_csv(root / "test.csv")
    sixths = [pl.lit(1 / 6).alias(name) for name in VOTE_COLUMNS]
    rows.select("eeg_id", *sixths).sort("eeg_id", descending=True).write_csv(root / "sample_submission.csv")
    return root


@pytest.fixture(scope="module")
def both(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return build_store(folder, tmp_path_factory.mktemp("stores") / "both")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs, of two folds and of one; the second reads spectrograms."""
    base = tmp_path_factory.mktemp("runs")
    small = ("extractor=[stft_short,spectrogram]", "preprocess=original")
    return [a_run(base / "one-1a", 2, "extractor=stft_short"), a_run(base / "two-2b", 1, *small)]


@pytest.fixture
def submit(tmp_path: Path, say_submit: Say) -> Submit:
    """Run the command with a fixed path for the submission; returns what it writes to stderr."""
    return lambda *words, code=0: say_submit(f"out={tmp_path / 'submission.csv'}", *words, code=code)[1]


def of(root: Path) -> list[str]:
    return ["data=competition", f"data.root={root}", "accelerator=cpu", "flips=false"]


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path).rename(dict(zip(VOTE_COLUMNS, CLASSES, strict=True)))


def expected(store: Store, submission: pl.DataFrame, run: Path, flips: bool = False) -> np.ndarray:
    """Predict the same windows the way `hms.evaluate` does, from a store."""
    rows = submission.select("eeg_id").join(store.rows, on="eeg_id", maintain_order="left")
    models = [load_model(fold) for fold in sorted(run.iterdir())]
    return probabilities(models, store, rows, 3, Compute("cpu", flips))


@pytest.mark.parametrize("spectrograms", [True, False])
def test_test_files_are_predicted_as_if_they_were_in_a_store(
    spectrograms: bool, folder: Path, both: Store, runs: list[Path], submit: Submit, tmp_path: Path
):
    root, store = folder, both
    if not spectrograms:  # they are computed
        root = tmp_path / "without"
        shutil.copytree(folder, root, ignore=shutil.ignore_patterns("*_spectrograms"), symlinks=True)
        store = build_store(root, tmp_path / "store")
    for run, flips in ((runs[0], False), (runs[1], True)):
        submit(f"runs={run}", *of(root), f"flips={flips}")
        found = read(tmp_path / "submission.csv")
        assert found["eeg_id"].to_list() == pl.read_csv(root / "sample_submission.csv")["eeg_id"].to_list()
        np.testing.assert_allclose(found.select(CLASSES), expected(store, found, run, flips), atol=1e-7)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["submission.csv"]


def test_the_same_command_gives_the_same_bytes_and_another_batch_size_the_same_numbers(
    folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    made = []
    for size in (4, 4, 3):
        submit(f"runs={runs[0].parent / '*'}", f"batch_size={size}", *of(folder))
        made.append((tmp_path / "submission.csv").read_bytes())
        (tmp_path / f"{len(made)}.csv").write_bytes(made[-1])
    assert made[0] == made[1]
    np.testing.assert_allclose(read(tmp_path / "1.csv"), read(tmp_path / "3.csv"), atol=1e-6)


def test_runs_have_equal_weight_however_many_folds_they_have(
    folder: Path, both: Store, runs: list[Path], submit: Submit, tmp_path: Path
):
    submit(*map(str, runs), *of(folder))
    found = read(tmp_path / "submission.csv")
    mean = (expected(both, found, runs[0]) + expected(both, found, runs[1])) / 2
    np.testing.assert_allclose(found.select(CLASSES), mean, atol=1e-6)


def an_ensemble(folder: Path, members: list[str], weights: list[float], mixing: str = "linear") -> None:
    calibration = {"temperature": 2, "bias": dict.fromkeys(CLASSES, 0)}
    held = {"calibration": calibration, "prior": None, "mixing": mixing}
    (folder / "ensemble.json").write_text(json.dumps(held | {"members": members, "weights": weights}))


def test_an_ensemble_mixes_its_runs_by_their_weights(
    folder: Path, both: Store, runs: list[Path], submit: Submit, tmp_path: Path
):
    shutil.copytree(runs[0], tmp_path / "moved" / runs[0].name)  # beside ensemble.json, or where the file says
    members = [f"moved/{runs[0].name}", "other_people.csv.gz", str(runs[1])]
    for mixing in ("linear", "geometric"):
        an_ensemble(tmp_path, members, [0.7, 0, 0.3], mixing)
        submit(f"ensemble={tmp_path if mixing == 'linear' else tmp_path / 'ensemble.json'}", *of(folder))
        found = read(tmp_path / "submission.csv")
        one, two = (expected(both, found, run) for run in runs)
        mixed = (0.7 * one + 0.3 * two if mixing == "linear" else one**0.7 * two**0.3) ** 0.5
        np.testing.assert_allclose(found.select(CLASSES), mixed / mixed.sum(axis=1, keepdims=True), atol=1e-6)


def test_half_precision_predicts_nearly_the_same(
    folder: Path, both: Store, runs: list[Path], submit: Submit, tmp_path: Path
):
    submit(f"runs={runs[1]}", "precision=bf16-mixed", *of(folder))
    found = read(tmp_path / "submission.csv")
    assert 0 < np.abs(found.select(CLASSES).to_numpy() - expected(both, found, runs[1])).max() < 0.02


def test_one_fold_alone_predicts_as_well(folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    submit(f"runs={runs[1]}", *of(folder))
    whole = (tmp_path / "submission.csv").read_bytes()
    submit(f"runs={runs[1] / 'fold0_seed0'}", *of(folder))
    assert (tmp_path / "submission.csv").read_bytes() == whole


@pytest.fixture
def with_all(tmp_path: Path) -> Path:
    """A run of two folds and a model of fold=all."""
    run = a_run(tmp_path / "both-5e", 3, "extractor=stft_short")
    (run / "fold2_seed0").rename(run / "foldall_seed0")
    return run


def test_a_run_predicts_by_its_folds_and_by_fold_all_only_if_that_is_named_or_alone(
    folder: Path, with_all: Path, say_submit: Say, tmp_path: Path
):
    out = tmp_path / "submission.csv"
    made = {}
    for name, words, by in (
        ("run", [str(with_all)], "2 models of 1 run"),
        ("folds", [str(with_all / f"fold{fold}_seed0") for fold in (0, 1)], "2 models of 1 run"),
        ("all", [str(with_all / "foldall_seed0")], "1 fold=all model of 1 run"),
        ("option", [str(with_all), "fold=all"], "1 fold=all model of 1 run"),
        (
            "alone",
            [str(shutil.copytree(with_all, tmp_path / "alone", ignore=shutil.ignore_patterns("fold[01]*")))],
            "1 fold=all model of 1 run",
        ),
    ):
        printed, said = say_submit(*words, f"out={out}", *of(folder))
        assert printed == f"{out}: 4 rows, by {by}\n"
        unused = f"predicts by its 2 folds, without fold=all; to predict by that, name {with_all / 'foldall_seed0'}"
        assert (unused in said) == (name == "run")
        made[name] = read(out).select(CLASSES).to_numpy()
    np.testing.assert_allclose(made["run"], made["folds"], atol=1e-6)
    np.testing.assert_array_equal(made["all"], made["alone"])
    np.testing.assert_array_equal(made["all"], made["option"])
    assert np.abs(made["all"] - made["run"]).max() > 1e-4


def test_models_of_all_patients_that_several_runs_leave_out_are_named_in_one_line(with_all: Path, capsys):
    other = Path(shutil.copytree(with_all, with_all.with_name("more-6f")))
    fold = with_all / "fold0_seed0"  # named itself, it leaves nothing out
    warn_of_unused([trained(run) for run in (with_all, other, fold, other / "foldall_seed0")])
    names = f"{with_all / 'foldall_seed0'}, {other / 'foldall_seed0'}"
    assert capsys.readouterr().err == (
        f"2 runs predict by their folds, without fold=all; to predict by that, name {names}\n"
    )


def test_a_run_and_a_fold_count_once(runs: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(runs[0].parent)
    name, fold = runs[0].name, min(runs[0].iterdir())
    assert named_runs([name, str(runs[0]), f"./{name}/"]) == [Path(name)]
    for words in ([name, str(fold)], [str(fold), name]):
        with pytest.raises(UserError, match=rf"runs: want each fold once, got {fold} beside {name}, to which it"):
            named_runs(words)
    assert named_runs([f"{name}/*"]) == sorted(Path(name).iterdir())


def test_an_ensemble_among_runs_is_skipped(runs: list[Path], tmp_path: Path, capsys):
    an_ensemble(tmp_path, [str(run) for run in runs], [0.5, 0.5])
    assert named_runs([str(runs[0]), str(tmp_path)]) == [runs[0]]
    assert capsys.readouterr().err == f"skipped, as they are ensembles: {tmp_path}\n"


def test_a_pattern_skips_runs_that_have_not_finished_a_fold(runs: list[Path], tmp_path: Path, capsys):
    finished = Path(shutil.copytree(runs[0], tmp_path / "a-1"))
    for name, epochs in (("a-2", 3), ("a-3", 0)):
        (tmp_path / name / "fold0_seed0").mkdir(parents=True)
        (tmp_path / name / "fold0_seed0/config.yaml").write_text("epochs: 14\npretrain: {epochs: 2}\n")
        (tmp_path / name / "fold0_seed0/metrics.csv").write_text("epoch,val_kl\n" + "0,1\n" * epochs)
    assert named_runs(f"{tmp_path}/a-*") == [finished]
    assert capsys.readouterr().err == f"skipped, as they have no finished fold: {tmp_path}/a-2, {tmp_path}/a-3\n"
    only = f"{tmp_path}/a-2: no finished fold here, only fold0_seed0 after 3 of 16 epochs"
    for words in ([f"{tmp_path}/a-*", f"{tmp_path}/a-2"], f"{tmp_path}/a-2", f"{tmp_path}/a-[23]"):
        with pytest.raises(DataError, match=f"^{only}$"):
            find_predictors(words)
    with pytest.raises(UserError) as refused:
        scored_runs([f"{tmp_path}/a-[23]"])
    each = (
        f"{tmp_path}/a-{n}, which has only fold0_seed0 after {epochs} of 16 epochs" for n, epochs in ((2, 3), (3, 0))
    )
    assert str(refused.value) == f"runs: want a finished run, got {'; '.join(each)}"


def test_an_ensemble_predicts_by_the_folds_it_was_fitted_to(with_all: Path, tmp_path: Path):
    an_ensemble(tmp_path, [str(with_all)], [1.0])
    path = tmp_path / "ensemble.json"
    for fitted in (None, ["fold0_seed0"], ["fold0_seed0", "fold1_seed0"]):
        key = {} if fitted is None else {"member_folds": {str(with_all): fitted}}
        path.write_text(json.dumps(json.loads(path.read_text()) | key))
        folds = find_predictors(ensemble=str(path)).folds
        assert [fold.name for fold in folds] == (fitted or ["fold0_seed0", "fold1_seed0"])
    shutil.rmtree(with_all / "fold1_seed0")
    told = f"{with_all}: lacks fold1_seed0, to which {path} was fitted; fit the ensemble again"
    with pytest.raises(DataError, match=re.escape(told)):
        find_predictors(ensemble=str(path))


def test_an_ensemble_predicts_by_models_of_all_patients_if_asked(
    with_all: Path, runs: list[Path], folder: Path, say_submit: Say, tmp_path: Path
):
    other = Path(shutil.copytree(runs[0], tmp_path / "other-6f"))
    an_ensemble(tmp_path, [str(with_all), str(other)], [0.25, 0.75])
    words = [f"ensemble={tmp_path}", "fold=all", *of(folder)]
    refused = f"fold: want runs that were also trained with fold=all, got {other}, which was not\n"
    assert say_submit(*words, code=1)[1].endswith(refused)
    shutil.copytree(with_all / "foldall_seed0", other / "foldall_seed0")
    of_all = [run / "foldall_seed0" for run in (with_all, other)]
    predictors = find_predictors(ensemble=str(tmp_path), fold="all")
    assert predictors.folds == of_all
    assert predictors.mixture.weights.tolist() == [0.25, 0.75]
    assert say_submit(*words, f"out={tmp_path / 'a.csv'}")[0].endswith(
        "4 rows, by 2 fold=all models of 2 runs, temperature 2\n"
    )


def test_runs_that_may_not_belong_together_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture):
    def run(name: str, folds: int, corpus: str, of: int = 3) -> Path:
        for fold in range(folds):
            into = tmp_path / name / f"fold{fold}_seed0"
            into.mkdir(parents=True)
            (into / "scores.json").write_text("{}")
            (into / "config.yaml").write_text(f"folds: {of}")
            (into / "provenance.json").write_text(json.dumps({"corpus": corpus}))
        return tmp_path / name

    def said(*runs: Path) -> list[str]:
        find_predictors([*map(str, runs)])
        return capsys.readouterr().err.splitlines()

    one, other, old = run("a-00000001", 3, "c0"), run("b-00000001", 3, "c0"), run("a-00000002", 2, "c1")
    assert said(one, other) == said(old) == []
    assert said(one, old) == [
        f"{old} has 2 of its 3 folds; it lacks fold2_seed0",
        f"{one} and {old} are runs named a that differ in settings or data: is one out of date?",
        f"these runs learned from different corpora: c0: {one}; c1: {old}",
    ]
    adapted = run("d-00000001", 3, "c1")
    for fold in adapted.iterdir():
        (fold / "config.yaml").write_text("folds: 3\nstart_from: runs/a\ndata: {root: data/ward}")
        (fold / "provenance.json").write_text(json.dumps({"corpus": "c1c1c1", "start": {"corpora": ["c0"]}}))
    assert said(adapted, run("e-00000001", 3, "c1c1c1")) == []
    with_bundle = tmp_path / "bundle"
    members = [f"fold{number}_seed0" for number in range(3)]
    with new_bundle(with_bundle, {"members": members, "corpora": ["c1c1c1", "c2"], "model": {}}) as folder:
        for name in members:
            (folder / f"{name}.safetensors").touch()
    assert said(adapted, with_bundle) == []
    assert said(one, adapted, with_bundle)[-1] == (
        f"these runs learned from different corpora: c0: {one}; ward-c1c1: {adapted}; c2 and ward-c1c1: {with_bundle}"
    )
    two = run("c-00000001", 2, "c0", of=2)
    assert said(one, two) == [f"these runs predict by different folds: {one} by 3 folds, {two} by 2 folds"]


def test_the_simulated_corpus_has_a_test_part_and_its_truth(
    corpus: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    submit(f"runs={runs[0]}", f"data.root={corpus}", "data.size=tiny", *of(corpus)[2:])
    found, truth = read(tmp_path / "submission.csv"), pl.read_parquet(corpus / "test_truth.parquet")
    assert found["eeg_id"].to_list() == truth["eeg_id"].to_list()
    reached = kl_divergence(truth.select(CLASSES).to_numpy(), found.select(CLASSES).to_numpy())
    write_submission(tmp_path / "best.csv", corpus, truth)
    best = kl_divergence(truth.select(CLASSES).to_numpy(), read(tmp_path / "best.csv").select(CLASSES).to_numpy())
    assert best.max() < 1e-9 < reached.min()


def test_the_test_part_is_named_and_that_it_is_simulated(
    corpus: Path, folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    fold = Path(shutil.copytree(runs[0] / "fold0_seed0", tmp_path / "real/fold0_seed0"))
    (fold / "config.yaml").write_text("data: {_target_: hms.data.corpus.CompetitionFolder, root: /hms}")
    simulated = (f"data.root={corpus}", "data.size=tiny")
    for run, words, end in (
        (runs[0], simulated, f"{corpus}, simulated EEG (data= chooses another)"),
        (fold, simulated, f"{corpus}, simulated EEG (data= chooses another); {fold} learned from real EEG"),
        (fold, of(folder), f"{folder}"),
    ):
        assert submit(f"runs={run}", *words).splitlines()[0] == f"predicts the test part of {end}"


def test_nothing_is_simulated_for_models_of_real_eeg(runs: list[Path], submit: Submit, tmp_path: Path):
    fold = Path(shutil.copytree(runs[0] / "fold0_seed0", tmp_path / "real/fold0_seed0"))
    (fold / "config.yaml").write_text("data: {_target_: hms.data.corpus.CompetitionFolder, root: /hms}")
    said = submit(f"runs={fold}", f"data.root={tmp_path / 'none'}", "data.size=tiny", code=1)
    wish = f"data: want what to predict, such as data=competition data.root=/hms, as {fold} learned from real EEG"
    assert said == f"{wish}; got {tmp_path / 'none'}, which would be simulated (hms.simulate does it)\n"
    assert not (tmp_path / "none").exists()


def test_the_real_pair_is_predicted(runs: list[Path], submit: Submit, tmp_path: Path):
    submit(f"runs=[{runs[0]},{runs[1]}]", *of(real("data/hms_real")))
    assert read(tmp_path / "submission.csv")["eeg_id"].to_list() == [3911565283]


# Bad files


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> tuple[Path, list[Path]]:
    """A copy in which two EEGs cannot be used, and their files."""
    root = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    one, two = sorted(root.glob("test_eegs/*"))[1:3]
    one.write_text("no parquet")
    pl.read_parquet(two)[: 40 * 200].write_parquet(two)
    return root, [one, two]


def test_bad_files_are_reported_together_before_anything_is_predicted(
    spoilt, runs: list[Path], submit: Submit, tmp_path: Path
):
    root, (one, two) = spoilt
    said = submit(f"runs={runs[1]}", *of(root), code=1)
    skipping = (
        "predicts EEGs that only lack a channel without it, computes spectrograms whose file is missing from the EEG, "
        "and gives the other rows the mean of all predicted ones"
    )
    assert f"{root}: 2 bad files; on_bad=skip {skipping}\n" in said
    assert f"\n  {one}: not a valid parquet file (" in said
    assert f"\n  {two}: want at least 50 s for test.csv line " in said
    assert "(eeg_label_offset_seconds 0 + 50 s), got 40 s; wrong sampling rate?" in said
    assert not (tmp_path / "submission.csv").exists()


def test_skipped_rows_get_the_mean_of_all_others_with_a_warning(
    spoilt, runs: list[Path], submit: Submit, tmp_path: Path
):
    root, bad = spoilt
    said = submit(f"runs={runs[1]}", "on_bad=skip", *of(root))
    assert f"NOT PREDICTED: 2 of 4 rows get the mean of all others\n{root}: 2 bad files" in said
    found = read(tmp_path / "submission.csv")
    lost = found.filter(pl.col("eeg_id").is_in([int(path.stem) for path in bad])).select(CLASSES).to_numpy()
    others = found.filter(~pl.col("eeg_id").is_in([int(path.stem) for path in bad])).select(CLASSES).to_numpy()
    np.testing.assert_allclose(lost, np.stack([others.mean(axis=0)] * 2), rtol=1e-12)


def test_models_adapt_to_the_windows_of_a_submission(
    folder: Path, both: Store, runs: list[Path], submit: Submit, tmp_path: Path
):
    submit(f"runs={runs[0]}", "adapt=0.5", *of(folder))
    found = read(tmp_path / "submission.csv")
    models = [load_model(fold) for fold in sorted(runs[0].iterdir())]
    models = adapt_models(models, Windows(both, both.rows).loader(3), 0.5, Compute("cpu", flips=False))
    rows = found.select("eeg_id").join(both.rows, on="eeg_id", maintain_order="left")
    want = probabilities(models, both, rows, 3, Compute("cpu", flips=False))
    np.testing.assert_allclose(found.select(CLASSES), want, atol=1e-5)
    assert np.abs(want - expected(both, found, runs[0])).max() > 1e-3


@pytest.mark.parametrize("adapt", [0, 0.5])
def test_shards_make_the_same_submission(spoilt, runs: list[Path], submit: Submit, tmp_path: Path, adapt: float):
    words = [f"runs=['{runs[0]}','{runs[1]}']", "on_bad=skip", "batch_size=2", f"adapt={adapt}", *of(spoilt[0])]
    submit(*words)
    whole = (tmp_path / "submission.csv").read_bytes()
    (tmp_path / "submission.csv").unlink()
    assert "shard 1 of 2 is finished; 1 to come" in submit(*words, "shard=1", "shards=2")
    submit(*words, "shard=1", "shards=2", "batch_size=1")  # of another submission
    assert not (tmp_path / "submission.csv").exists()
    submit(*words, "shard=0", "shards=2")
    assert (tmp_path / "submission.csv").read_bytes() == whole


def test_a_model_that_predicts_nan_is_named_with_possible_reasons(runs: list[Path]):
    told = f"{runs[1] / 'fold0_seed0'}: the model predicts NaN; its training diverged, or precision=16-mixed overflows"
    with pytest.raises(UserError, match=re.escape(told)):
        find_predictors(str(runs[1])).mix(np.full((1, 2, 6), np.nan))


def test_shards_of_ensembles_with_other_weights_are_not_mixed(folder: Path, runs: list[Path], tmp_path: Path):
    digests = []
    for weights in ([0.5, 0.5], [0.4, 0.6]):
        an_ensemble(tmp_path, [str(run) for run in runs], weights)
        for ensemble in (tmp_path, tmp_path / "ensemble.json"):
            predictors = find_predictors(ensemble=str(ensemble))
            digests.append(digest({"batch_size": 32}, predictors, folder))
    assert digests[0] == digests[1] != digests[2] == digests[3]


def test_ranges_are_checked_for_callers_in_python_too(runs: list[Path]):
    found = find_predictors(str(runs[0]))
    for numbers, message in (
        ((-1.0, {}, 0.0), "temperature: want more than 0, or null, got -1.0"),
        ((None, {"seizure": 0.0}, 0.0), "odds.seizure: want more than 0, got 0.0"),
        ((None, {}, 2.0), "adapt: want a share, 0 to 1, got 2.0"),
    ):
        with pytest.raises(UserError, match=message):
            found.adjusted(*numbers)


def test_predictors_are_found_by_runs_or_by_an_ensemble_alone():
    for names, got in (({}, "neither"), ({"runs": "a", "ensemble": "b"}, "both")):
        with pytest.raises(UserError, match=f"^runs, ensemble: want one of the two, got {got}$"):
            find_predictors(**names)


@pytest.mark.parametrize("name", ["test_eegs", "test_spectrograms"])
def test_shards_of_test_files_that_have_changed_are_not_mixed(name: str, runs: list[Path], tmp_path: Path):
    predictors, file = find_predictors(str(runs[1])), tmp_path / name / "1.parquet"
    file.parent.mkdir()
    file.touch()
    before = digest({}, predictors, tmp_path)
    assert digest({}, predictors, tmp_path) == before
    file.write_bytes(b"more")
    assert digest({}, predictors, tmp_path) != before


def test_if_every_file_is_bad_each_class_gets_a_sixth_with_a_warning(
    folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    root = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    for path in root.glob("test_eegs/*"):
        path.unlink()
    said = submit(f"runs={runs[0]}", "on_bad=skip", *of(root))
    assert "4 bad files" in said
    assert "parquet: no such file" in said
    assert "NOTHING WAS PREDICTED: no file can be used; all 4 rows get 1/6 for each class" in said
    np.testing.assert_allclose(read(tmp_path / "submission.csv").select(CLASSES), 1 / 6)


@pytest.mark.parametrize("spectrograms", [True, False])
def test_an_eeg_that_only_lacks_a_channel_is_predicted_without_it(
    spectrograms: bool, folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    root = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    if not spectrograms:
        shutil.rmtree(root / "test_spectrograms")
    one, two, *_ = sorted(root.glob("test_eegs/*"))
    whole = pl.read_parquet(one)
    whole.with_columns(pl.lit(None, pl.Float32).alias("T3")).write_parquet(one)
    pl.read_parquet(two).with_columns(pl.lit(None, pl.Float32).alias(name) for name in SCALP).write_parquet(two)
    said = submit(f"runs={runs[1]}", *of(root), code=1)
    assert f"{one}: column 'T3': want samples, got none (all {len(whole)} are missing)" in said
    said = submit(f"runs={runs[1]}", "on_bad=skip", *of(root))
    lacking = f"{one}: column 'T3': want samples, got none (all {len(whole)} are missing)"
    assert f"predicted without channels of 1 EEG file:\n{lacking}\n" in said
    assert "NOT PREDICTED: 1 of 4 rows" in said
    found = read(tmp_path / "submission.csv")
    whole.with_columns(pl.lit(0, pl.Float32).alias("T3")).write_parquet(one)
    if spectrograms:
        submit(f"runs={runs[1]}", "on_bad=skip", *of(root))
        np.testing.assert_allclose(found.select(CLASSES), read(tmp_path / "submission.csv").select(CLASSES), atol=1e-6)
    (row,) = found.filter(eeg_id=int(one.stem)).select(CLASSES).rows()
    others = found.filter(~pl.col("eeg_id").is_in([int(one.stem), int(two.stem)])).select(CLASSES).to_numpy()
    (lost,) = found.filter(eeg_id=int(two.stem)).select(CLASSES).to_numpy()
    np.testing.assert_allclose(lost, np.vstack([others, row]).mean(axis=0), rtol=1e-9)


def test_a_missing_spectrogram_is_computed_as_for_a_folder_without_any(
    folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    root, bare = (Path(shutil.copytree(folder, tmp_path / name)) for name in ("lacks one", "bare"))
    shutil.rmtree(bare / "test_spectrograms")
    rows = pl.read_csv(root / "test.csv")
    gone = root / "test_spectrograms" / f"{rows['spectrogram_id'][0]}.parquet"
    gone.unlink()
    words = [f"runs={runs[1]}", *of(root)[:1], f"data.root='{root}'", *of(root)[2:]]
    assert f"{root}: 1 bad file; " in (said := submit(*words, code=1))
    assert f"\n  {gone}: no such file\n" in said
    assert not (tmp_path / "submission.csv").exists()
    said = submit(*words, "on_bad=skip")
    assert said.endswith(f"spectrograms computed from the EEG in place of 1 missing file:\n{gone}: no such file\n")
    found = read(tmp_path / "submission.csv")
    submit(f"runs={runs[1]}", *of(bare))
    computed = read(tmp_path / "submission.csv")
    submit(f"runs={runs[1]}", *of(folder))
    whole = read(tmp_path / "submission.csv")
    is_its = pl.col("eeg_id").is_in(rows.filter(spectrogram_id=rows["spectrogram_id"][0])["eeg_id"].to_list())
    want = pl.concat([computed.filter(is_its), whole.filter(~is_its)])
    want = found.select("eeg_id").join(want, on="eeg_id", maintain_order="left")
    np.testing.assert_allclose(found.select(CLASSES), want.select(CLASSES), atol=1e-6)
    assert np.abs(found.select(CLASSES).to_numpy() - whole.select(CLASSES).to_numpy()).max() > 1e-4


def test_rows_without_a_signal_in_their_centre_are_predicted_and_named_once(
    folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    root = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    missing, zeros, beside = sorted(root.glob("test_eegs/*"))[:3]
    both = (missing.stem, zeros.stem)
    for path, begin_s, end_s, value in ((missing, 20, 30, None), (zeros, 19, 31, 0.0), (beside, 0, 20, None)):
        table = pl.read_parquet(path).with_row_index("row")
        inside = pl.col("row").is_between(200 * begin_s, 200 * end_s, closed="left")
        table.with_columns(
            pl.when(inside).then(pl.lit(value, pl.Float32)).otherwise(pl.col(name)).alias(name) for name in SCALP
        ).drop("row").write_parquet(path)
    said = submit(f"runs={runs[0]}", *of(root))
    silent = [eeg_id for eeg_id in map(str, pl.read_csv(root / "test.csv")["eeg_id"]) if eeg_id in both]
    why = "SD below 0.4 µV in 0.5-30 Hz: unplugged, or electrocerebral inactivity; do not rely on their predictions"
    assert said.count("no signal in the central") == 1
    named = ", ".join(silent)
    assert f"no signal in the central 10 s of 2 of 4 rows (eeg_id {named}): {why}\n" in said
    found = read(tmp_path / "submission.csv")
    assert len(found) == 4
    assert found.null_count().sum_horizontal().item() == 0
    assert "no signal" not in submit(f"runs={runs[0]}", *of(folder))


def test_a_bad_spectrogram_does_not_matter_if_no_model_reads_it(
    folder: Path, runs: list[Path], submit: Submit, tmp_path
):
    root = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    for path in root.glob("test_spectrograms/*"):
        path.write_text("no parquet")
    submit(f"runs={runs[0]}", *of(root))
    assert "bad files; on_bad=skip" in submit(f"runs={runs[1]}", *of(root), code=1)


def test_a_diverged_model_is_named(folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    run = Path(shutil.copytree(runs[0], tmp_path / "nan-3c"))
    held = torch.load(run / "fold1_seed0" / "model.ckpt", weights_only=True)
    held["weights"] = {name: weight * torch.nan for name, weight in held["weights"].items()}
    torch.save(held, run / "fold1_seed0" / "model.ckpt")
    assert f"{run / 'fold1_seed0' / 'model.ckpt'}: has weights that are not finite; its training diverged" in submit(
        f"runs={run}", *of(folder), code=1
    )


# Mistakes of the command line and of the tables


def test_a_mistake_in_the_command_line_is_reported(folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    run = f"runs={runs[0]}"
    an_ensemble(tmp_path, ["theirs.csv", str(runs[0])], [0.5, 0.5])
    no_member = "want a run folder for each member with weight, got 'theirs.csv' (a file of predictions, which cannot"
    no_test = "no such file; a corpus is a folder with test.csv, test_eegs/ ..."
    for words, message in (
        ([], "runs, ensemble: want one of the two, got neither"),
        ([run, "ensemble=x"], "runs, ensemble: want one of the two, got both"),
        (["runs=[]"], "runs: want at least one, got none"),
        (["runs=runs/nowhere*"], "runs/nowhere*: no such folder; a run is a folder such as runs/<name>-<hash>"),
        (
            [f"runs={tmp_path}"],
            f"runs: want runs, got '{tmp_path}', an ensemble, which submit, predict, evaluate and report take",
        ),
        (["ensemble=nowhere"], "nowhere/ensemble.json: no such file; hms.ensemble writes it"),
        ([f"ensemble={tmp_path}"], f"{tmp_path / 'ensemble.json'}: {no_member}"),
        ([run, "batch_size=0"], "batch_size: want 1 or more (below 2^32), got 0"),
        ([run, "precision=16"], "precision: want '32-true', '16-mixed' or 'bf16-mixed', got 16"),
        ([run, "accelerator=tpu"], "accelerator: want cpu or auto"),
        ([run, f"data.root={tmp_path / 'x'}"], f"data.root: want a folder with train.csv, got '{tmp_path / 'x'}'"),
        ([run, f"data.root={tmp_path}"], f"{tmp_path / 'test.csv'}: {no_test}"),
        ([run, "on_bad=ignore"], "on_bad: want 'raise' or 'skip', got 'ignore'"),
    ):
        said = submit(*of(folder), *words, code=1)
        assert message in said, said
    assert not (tmp_path / "submission.csv").exists()


TEST_MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "twice": (
        lambda t: pl.concat([t, t[:1]]),
        r"test\.csv: line \d, column 'eeg_id': want each id once, got \d+ again",
    ),
    "columns": (lambda t: t.drop("patient_id"), r"test\.csv: lacks column 'patient_id'"),
    "order": (lambda t: t.select(sorted(t.columns)), r"test\.csv: column 1: want 'spectrogram_id', got 'eeg_id'"),
    "empty": (lambda t: t.clear(), r"test\.csv: want at least one row, got none"),
    "text": (lambda t: t.with_columns(eeg_id=pl.lit("a")), r"test\.csv: line 2, column 'eeg_id': want a whole number"),
    "fewer": (lambda t: t[1:], r"test\.csv: lacks eeg_id \d+ of .*sample_submission\.csv"),
    "others": (
        lambda t: pl.concat([t, t[:2].with_columns(pl.col("eeg_id") + 1)]),
        r"test\.csv: has eeg_id \d+ and 1 more, which .*sample_submission\.csv lacks",
    ),
}


@pytest.mark.parametrize("mistake", TEST_MISTAKES)
def test_a_mistake_in_test_csv_is_named(mistake: str, folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    root = Path(shutil.copytree(folder, tmp_path / "copy", symlinks=True))
    spoil, message = TEST_MISTAKES[mistake]
    spoil(pl.read_csv(root / "test.csv")).write_csv(root / "test.csv")
    assert re.search(message, submit(f"runs={runs[0]}", *of(root), code=1))


def test_a_folder_without_test_eegs_is_reported(folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    root = Path(shutil.copytree(folder, tmp_path / "copy", symlinks=True, ignore=shutil.ignore_patterns("test_eegs")))
    wish = "no such folder; it holds <eeg_id>.parquet for every EEG of test.csv"
    assert f"{root / 'test_eegs'}: {wish}" in submit(f"runs={runs[0]}", *of(root), code=1)


def test_without_a_sample_the_order_is_that_of_test_csv(folder: Path, runs: list[Path], submit: Submit, tmp_path: Path):
    root = Path(shutil.copytree(folder, tmp_path / "copy", symlinks=True))
    (root / "sample_submission.csv").unlink()
    submit(f"runs={runs[0]}", *of(root))
    assert (read(tmp_path / "submission.csv")["eeg_id"] == pl.read_csv(root / "test.csv")["eeg_id"]).all()


def at(table: pl.DataFrame, column: str, row: int, value: object) -> pl.DataFrame:
    values = table[column].to_list()
    values[row] = value
    return table.with_columns(pl.Series(column, values, strict=False))


SUBMISSION_MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "lacking column": (lambda t: t.drop("lpd_vote"), "lacks column 'lpd_vote'"),
    "order of columns": (
        lambda t: t.select("eeg_id", *sorted(VOTE_COLUMNS)),
        r"column 2: want 'seizure_vote', got 'gpd_vote' \(the order is fixed\)",
    ),
    "NaN": (lambda t: at(t, "gpd_vote", 1, float("nan")), "line 3, column 'gpd_vote': want a number, got 'NaN'"),
    "nothing": (lambda t: at(t, "gpd_vote", 1, None), "line 3, column 'gpd_vote': want a number, got nothing"),
    "range": (
        lambda t: t.with_columns(seizure_vote=-0.1, other_vote=t["other_vote"] + t["seizure_vote"] + 0.1),
        r"line 2, column 'seizure_vote': want 0 to 1, got -0\.1 \(and 3 more rows\)",
    ),
    "sum": (
        lambda t: at(t, "grda_vote", 2, 0.5),
        r"line 4, column 'seizure_vote \.\.\. other_vote': want a sum of 1, got 1\.33333",
    ),
    "twice": (
        lambda t: at(t, "eeg_id", 1, t["eeg_id"][0]),
        r"line 2, column 'eeg_id': want each id once, got \d+ again",
    ),
    "lacking": (lambda t: t[1:], r"lacks eeg_id \d+ of .*sample_submission\.csv"),
    "foreign": (
        lambda t: pl.concat([t, t[:1].with_columns(eeg_id=pl.lit(7, pl.Int64))]),
        r"has eeg_id 7, which .*sample_submission\.csv lacks",
    ),
    "order": (
        lambda t: t.reverse(),
        r"line 2, column 'eeg_id': want \d+, got \d+ \(the order of .*sample_submission\.csv\)",
    ),
}


@pytest.mark.parametrize("mistake", SUBMISSION_MISTAKES)
def test_a_mistake_in_a_submission_is_named(mistake: str, folder: Path, tmp_path: Path):
    spoil, message = SUBMISSION_MISTAKES[mistake]
    path = tmp_path / "mine.csv"
    shutil.copy(folder / "sample_submission.csv", path)
    want_submission(path, folder)
    spoil(pl.read_csv(path)).write_csv(path)
    with pytest.raises(DataError, match=rf"mine\.csv: {message}"):
        want_submission(path, folder)


def test_a_sample_of_six_digits_is_read_as_the_competition_reads_it(folder: Path, tmp_path: Path):
    root = Path(shutil.copytree(folder, tmp_path / "copy", symlinks=True))
    sample = root / "sample_submission.csv"
    pl.read_csv(sample).with_columns(pl.col(VOTE_COLUMNS).round(6)).write_csv(sample)  # sums to 1.000002
    want_submission(sample, root)


def test_a_submission_that_fails_the_check_is_never_written(folder: Path, tmp_path: Path):
    table = read(folder / "sample_submission.csv")
    with pytest.raises(DataError, match="want a sum of 1"):
        write_submission(tmp_path / "deep" / "submission.csv", folder, table.with_columns(lpd=pl.lit(0.5)))
    assert list((tmp_path / "deep").iterdir()) == []


# Without a network


OFFLINE = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("the network was asked for something")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import hms.submit
hms.submit.main()
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_predicting_needs_no_network_and_imports_nothing_used_only_in_training(
    folder: Path, runs: list[Path], tmp_path: Path
):
    words = [f"runs={runs[1]}", f"out={tmp_path / 'submission.csv'}", *of(folder)]
    done = subprocess.run(python("-c", OFFLINE, *words), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'submission.csv'}: 4 rows, by 1 model of 1 run\n"
    imported = done.stderr.split()
    assert {"torch", "nnAudio", "hms"} <= {*imported}
    assert not {"wandb", "lightning", "huggingface_hub"} & {*imported}


# A notebook of Kaggle's


@pytest.fixture(scope="module")
def kaggle_folder() -> ModuleType:
    """The script that builds the folder."""
    spec = importlib.util.spec_from_file_location("kaggle_folder", ROOT / "scripts" / "kaggle_folder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_runs_in_the_folder_predict_the_same_to_the_bit_and_in_half_precision_nearly(
    kaggle_folder: ModuleType, folder: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    submit(*map(str, runs), *of(folder))
    as_trained, exact = read(tmp_path / "submission.csv"), (tmp_path / "submission.csv").read_bytes()
    for half in (False, True):
        into = tmp_path / f"half_{half}"
        into.mkdir()
        kaggle_folder.copy_runs(find_predictors([str(run) for run in runs]), into, half)
        submit(f"ensemble={into}", *of(folder))
        assert ((tmp_path / "submission.csv").read_bytes() == exact) != half
        np.testing.assert_allclose(read(tmp_path / "submission.csv"), as_trained, atol=0.01)
    sizes = [sum(path.stat().st_size for path in tmp_path.glob(f"half_{half}/runs/*/*/*")) for half in (True, False)]
    assert sizes[0] < 0.6 * sizes[1]


def test_the_wheel_is_built_into_a_folder_named_from_where_the_script_runs(
    kaggle_folder: ModuleType, tmp_path: Path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    kaggle_folder.build_wheel(Path("out/wheels"))
    assert capfd.readouterr() == ("", "")
    (wheel,) = (tmp_path / "out" / "wheels").iterdir()
    assert wheel.name.startswith("hms-")


def test_why_a_wheel_cannot_be_built_is_said(kaggle_folder: ModuleType, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(kaggle_folder, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 3\n")
    with pytest.raises(UserError, match=r"its wheel cannot be built:\n(.|\n)*ValueError: Field `project.version`"):
        kaggle_folder.build_wheel(tmp_path / "out")


def test_weights_beyond_the_range_of_half_precision_stay_as_they_are(kaggle_folder: ModuleType):
    small, large, count = torch.tensor([0.1, 60_000.0]), torch.tensor([0.1, 70_000.0]), torch.tensor(3)
    assert kaggle_folder.halved(small).dtype == torch.float16
    assert kaggle_folder.halved(large) is large
    assert kaggle_folder.halved(count) is count


def test_two_runs_of_one_name_are_refused(kaggle_folder: ModuleType, runs: list[Path], tmp_path: Path):
    again = shutil.copytree(runs[0], tmp_path / runs[0].name)
    with pytest.raises(UserError, match=r"runs: want folders with different names, got one-1a more than once"):
        kaggle_folder.copy_runs(find_predictors([str(runs[0]), str(again)]), tmp_path / "out", False)


def test_a_folder_with_unrelated_files_is_refused(kaggle_folder: ModuleType, tmp_path: Path):
    kaggle_folder.want_free(tmp_path / "new")
    kaggle_folder.want_free(tmp_path)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=rf"--out: want a new folder, or one built by this script, got '{tmp_path}'"):
        kaggle_folder.want_free(tmp_path)
    (tmp_path / "kaggle_notebook.py").touch()
    kaggle_folder.want_free(tmp_path)


def test_the_packages_in_the_folder_are_locked(kaggle_folder: ModuleType):
    locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {*kaggle_folder.PACKAGES} <= {*locked}


@pytest.mark.slow
def test_a_notebook_with_the_folder_alone_gives_the_same_submission_to_the_bit(
    kaggle_folder: ModuleType, corpus: Path, runs: list[Path], submit: Submit, tmp_path: Path
):
    """Fetches wheels from the package index, then needs no network, which a sandbox ensures if there is one."""
    submit(*map(str, runs), f"data.root={corpus}", "data.size=tiny", *of(corpus)[2:])
    made = tmp_path / "kaggle"
    build_it = python(str(ROOT / "scripts" / "kaggle_folder.py"), "--runs", *map(str, runs), "--out", str(made))
    subprocess.run(build_it, check=True)
    image = tmp_path / "image"
    image.mkdir()
    ours = {"hms", "hydra", "antlr4", "jaxtyping", "nnAudio", "omegaconf", "timm", "wadler_lindig"}
    only_train = {"wandb", "lightning", "lightning_fabric", "pytorch_lightning"}
    names = {name.replace("-", "_") for name in kaggle_folder.PACKAGES} | {"hms"}
    for path in Path(np.__file__).parents[1].iterdir():
        inside = path.name.partition("-")[0].lower()
        if path.suffix != ".pth" and path.name not in ours | only_train and inside not in names:
            (image / path.name).symlink_to(path)
    subprocess.run(python("-m", "venv", "--without-pip", str(tmp_path / "venv")), check=True)
    (site,) = tmp_path.glob("venv/lib/python*/site-packages")
    (site / "image.pth").write_text(str(image))
    sandbox = ["unshare", "--map-root-user", "--net"] if shutil.which("unshare") else []
    words = [f"data.root={corpus}", "flips=false", "accelerator=cpu"]
    script = [str(tmp_path / "venv/bin/python"), str(made / "kaggle_notebook.py"), *words]
    done = subprocess.run([*sandbox, *script], cwd=tmp_path / "venv", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name.partition("-")[0].lower() for path in made.glob("wheels/*.whl")} == names
    assert [*site.glob("*.dist-info")] == []  # the notebook's own packages are as they were
    assert (tmp_path / "venv" / "submission.csv").read_bytes() == (tmp_path / "submission.csv").read_bytes()
