"""Training that begins with the weights of an earlier one: which, whether it may, and what remains known of them."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from commands import hms
from material import config as whole
from trainings import composed, interrupted_and_straight, same_weights
from untrained_runs import a_run, a_scored_run, as_student

from hms.data.store import Store
from hms.errors import UserError
from hms.export.card import card
from hms.run_folders import FoldName
from hms.runs.checkpoint import load_model
from hms.runs.folder import fold_folder
from hms.runs.leakage import rows_maybe_trained_on, without_names, write_learned_from
from hms.runs.provenance import open_fold, warn_of_changes
from hms.runs.start import announce, model_to_train, record, start_of_fold
from hms.runs.trained import Trained, trained
from hms.scoring.scores import score
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")

SMALL = ["experiment=smoke", "extractor=stft_short", "trainer.accelerator=cpu", "flips=false", "folds=2", "epochs=1"]

FROZEN = ["optimizer.lr=0", "schedule.lr_min=0"]
"""Only the statistics of batch norms change."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, corpus: Path, store: Store) -> list[str]:
    runs = tmp_path_factory.mktemp("start") / "runs"
    return [f"data.root={corpus}", "data.size=tiny", f"stores={store.path.parent}", f"runs={runs}"]


@pytest.fixture(scope="module")
def first(places: list[str]) -> Path:
    """A run of two folds."""
    hms("train", "-m", *SMALL, *places, "fold=0,1", "name=first")
    return run_of(places, "first")


def run_of(places: list[str], name: str) -> Path:
    (run,) = Path(places[-1].removeprefix("runs=")).glob(f"{name}-*")
    return run


