"""Members are aligned or refused; what the command writes can be read; real predictions reach known scores."""

import json
import re
import shutil
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import real
from scipy.special import softmax

from hms.data.tables import LABEL_COLUMNS
from hms.ensemble.__main__ import main
from hms.ensemble.fitted import fit_ensemble
from hms.ensemble.members import Members, read_members
from hms.ensemble.mixture import read_ensemble
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs.folder import folds_with_held_out
from hms.runs.trained import Trained
from hms.scoring.metric import kl_divergence, prior_kl, uniform_kl
from hms.scoring.scores import score

ROWS, PATIENTS = 240, 40
KEYS = ["eeg_id", "eeg_sub_id"]


@pytest.fixture(scope="module")
def train() -> pl.DataFrame:
    """A train.csv; `predicted` draws the same true logits from the same seed."""
    draw = np.random.default_rng(0)
    votes = draw.multinomial(12, softmax(2 * draw.normal(size=(ROWS, 6)), axis=1))
    row = np.arange(ROWS)
    columns = dict.fromkeys(LABEL_COLUMNS, np.zeros(ROWS)) | dict(zip(VOTE_COLUMNS, votes.T, strict=True))
    columns |= {"eeg_id": 500 + row // 2, "eeg_sub_id": row % 2, "label_id": 9000 - row, "patient_id": row // 6}
    columns["expert_consensus"] = np.full(ROWS, "Other")
    return pl.DataFrame(columns).cast(LABEL_COLUMNS)


def predicted(train: pl.DataFrame, noise: float, seed: int) -> pl.DataFrame:
    """A member's table of predictions: the true logits with noise, in two folds."""
    logits = 2 * np.random.default_rng(0).normal(size=(ROWS, 6))
    probabilities = softmax(logits + noise * np.random.default_rng(seed).normal(size=(ROWS, 6)), axis=1)
    fold = (pl.col("patient_id") % 2).alias("fold")
    about = train.select("label_id", "eeg_id", "patient_id", fold, *VOTE_COLUMNS)
    return about.with_columns(pl.Series(name, probabilities[:, i]) for i, name in enumerate(CLASSES))


def run(folder: Path, table: pl.DataFrame, seed: int = 0) -> Path:
    """A finished run with these out-of-fold predictions, its rows shuffled differently from those of other runs."""
    for fold, (_, part) in enumerate(table.group_by("fold", maintain_order=True)):
        (folder / f"fold{fold}_seed{seed}").mkdir(parents=True)
        part.sample(fraction=1, shuffle=True, seed=len(folder.name)).write_parquet(
            folder / f"fold{fold}_seed{seed}/oof.parquet"
        )
        (folder / f"fold{fold}_seed{seed}/scores.json").write_text("{}")
    return folder


def csv(path: Path, train: pl.DataFrame, table: pl.DataFrame, suffix: str = "_vote_prediction") -> Path:
    """The same predictions in the layout of a public notebook, with votes as shares."""
    whole = table.drop("fold").join(train.select("label_id", "eeg_sub_id"), on="label_id")
    shares = [pl.col(name) / pl.sum_horizontal(VOTE_COLUMNS) for name in VOTE_COLUMNS]
    whole.select(*KEYS, *shares, *(pl.col(name).alias(f"{name}{suffix}") for name in CLASSES)).reverse().write_csv(path)
    return path


def members_of(runs: list[Path], files: list[Path], labels: Path | None, min_votes: int) -> Members:
    return read_members([Trained(run, folds_with_held_out(run)) for run in runs], files, labels, min_votes)


@pytest.fixture
def runs(train: pl.DataFrame, tmp_path: Path) -> list[Path]:
    tables = [predicted(train, noise, seed) for seed, noise in enumerate((0.6, 0.8, 1.6), start=1)]
    return [run(tmp_path / f"runs/{name}", table) for name, table in zip(("a-1", "bb-2", "ccc-3"), tables, strict=True)]


@pytest.fixture
def labels(train: pl.DataFrame, tmp_path: Path) -> Path:
    train.write_csv(tmp_path / "train.csv")
    return tmp_path / "train.csv"


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["hms.ensemble", *words])
    main()