def same_parameters(one: Path, other: Path) -> bool:
    pairs = zip(load_model(one).parameters(), load_model(other).parameters(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def test_each_fold_starts_from_the_fold_of_its_number(first: Path, places: list[str]):
    again = ["train", "-m", *SMALL, *places, *FROZEN, "fold=0,1", "name=frozen", f"start_from={first}"]
    _, said = hms(*again)
    run = run_of(places, "frozen")
    for number in (0, 1):
        fold = f"fold{number}_seed0"
        assert f"{run / fold} starts\nits weights begin as those of {first / fold}\n" in said
        assert same_weights(run / fold, first / fold), "batch norms are measured by the same windows"
    assert not same_parameters(run / "fold1_seed0", first / "fold0_seed0")
    assert "other settings" not in said, "optimizer and schedule are not the model's"
    assert hms(*again)[1].count("is already trained: nothing to do") == 2
    printed, _ = hms("compare", f"{first.parent}/f*")
    digest = json.loads((run / "fold0_seed0/provenance.json").read_text())["files"]["start_from"]
    assert f"optimizer.lr=0 schedule.lr_min=0 (start_from {first.name}-{digest[:4]})" in printed
    assert "(start_from null)" in printed


def test_a_start_is_compared_with_what_began_with_it_by_its_evaluation(first: Path, places: list[str], tmp_path: Path):
    hms("train", "-m", *SMALL, *places, "fold=0,1", "name=tuned", f"start_from={first}")
    tuned = run_of(places, "tuned")
    words = [word for word in places if not word.startswith("runs=")]
    evaluation = tmp_path / "before"
    hms("evaluate", str(first), *words, "accelerator=cpu", "flips=false", "min_votes=1", f"out={evaluation}")
    printed, said = hms("compare", str(tuned), str(evaluation), f"csv={tmp_path / 'table.csv'}")
    assert "skipped" not in said
    assert "KL, out of fold or of an evaluation, best first" in printed
    held_out = pl.concat(pl.read_parquet(fold / "oof.parquet") for fold in tuned.glob("fold*_seed0"))
    evaluated = pl.read_parquet(evaluation / "predictions.parquet")
    shared = len(held_out.join(evaluated, on="label_id"))
    assert shared == len(held_out) < len(evaluated)
    rows = {row["run"]: row for row in pl.read_csv(tmp_path / "table.csv").to_dicts()}
    assert (rows[str(evaluation)]["rows"], rows[str(evaluation)]["folds"]) == (len(evaluated), None)
    assert rows[str(evaluation)]["rows_maybe_trained_on"] == len(evaluated)
    (worse,) = [row for row in rows.values() if row["difference"] is not None]
    assert worse["shared_rows"] == shared
    kls = [score(table)["kl"] for table in (held_out, evaluated.join(held_out, on="label_id", how="semi"))]
    assert worse["difference"] == pytest.approx(abs(kls[0] - kls[1]))
    known = f"{len(evaluated)} of {len(evaluated)} rows are of patients that they may have been trained on"
    models = f"an evaluation of 2 models ({first / 'fold0_seed0'} and 1 more)"
    assert f"{evaluation}: {models}; {known}, so its KL may look too good.\n" in printed
    assert "Settings that differ" not in printed


def test_weights_that_saw_the_held_out_patients_are_refused(first: Path, places: list[str], tmp_path: Path):
    hms("export.__main__", str(first), f"out={tmp_path / 'bundle'}")
    for start, name in (
        (first / "fold1_seed0", first / "fold1_seed0"),
        (tmp_path / "bundle", tmp_path / "bundle/fold0_seed0.safetensors"),
    ):
        said = hms("train", *SMALL, *places, "name=seen", f"start_from={start}", code=1)[1]
        wish = r"want a run of this corpus with the same folds, one on other patients, or fold=all\n"
        assert re.fullmatch(
            rf"start_from: {name} may have learned from patients of (\d+) of the \1 rows that fold=0 holds out; {wish}",
            said,
        )
    assert not list(first.parent.glob("seen-*"))


def test_no_patient_is_held_out_by_fold_all(first: Path, places: list[str]):
    words = ["train", *SMALL, *places, "name=all", "fold=all"]
    names = "fold0_seed0, fold1_seed0"
    wish = f"start_from: want one fold for fold=all, such as {first / 'fold0_seed0'}, got {first}, which has {names}\n"
    assert hms(*words, f"start_from={first}", code=1)[1] == wish
    assert "learned from every patient" in hms(*words, f"start_from={first / 'fold0_seed0'}")[1]


def test_the_patients_of_fold_all_are_recognised_in_another_corpus(first: Path, corpus: Path, tmp_path: Path):
    runs = f"runs={tmp_path / 'runs'}"
    subset = ["train", *SMALL, "trainer.limit_train_batches=1", runs, f"stores={tmp_path / 'stores'}"]
    where = ["data=competition", f"data.root={tmp_path / 'part'}"]
    rows = pl.read_csv(corpus / "train.csv")
    (tmp_path / "part").mkdir()
    for part in ("train_eegs", "train_spectrograms"):
        (tmp_path / "part" / part).symlink_to(corpus / part)
    rows[1:].write_csv(tmp_path / "part/train.csv")
    hms(*subset, f"data.root={corpus}", "data.size=tiny", "name=all", "fold=all")
    start = run_of([runs], "all") / "foldall_seed0"
    said = hms(*subset, *where, f"start_from={start}", code=1)[1]
    refusal = f"start_from: {start} may have learned from patients of "
    assert refusal in said
    hms("export.__main__", str(start), f"out={tmp_path / 'bundle'}")
    assert not list((tmp_path / "bundle").glob("*.parquet")), "which patients it were is not handed over"
    learned = pl.read_parquet(start / "learned_from.parquet")["patient_id"]
    words = [*where, f"stores={tmp_path / 'stores'}", "flips=false", "draws=100", "accelerator=cpu"]
    for one, known in ((start, rows[1:]["patient_id"].is_in(learned.implode()).sum()), (tmp_path / "bundle", 0)):
        hms("evaluate", f"runs={one}", f"out={tmp_path / 'out'}", *words)
        assert json.loads((tmp_path / "out/evaluation.json").read_text())["rows_maybe_trained_on"] == known
    assert known == 0 < len(learned)


def test_weights_of_which_it_is_not_known_whom_they_saw_are_refused(first: Path, places: list[str], tmp_path: Path):
    copy = Path(shutil.copytree(first, tmp_path / first.name))
    (copy / "fold1_seed0/learned_from.parquet").unlink()
    lacks = f"{copy / 'fold1_seed0'} lacks learned_from.parquet, so that whom it learned from is not known"
    said = hms("train", *SMALL, *places, "fold=1", f"start_from={copy}", code=1)[1]
    assert f"start_from: want weights of which that is known, or fold=all, but {lacks}\n" in said
    (copy / "fold1_seed0/learned_from.parquet").write_text("junk")
    said = hms("train", *SMALL, *places, "fold=1", f"start_from={copy}", code=1)[1]
    assert f"{copy / 'fold1_seed0/learned_from.parquet'}: not a valid parquet file" in said


def test_another_network_is_refused_by_the_settings_that_differ(first: Path, places: list[str]):
    said = hms("train", *SMALL, *places, f"start_from={first}", "backbone.image.channels=[4,8]", code=1)[1]
    wish = f"start_from: want settings of the same network as {first / 'fold0_seed0'}"
    assert said == f"{wish}, got extractor.stft_short.backbone.channels=[4,8] (there [16,32,64,128])\n"


@pytest.mark.parametrize("fusion", ["concat", "attention"])  # the second takes the montage, too, which is told once
def test_other_settings_that_fit_the_weights_are_told(fusion: str, tmp_path: Path, capsys):
    run = a_run(tmp_path / "plain-1a", 1, f"fusion={fusion}")
    start = ["extractor.stft.span_s=3", f"start_from={run}", f"fusion={fusion}"]
    same = whole(*start)
    announce(start_of_fold(same), same)
    assert capsys.readouterr().err == f"its weights begin as those of {run / 'fold0_seed0'}\n"
    words = ["montage.order=mirrored", "preprocess.clip_uv=99", "backbone.grad_checkpointing=true"]
    other = whole(*start, *words)
    model_to_train(other)
    announce(start_of_fold(other), other)
    assert (
        "\nstart_from: these were trained with other settings: montage.order=mirrored (there listed), "
        "preprocess.clip_uv=99 (there 1024)\n" in capsys.readouterr().err
    )


def test_what_holds_no_weights_is_refused_before_anything_starts(first: Path, tmp_path: Path, places: list[str]):
    for start, got in ((tmp_path, ""), (tmp_path / "gone", " (no such file)")):
        said = hms("train", *SMALL, *places, f"start_from={start}", "seed=-1", code=1)[1]
        wish = "start_from: want a run, a finished fold of one, a bundle or the weights in one"
        assert said.startswith("2 problem(s) in the config:\n")
        assert f"  {wish}, got '{start}'{got}\n" in said


def test_weights_count_by_their_content_and_only_if_there_are_any(first: Path, corpus: Path, tmp_path: Path, capsys):
    config = composed(corpus, tmp_path, "name=second")
    before_there_was_such_a_key = {key: value for key, value in config.items() if key != "start_from"}
    assert fold_folder(before_there_was_such_a_key, "corpus") == fold_folder(config, "corpus")
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    started = config | {"start_from": str(copy)}
    before = fold_folder(started, "corpus")
    assert before == fold_folder(config | {"start_from": str(first)}, "corpus") != fold_folder(config, "corpus")
    one = fold_folder(config | {"start_from": str(copy / "fold0_seed0")}, "corpus")
    assert len({one, before, fold_folder(config, "corpus")}) == 3
    open_fold(before, started, "corpus")
    shutil.copy(copy / "fold0_seed0/model.ckpt", copy / "fold1_seed0")
    for changed, told in ((started, True), (config | {"start_from": str(copy / "fold0_seed0")}, False)):
        after = fold_folder(changed, "corpus")
        warn_of_changes(after, changed, "corpus")
        said = f"{before} was trained before the start_from changed; {after} is a new run\n"
        assert capsys.readouterr().err == said * told


def test_pretrained_weights_are_not_wanted_where_others_replace_them(corpus: Path, tmp_path: Path):
    words = ["extractor=stft_x3d_short", "extractor.stft_x3d_short.depth_factor=0.2"]
    run = a_run(tmp_path / "x3d-1a", 1, *words, "extractor.stft_x3d_short.pretrained=false")
    given = {**whole(*words, "extractor.stft_x3d_short.weights=nowhere", f"start_from={run}")}
    model = model_to_train(given)
    trained_ones = load_model(run / "fold0_seed0").state_dict()
    assert all(torch.equal(weight, trained_ones[name]) for name, weight in model.state_dict().items())
    fold_folder(given, "corpus")
    with pytest.raises(UserError, match="want a file, got 'nowhere'"):
        fold_folder(given | {"start_from": None}, "corpus")


def test_a_training_in_two_stages_goes_on_from_its_own_weights_after_an_interruption(
    first: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    stages = ["pretrain=low_votes", "pretrain.epochs=1", "folds=2", "epochs=2", f"start_from={first}"]
    config = composed(corpus, tmp_path, *stages)
    straight, resumed = interrupted_and_straight(config, tmp_path, monkeypatch, at=[3])
    assert capsys.readouterr().err.count("its weights begin as those of") == 2, "no more when it resumes"
    assert same_weights(straight, resumed)
    frozen = composed(corpus, tmp_path, *stages, *FROZEN, "pretrain.optimizer.lr=0")
    frozen["runs"] = str(tmp_path / "frozen")
    fit(frozen)
    (run,) = (tmp_path / "frozen").glob("*/fold0_seed0")
    assert same_parameters(run, first / "fold0_seed0")


def folds_of(run: Path, *names: FoldName, folds: int = 3) -> Path:
    for fold in map(str, names):
        (run / fold).mkdir(parents=True)
        (run / fold / "scores.json").touch()
        (run / fold / "config.yaml").write_text(yaml.safe_dump({"folds": folds, "live": {}}))
    return run


@pytest.mark.parametrize(
    ("there", "fold", "seed", "chosen"),
    [
        ([FoldName(0, 0)], 3, 7, FoldName(0, 0)),
        ([FoldName(0, 0)], "all", 0, FoldName(0, 0)),
        ([FoldName(0, 1), FoldName(0, 2)], 3, 2, FoldName(0, 2)),
        ([FoldName(0, 10), FoldName(0, 2)], 3, 7, FoldName(0, 2)),
        ([FoldName("all", 0), FoldName("all", 1)], 2, 1, FoldName("all", 1)),
        ([FoldName(0, 0), FoldName(1, 0), FoldName("all", 0)], 1, 7, FoldName(1, 0)),
        ([FoldName(fold, seed) for fold in (0, 1) for seed in (0, 1)], 1, 1, FoldName(1, 1)),
    ],
)
def test_a_fold_starts_from_that_of_its_number_and_seed_or_from_the_only_one(
    there: list[FoldName], fold: int | str, seed: int, chosen: FoldName, tmp_path: Path
):
    run = folds_of(tmp_path / "a", *there, folds=len({name.fold for name in there} - {"all"}))
    start = start_of_fold({"start_from": str(run), "fold": fold, "seed": seed})
    assert start == Trained(run / str(chosen), [run / str(chosen)])


@pytest.mark.parametrize(("there", "missing"), [((0, 1), "fold2_seed0"), ((0,), "fold1_seed0, fold2_seed0")])
def test_a_run_that_still_lacks_folds_is_refused(there: tuple[int, ...], missing: str, tmp_path: Path):
    run = folds_of(tmp_path / "a", *(FoldName(number, 0) for number in there))
    wish = (
        f"start_from: want a fold, such as {run / f'fold{there[0]}_seed0'}, or runs with all of their 3 folds finished"
    )
    with pytest.raises(UserError, match=f"^{wish}, got {run}, which lacks {missing}$"):
        start_of_fold({"start_from": str(run), "fold": 0, "seed": 0})


def test_a_file_in_a_bundle_is_a_start(first: Path, tmp_path: Path):
    hms("export.__main__", str(first), f"out={tmp_path / 'bundle'}")
    file = tmp_path / "bundle/fold1_seed0.safetensors"
    start = start_of_fold({"start_from": str(file), "fold": 0, "seed": 0})
    assert start == Trained(tmp_path / "bundle", [file])
    assert start.is_bundle
    assert start.corpora == trained(first).corpora


def started_from(fold: Path, **about: object) -> None:
    """Make a fold one that began with trained weights, of which it knows this."""
    held = yaml.safe_load((fold / "config.yaml").read_text())
    (fold / "config.yaml").write_text(yaml.safe_dump(held | {"start_from": "runs/other-1a"}))
    origin = json.loads((fold / "provenance.json").read_text())
    start = {"run": "other-1a/fold0_seed0", "corpora": [], "simulated": True, "student": False} | about
    (fold / "provenance.json").write_text(json.dumps(origin | {"start": start}))


def test_what_the_first_weights_were_learned_from_is_handed_on(tmp_path: Path, store: Store):
    run = a_scored_run(tmp_path / "second-1a", 1)
    fold, rows = run / "fold0_seed0", store.rows
    write_learned_from(fold, [rows[:0]], rows, "0123456789abcdef", None, is_student=False)
    assert rows_maybe_trained_on([trained(run)], rows, rows, "earlier") == 0
    assert "began with" not in card(trained(run), False)
    assert not trained(run).began_with_simulation
    started_from(fold, corpora=["earlier", "earliest"])
    assert trained(run).corpora == {"0123456789abcdef", "earlier", "earliest"}
    assert rows_maybe_trained_on([trained(run)], rows, rows, "earlier") == len(rows)
    hms("export.__main__", str(run), f"out={tmp_path / 'bundle'}")
    nameless = "a bundle, which names no patients: if it learned from some of these, this KL looks too good"
    for path, what in ((run, "began with the weights of"), (tmp_path / "bundle", "is")):
        assert without_names(trained(path), "other") == [f"{path} {what} {nameless}"]
        assert without_names(trained(path), "earlier") == [], "all rows count"
    assert trained(tmp_path / "bundle").corpora == trained(run).corpora
    assert trained(tmp_path / "bundle").began_with_simulation
    assert record(trained(run), "other")["simulated"], "what goes on from it began with simulated EEG, too"
    learned = "had learned from `earlier`, `earliest` (simulated EEG) |\n"
    assert f"| began with | the weights of other-1a, which {learned}" in (tmp_path / "bundle/README.md").read_text()
    started_from(fold)
    assert "which had learned from windows made on demand (simulated EEG) |\n" in card(trained(run), False)
    held = yaml.safe_load((fold / "config.yaml").read_text())
    (fold / "config.yaml").write_text(yaml.safe_dump(held | {"live": {"simulated": {}}}))
    started_from(fold, corpora=["earlier"])
    assert rows_maybe_trained_on([trained(run)], rows, rows, "earlier") == len(rows), (
        "even if it then learned from none"
    )
    assert rows_maybe_trained_on([trained(run)], rows, rows, "other") == 0


def test_a_students_weights_are_a_start_that_keeps_its_warning(first: Path, places: list[str], tmp_path: Path):
    student = Path(shutil.copytree(first, tmp_path / "student-1a"))
    for fold in student.iterdir():
        as_student(fold, json.loads((fold / "provenance.json").read_text())["corpus"])
    hms("train", *SMALL, *places, "name=taught", f"start_from={student}")
    run = run_of(places, "taught")
    assert trained(run).is_student
    assert f"{run}: learned from a teacher that saw the held-out patients" in hms("compare", str(run))[0]
    started_from(a_scored_run(tmp_path / "other-1a", 1) / "fold0_seed0", student=False)
    assert not trained(tmp_path / "other-1a").is_student