def test_the_rows_of_all_members_get_the_same_order(runs: list[Path], train: pl.DataFrame):
    members = members_of(runs, [], None, 1)
    table = predicted(train, 0.8, 2).sort("label_id")
    assert members.names == [str(path) for path in runs]
    assert members.rows.equals(table.select(members.rows.columns))
    np.testing.assert_allclose(members.probabilities[1], table.select(CLASSES).to_numpy())


def test_the_seeds_of_a_run_are_averaged(train: pl.DataFrame, tmp_path: Path):
    tables = [predicted(train, 1.0, seed) for seed in (1, 2)]
    for seed, table in enumerate(tables):
        run(tmp_path / "a", table, seed)
    mean = sum(table.sort("label_id").select(CLASSES).to_numpy() for table in tables) / 2
    np.testing.assert_allclose(members_of([tmp_path / "a"], [], None, 1).probabilities[0], mean)


def test_a_run_is_read_from_the_folds_it_is_given_with_even_if_more_end_meanwhile(train: pl.DataFrame, tmp_path: Path):
    member = run(tmp_path / "a", predicted(train, 1.0, 1))
    runs = [Trained(member, folds_with_held_out(member))]
    run(member, predicted(train, 1.0, 2), seed=1)
    members = read_members(runs, [], None, 1)
    assert members.seeds == [1]
    wanted = predicted(train, 1.0, 1).sort("label_id").select(CLASSES).to_numpy()
    np.testing.assert_allclose(members.probabilities[0], wanted)


@pytest.mark.parametrize("suffix", ["_vote_prediction", "_prediction"])
def test_files_and_a_run_with_the_same_predictions_agree(suffix: str, runs, train, labels, tmp_path: Path):
    file = csv(tmp_path / "other.csv", train, predicted(train, 0.6, 1), suffix)
    pl.read_csv(file).write_parquet(tmp_path / "other.parquet")
    members = members_of(runs[:1], [file, tmp_path / "other.parquet"], labels, 12)
    np.testing.assert_allclose(members.probabilities[1], members.probabilities[0], atol=1e-9)
    np.testing.assert_array_equal(members.probabilities[1], members.probabilities[2])


def test_of_members_with_different_rows_the_one_with_unfinished_folds_is_blamed(runs, train, labels, tmp_path: Path):
    shutil.rmtree(runs[0] / "fold1_seed0")
    there = len(pl.read_parquet(runs[0] / "fold0_seed0/oof.parquet"))
    file = csv(tmp_path / "other.csv", train, predicted(train, 0.6, 1))
    for others, files, whole in ((runs[1:], [], runs[1]), ([], [file], file)):
        said = rf"^{runs[0]}: want the 240 rows of {whole}, got {there}: lacks {240 - there} \("
        with pytest.raises(DataError, match=said):
            members_of([runs[0], *others], files, labels, 1)


def test_an_ensemble_with_a_file_of_predictions_says_that_it_cannot_predict(
    runs, train, labels, tmp_path: Path, monkeypatch, capsys
):
    file, table = csv(tmp_path / "other.csv", train, predicted(train, 0.1, 7)), predicted(train, 0.1, 1)
    shares = (pl.col(vote) / pl.sum_horizontal(VOTE_COLUMNS) for vote in VOTE_COLUMNS)
    perfect = run(tmp_path / "perfect", table.with_columns(**dict(zip(CLASSES, shares, strict=True))))
    told = f"{file}: a file of predictions cannot predict new data, so neither can this ensemble.\n"
    for member, said in ((runs[0], told), (perfect, "")):
        words = [str(member), f"oof=[{file}]", f"labels={labels}", f"out={tmp_path / 'out'}", "draws=100"]
        command(monkeypatch, *words, "mixing=greedy")
        printed = capsys.readouterr().out
        assert said in printed
        weight = json.loads((tmp_path / "out/ensemble.json").read_text())["weights"][1]
        assert (weight > 0) == bool(said) == ("cannot predict" in printed)


def test_rows_with_few_votes_are_left_out(train: pl.DataFrame, tmp_path: Path):
    some = predicted(train, 1, 1).with_columns(other_vote=pl.col("other_vote") + pl.int_range(ROWS) % 2)
    assert len(members_of([run(tmp_path / "a", some)], [], None, 13).rows) == ROWS // 2


CHANGES = {
    "rows": (lambda t: t[2:], "want the 240 rows of {a}, got 238: lacks 2 (first label_id 8999)"),
    "other rows": (
        lambda t: t.with_columns(label_id=pl.col("label_id") + 1),
        "want the 240 rows of {a}, got 240: lacks 1 (first label_id 8761), adds 1 (first label_id 9001)",
    ),
    "patient": (
        lambda t: t.with_columns(patient_id=pl.col("patient_id") + 2),
        "label_id 8761: want the patient of {a}, 39, got 41",
    ),
    "votes": (
        lambda t: t.with_columns(lpd_vote=t["label_id"].eq(8777).cast(pl.Int64) + t["lpd_vote"]),
        "label_id 8777: want the votes of {a}, ",
    ),
    "probabilities": (
        lambda t: t.with_columns(lpd=pl.col("lpd") + t["label_id"].eq(8777).cast(pl.Float64)),
        "label_id 8777: want six probabilities that sum to 1, got ",
    ),
    "NaN": (lambda t: t.with_columns(lpd=pl.lit(float("nan"))), "want six probabilities that sum to 1, got "),
}


@pytest.mark.parametrize("case", CHANGES)
def test_members_that_do_not_match_are_refused_with_one_line(case: str, runs, train, tmp_path: Path):
    change, message = CHANGES[case]
    other = run(tmp_path / "other", change(predicted(train, 0.8, 2)))
    with pytest.raises(DataError) as refused:
        members_of([runs[0], other], [], None, 1)
    assert str(refused.value).startswith(str(other))
    assert message.format(a=runs[0]) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_members_may_have_folds_of_their_own(runs, train, tmp_path: Path):
    table = predicted(train, 0.8, 2)
    same, other = run(tmp_path / "same", table), run(tmp_path / "other", table.with_columns(fold=1 - pl.col("fold")))
    members = members_of([runs[0], same, other], [], None, 1)
    np.testing.assert_array_equal(members.probabilities[1], members.probabilities[2])


def test_seeds_that_disagree_are_refused(train: pl.DataFrame, tmp_path: Path):
    table = predicted(train, 1, 1)
    run(tmp_path / "a", table)
    run(tmp_path / "a", table.with_columns(patient_id=pl.col("patient_id") + 2), seed=1)
    with pytest.raises(DataError, match=r"a: label_id \d+: its seeds disagree on patient or votes"):
        members_of([tmp_path / "a"], [], None, 1)


def test_more_votes_than_any_row_has_are_refused(runs: list[Path]):
    with pytest.raises(DataError, match="a-1: no row has 13 votes or more"):
        members_of(runs, [], None, 13)


CSV_CHANGES = {
    "key": (lambda t: t.drop("eeg_sub_id"), "lacks column 'eeg_sub_id'"),
    "prediction": (
        lambda t: t.drop("gpd_vote_prediction"),
        "want a numeric column 'gpd_vote_prediction' or 'gpd_prediction', got eeg_id, eeg_sub_id, ",
    ),
    "text": (
        lambda t: t.with_columns(gpd_vote_prediction=pl.lit("x")),
        "want a numeric column 'gpd_vote_prediction' or 'gpd_prediction', got ",
    ),
    "null": (
        lambda t: t.with_columns(gpd_vote_prediction=pl.when(pl.col("eeg_id") != 617).then("gpd_vote_prediction")),
        "eeg_id 617 eeg_sub_id 1: want a number in 'gpd_vote_prediction', got none",
    ),
    "double": (lambda t: pl.concat([t, t[5:6]]), "want each row once, got eeg_id 617 eeg_sub_id 0 again"),
    "unknown": (lambda t: t.with_columns(pl.col("eeg_id") + 1), "eeg_id 620 eeg_sub_id 1 is not in {labels} (2 of 240"),
    "votes": (
        lambda t: t.with_columns(lpd_vote=pl.col("lpd_vote") + 1),
        "eeg_id 619 eeg_sub_id 1: want the votes of {labels}, got different ones (",
    ),
}


@pytest.mark.parametrize("case", CSV_CHANGES)
def test_a_csv_file_that_does_not_match_is_refused_with_one_line(case: str, train, labels, tmp_path: Path):
    change, message = CSV_CHANGES[case]
    file = csv(tmp_path / "other.csv", train, predicted(train, 0.6, 1))
    change(pl.read_csv(file)).write_csv(file)
    with pytest.raises(DataError) as refused:
        members_of([], [file], labels, 1)
    assert str(refused.value).startswith(f"{file}: {message.format(labels=labels)}")
    assert "\n" not in str(refused.value)


def test_a_missing_or_unreadable_csv_file_is_refused(labels: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        members_of([], [tmp_path / "none.csv"], labels, 1)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=r"empty\.csv: not a CSV file"):
        members_of([], [tmp_path / "empty.csv"], labels, 1)
    with pytest.raises(UserError, match=r"labels: want the train\.csv that the rows of oof"):
        members_of([], [tmp_path / "empty.csv"], None, 1)


def test_the_command_writes_scores_weights_and_a_table_of_predictions(runs, train, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    command(monkeypatch, str(tmp_path / "runs/*"), f"out={out}", "draws=100", "prior.seizure=0.05", "folds=4")
    printed = capsys.readouterr().out
    content = json.loads((out / "ensemble.json").read_text())
    kl = content["kl"]
    assert content["members"] == [str(path) for path in runs]
    assert kl["fitted"] < kl["nested"] < kl["mean"]
    assert content["difference"]["nested"][0] < kl["nested"] - kl["mean"] < content["difference"]["nested"][1]
    assert content["weights"][0] > content["weights"][2]
    assert all(0 < error < 0.3 for error in content["weights_se"])
    assert content["optimality_gap"] < 1e-6
    table = pl.read_parquet(out / "oof.parquet")
    assert table.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
    assert score(table)["kl"] == pytest.approx(kl["nested"])
    assert table.group_by("patient_id").agg(pl.col("fold").n_unique())["fold"].unique().to_list() == [1]
    assert sorted(table["fold"].unique()) == [0, 1, 2, 3]
    members, mixture, _ = read_ensemble(out / "ensemble.json")
    assert members == content["members"]
    mixed = mixture._replace(prior=None)(members_of(runs, [], None, 1).probabilities)
    target = members_of(runs, [], None, 1).target
    assert kl_divergence(target, mixed).mean() == pytest.approx(kl["fitted"])
    effect = content["prior_effect"]
    for text in ("a-1", "plain mean", "mixture, calibrated", "Jensen-Shannon", "Calibration (temperature_bias)"):
        assert text in printed
    assert f"{effect['before']:.4f} before the shift, {effect['after']:.4f} after" in printed
    assert f"KL on all rows as they are: {kl['nested']:.4f} before, {effect['unweighted']:.4f} after" in printed
    assert effect["after"] < effect["before"]
    assert effect["interval"][0] < effect["after"] - effect["before"] < effect["interval"][1]
    assert 0 < effect["effective_patients"] < content["patients"]
    assert 0 < mixture.prior.strength < 1


def test_an_ensemble_of_other_members_is_replaced_which_is_said(runs, tmp_path: Path, monkeypatch, capsys):
    out, (a, b, c) = tmp_path / "out", map(str, runs)
    wrote = f"ensemble {out / 'ensemble.json'}, predictions {out / 'oof.parquet'}\n"
    for words, told in (
        ([a, b], ""),
        ([b, a, "mixing=greedy"], ""),
        ([a], f"{out} held the ensemble of {b}, {a}, which this one replaces\n"),
        ([a, c], f"{out} held the ensemble of {a}, which this one replaces\n"),
    ):
        command(monkeypatch, *words, f"out={out}", "draws=100")
        assert capsys.readouterr().err == told + wrote
    assert read_ensemble(out / "ensemble.json").members == [a, c]
    (out / "ensemble.json").write_text("{}")
    command(monkeypatch, b, f"out={out}", "draws=100")
    assert capsys.readouterr().err == wrote, "nothing can be said of what is no ensemble"


def test_diversity_is_0_between_equal_members_and_log_2_between_opposite_ones(train, tmp_path, monkeypatch, capsys):
    one = predicted(train, 1, 1)
    sure = [one.with_columns(pl.lit(float(name == top)).alias(name) for name in CLASSES) for top in ("lpd", "gpd")]
    for name, table in (("a", one), ("b", one), ("c", sure[0]), ("d", sure[1])):
        run(tmp_path / "runs" / name, table)
    command(monkeypatch, str(tmp_path / "runs/*"), f"out={tmp_path / 'out'}", "draws=100")
    diversity = json.loads((tmp_path / "out/ensemble.json").read_text())["diversity"]
    js, correlation = np.array(diversity["js"]), np.array(diversity["loss_correlation"])
    assert (js[0, 1], js[2, 3]) == (0, pytest.approx(np.log(2), rel=1e-6))
    assert correlation[0, 1] == pytest.approx(1)
    np.testing.assert_allclose([js, correlation], [js.T, correlation.T])


def test_an_ensemble_is_shown_next_to_the_prior_that_it_should_beat(runs, train, tmp_path, monkeypatch, capsys):
    command(monkeypatch, str(runs[0]), f"out={tmp_path / 'out'}", "draws=100")
    target = members_of(runs[:1], [], None, 1).target
    references = {"prior": prior_kl(target), "uniform": uniform_kl(target)}
    kl = json.loads((tmp_path / "out/ensemble.json").read_text())["kl"]
    assert {name: kl[name] for name in references} == pytest.approx(references)
    printed = capsys.readouterr().out
    for name, value in references.items():
        assert re.search(rf"^│ {name} +│ +│ +│ {value:.4f} │", printed, re.MULTILINE)
    assert "no better than the prior" not in printed
    useless = predicted(train, 0.6, 1).with_columns(pl.lit(1 / 6).alias(name) for name in CLASSES)
    command(monkeypatch, str(run(tmp_path / "useless", useless)), f"out={tmp_path / 'out'}", "draws=100")
    assert "The ensemble is no better than the prior, which always predicts" in capsys.readouterr().out


def test_a_narrow_terminal_cuts_neither_names_nor_kl(runs: list[Path], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    command(monkeypatch, *map(str, runs), f"out={tmp_path / 'out'}", "draws=100")
    printed = capsys.readouterr().out
    kl = json.loads((tmp_path / "out/ensemble.json").read_text())["kl"]
    assert max(len(line) for line in printed.splitlines() if "│" in line) <= 80
    for name, value in zip(("a-1", "bb-2", "ccc-3"), kl["members"], strict=True):
        assert re.search(rf"^│ \d {name} +│ .* │ {value:.4f} │", printed, re.MULTILINE)


def test_members_that_may_not_belong_together_or_learned_from_a_teacher_are_named(
    train: pl.DataFrame, tmp_path: Path, monkeypatch, capsys
):
    old, new = (run(tmp_path / f"runs/a-0000000{i}", predicted(train, 0.6, i)) for i in (1, 2))
    for folder, corpus, augmentation in (
        (old, "c0", "{}"),
        (new, "c1", "{teacher_labels: {_target_: hms.augmentation.teacher_labels.TeacherLabels, runs: [a]}}"),
    ):
        for fold in folder.iterdir():
            (fold / "config.yaml").write_text(f"folds: 3\naugmentation: {augmentation}")
            (fold / "provenance.json").write_text(json.dumps({"corpus": corpus}))
    (old / "foldall_seed0").mkdir()
    (old / "foldall_seed0/scores.json").write_text("{}")
    command(monkeypatch, str(old), str(new), f"out={tmp_path / 'out'}", "draws=100")
    printed, said = capsys.readouterr()
    flattered = "learned from a teacher that saw the held-out patients, so its KL looks too good."
    assert [line for line in printed.splitlines() if "teacher" in line] == [f"{new}: {flattered}"]
    assert said.splitlines()[:-1] == [
        f"{old} has 2 of its 3 folds; it lacks fold2_seed0",
        f"{new} has 2 of its 3 folds; it lacks fold2_seed0",
        f"{old} and {new} are runs named a that differ in settings or data: is one out of date?",
        f"these runs learned from different corpora: c0: {old}; c1: {new}",
    ]


def test_the_diversity_of_twelve_members_fits_into_80_columns(train: pl.DataFrame, tmp_path: Path, monkeypatch, capsys):
    members = [run(tmp_path / f"runs/member_{i}-{i}a", predicted(train, 0.6 + i / 10, i)) for i in range(1, 13)]
    monkeypatch.setenv("COLUMNS", "80")
    command(monkeypatch, *map(str, members), f"out={tmp_path / 'out'}", "draws=100")
    printed = capsys.readouterr().out
    assert max(len(line) for line in printed.splitlines() if "│" in line) <= 80
    js, correlation = (
        np.array(json.loads((tmp_path / "out/ensemble.json").read_text())["diversity"][key])
        for key in ("js", "loss_correlation")
    )
    of_members = printed.partition("Diversity")[2]
    cells = [re.findall(r"[^│\s]+", line) for line in of_members.splitlines() if line.startswith("│")]
    assert [row[0] for row in cells] == [str(i) for i in range(1, 13)]
    assert (cells[6][3], cells[2][10]) == (f"{1000 * js[6, 2]:.0f}", f"{100 * correlation[2, 9]:.0f}")
    assert "│ 7 member_7-7a " in printed


def test_a_larger_bias_sd_allows_larger_biases(runs: list[Path], tmp_path: Path, monkeypatch, capsys):
    largest = []
    for i, words in enumerate(([], ["bias_sd=0.1"], ["bias_sd=1"])):
        command(monkeypatch, str(runs[2]), f"out={tmp_path / str(i)}", "draws=100", *words)
        content = json.loads((tmp_path / str(i) / "ensemble.json").read_text())
        largest.append(max(map(abs, content["calibration"]["bias"].values())))
    assert content["bias_sd"] == 1
    assert largest[0] == largest[1] < largest[2]


def test_averaged_seeds_and_a_member_under_two_names_are_named(train: pl.DataFrame, tmp_path, monkeypatch, capsys):
    same = [tmp_path / "runs" / name for name in ("a-66af54bc", "b-66af54bc", "c-7861a7b5", "d-7861a7b")]
    for seed, folder in enumerate(same):
        run(folder, predicted(train, 0.6, seed))
    run(same[2], predicted(train, 0.6, 9), seed=1)
    command(monkeypatch, *map(str, same), f"out={tmp_path / 'out'}", "draws=100")
    printed = capsys.readouterr().out
    assert f"{same[2]}: 2 seeds averaged, so its KL is not hms.compare's, which is the mean over seeds.\n" in printed
    assert f"{same[0]}, {same[1]}: the same settings under different names, here 2 members.\n" in printed
    assert (printed.count(" averaged, "), printed.count("the same settings")) == (1, 1)
    assert json.loads((tmp_path / "out/ensemble.json").read_text())["member_seeds"] == [1, 1, 2, 1]


@pytest.mark.parametrize("words", [["mixing=geometric", "calibrate=none"], ["mixing=greedy", "weigh=votes"]])
def test_the_other_mixings_are_scored_in_the_same_way(words: list[str], runs, tmp_path, monkeypatch, capsys):
    command(monkeypatch, *map(str, runs), f"out={tmp_path / 'out'}", "draws=100", *words)
    content = json.loads((tmp_path / "out/ensemble.json").read_text())
    assert content["mixing"] == words[0].partition("=")[2]
    assert content["kl"]["nested"] < min(content["kl"]["members"])
    assert (content["kl"]["nested"] == pytest.approx(content["kl"]["uncalibrated"])) == ("calibrate=none" in words)


def test_a_single_member_is_calibrated_and_has_no_diversity_to_print(runs, tmp_path, monkeypatch, capsys):
    command(monkeypatch, str(runs[2]), f"out={tmp_path / 'out'}", "draws=100")
    content = json.loads((tmp_path / "out/ensemble.json").read_text())
    assert content["weights"] == [1.0]
    assert "Jensen-Shannon" not in capsys.readouterr().out
    assert content["kl"]["nested"] < content["kl"]["mean"] == content["kl"]["members"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "runs: want run folders, or files as oof=[...], got neither"),
        (["nowhere/*"], "runs: no finished run matches nowhere/*"),
        (["RUNS/a-1", "RUNS/x-9"], "runs: no finished run matches RUNS/x-9"),
        (["oof=a.csv"], "oof: want list of str, got 'a.csv'; did you mean oof=[a.csv]?"),
        (["oof=[x*.csv]", "labels=train.csv"], "oof: no file matches x*.csv"),
        (["RUNS/*", "folds=99"], "folds: want 2 to 40 (the number of patients), got 99; set folds=40"),
        (["RUNS/*", "draws=0"], "draws: want 100 or more (below 2^32), got 0"),
        (["RUNS/*", "bias_sd=0"], "bias_sd: want nats above 0 (for no biases: calibrate=temperature), got 0"),
        (["RUNS/*", "bias_sd=nan"], "bias_sd: want nats above 0 (for no biases: calibrate=temperature), got nan"),
        (["RUNS/*", "bias_sd=inf"], "bias_sd: want nats above 0 (for no biases: calibrate=temperature), got inf"),
        (["RUNS/*", "prior.lpd=1.5"], "prior.lpd: want a share between 0 and 1, got 1.5"),
        (["RUNS/*", "prior.siezure=0.1"], "prior.siezure: prior takes no 'siezure'; did you mean 'seizure'?"),
        (["RUNS/*", "mixing=median"], "mixing: want 'linear', 'geometric' or 'greedy', got 'median'"),
    ],
)
def test_a_mistake_ends_with_one_line_and_no_folder(words, message, runs, tmp_path, monkeypatch, capsys):
    place = str(tmp_path / "runs")
    with pytest.raises(SystemExit):
        command(monkeypatch, *(word.replace("RUNS", place) for word in words), f"out={tmp_path / 'out'}")
    assert message.replace("RUNS", place) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_of_predictions_among_runs_is_refused(runs, tmp_path, monkeypatch, capsys):
    (tmp_path / "lgb.csv").write_text("label_id\n")
    with pytest.raises(SystemExit):
        command(monkeypatch, str(tmp_path / "runs/a-1"), str(tmp_path / "lgb.csv"), f"out={tmp_path / 'out'}")
    said = f"runs: want runs, got '{tmp_path / 'lgb.csv'}'; predictions of other models are given as oof=[...]\n"
    assert capsys.readouterr().err == said


def test_too_few_patients_for_the_default_folds_are_told_how_many_to_ask_for(train, tmp_path, monkeypatch, capsys):
    few = run(tmp_path / "few", predicted(train, 0.6, 1).filter(pl.col("patient_id") < 7))
    one = run(tmp_path / "one", predicted(train, 0.6, 1).filter(pl.col("patient_id") < 1))
    for folder, line in (
        (few, "folds: want 2 to 7 (the number of patients), got 10; set folds=7\n"),
        (one, "folds: want 2 patients or more to divide, got 1\n"),
    ):
        with pytest.raises(SystemExit):
            command(monkeypatch, str(folder), f"out={tmp_path / 'out'}")
        assert capsys.readouterr().err == line


def test_ranges_are_checked_for_callers_in_python_too(runs: list[Path], tmp_path: Path):
    given = main.config(*map(str, runs), f"out={tmp_path / 'out'}")
    for numbers, said in (
        ({"bias_sd": 0.0}, "bias_sd: want nats above 0 (for no biases: calibrate=temperature), got 0.0"),
        ({"draws": 0}, "draws: want 100 or more (below 2^32), got 0"),
        ({"prior": {"lpd": 1.5}}, "prior.lpd: want a share between 0 and 1, got 1.5"),
    ):
        with pytest.raises(UserError) as refused:
            fit_ensemble(given | numbers)
        assert str(refused.value) == said
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four public models and the competition's train.csv, as the command takes them."""
    folder = tmp_path_factory.mktemp("public")
    with zipfile.ZipFile(real("data/hms_train_csv.zip")) as zipped:
        zipped.extract("train.csv", folder)
    files = real("data/oof") / "*oof_predictions.csv.gz"
    return [f"oof=['{files}']", f"labels={folder / 'train.csv'}", "min_votes=10", "draws=200"]


@pytest.mark.parametrize("seed", range(3))
def test_four_public_models_reach_their_known_scores(seed: int, public, tmp_path, monkeypatch, capsys):
    began_s = time.process_time()
    command(monkeypatch, *public, f"out={tmp_path}", f"seed={seed}")
    assert time.process_time() - began_s < 10
    content = json.loads((tmp_path / "ensemble.json").read_text())
    kl = content["kl"]
    assert (content["rows"], content["patients"]) == (6366, 1063)
    assert sorted(round(one, 4) for one in kl["members"]) == [0.2404, 0.2407, 0.2547, 0.2606]
    assert round(kl["mean"], 5) == 0.21674
    assert kl["nested"] < kl["uncalibrated"] < 0.2158
    assert content["difference"]["nested"][1] < 0
