"""The report: its numbers, its charts, and the page itself in a real browser."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from browser import Page
from material import config, quick

from hms.batch import Logits, Signals
from hms.config.build import build
from hms.data.store import Store
from hms.data.windows import Windows
from hms.ensemble.mixture import member_folder
from hms.errors import ConfigError, DataError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.model import Model
from hms.page.palette import COLOURS
from hms.report import summary
from hms.report.__main__ import main
from hms.report.attribution import _occluded, attributions_of
from hms.report.figures import curves, dots, ruler
from hms.report.page import page
from hms.report.subject import learning_curves, subject_of_ensemble, subject_of_run
from hms.report.windows import _attributions
from hms.runs.checkpoint import load_model, save_model
from hms.scoring.scores import predictions, score, scored

EVIL = "\"><img src=x onerror=alert(1)>&amp;'"
"""A run name that would run a script on a page that does not escape it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Path, store: Store) -> Path:
    """Two folds with all files of a finished training; their models are untrained."""
    folder = tmp_path_factory.mktemp("runs") / EVIL
    whole = quick(config("extractor=[stft_short,spectrogram]", "fusion=attention"))
    whole |= {"data": {"_target_": "hms.data.corpus.CompetitionFolder", "root": str(corpus), "resident": "auto"}}
    torch.manual_seed(0)
    for fold in (0, 1):
        inside = folder / f"fold{fold}_seed0"
        inside.mkdir(parents=True)
        rows = store.rows.filter(pl.col("patient_id").rank("dense") % 2 == fold).unique("eeg_id", maintain_order=True)
        found = torch.randn(len(rows), len(CLASSES)).double().softmax(dim=1).numpy()
        table = predictions(rows, fold, found)
        table.write_parquet(inside / "oof.parquet")
        (inside / "config.yaml").write_text(yaml.safe_dump({**whole, "fold": fold}))
        (inside / "provenance.json").write_text(json.dumps({"corpus": store.fingerprint}))
        (inside / "metrics.csv").write_text("epoch,train_loss,val_kl\n0,2,1.5\n1,1,1.2\n")
        save_model(inside, build(whole["model"]), whole["model"])
        (inside / "scores.json").write_text(json.dumps(score(table)))
    return folder


@pytest.fixture(scope="module")
def ensemble(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of that run and of a file that no longer exists."""
    folder = tmp_path_factory.mktemp("ensembles") / "both"
    folder.mkdir()
    pl.concat(pl.read_parquet(fold / "oof.parquet") for fold in sorted(run.iterdir())).write_parquet(
        folder / "oof.parquet"
    )
    square = [[0.0, 0.1], [0.1, 0.0]]
    content = {
        "members": [str(run), "<b>x<img src=x onerror=alert(1)>.csv"],
        "weights": [0.7, 0.3],
        "mixing": "linear",
        "calibrate": "none",
        "kl": {"members": [1.1, 1.3], "mean": 1.0, "nested": 0.9},
        "interval": {"members": [[1.0, 1.2], [1.2, 1.4]], "mean": [0.9, 1.1], "nested": [0.8, 1.0]},
        "diversity": {"js": square, "loss_correlation": [[1.0, 0.5], [0.5, 1.0]]},
        "weights_se": [0.1, 0.1],
        "folds": 2,
        "prior_effect": {
            "before": 0.9,
            "after": 0.8,
            "interval": [-0.2, -0.05],
            "effective_patients": 10.0,
            "unweighted": 1.0,
        },
    }
    (folder / "ensemble.json").write_text(json.dumps(content))
    return folder


def written(text: str, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


# In a browser


@pytest.fixture(scope="module")
def report(run: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    subject = subject_of_run(run, store.path.parent)._replace(store=store, missing="")
    return written(page(subject, 1, "cpu"), tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_nothing_on_the_page_throws_or_is_loaded_from_elsewhere(chromium: Page, report: Path, width: int, dark: bool):
    chromium.events.clear()
    chromium.open(report, width, dark)
    assert chromium.errors == []
    assert chromium.requests == [report.as_uri()]
    plots = "[...document.querySelectorAll('.plot')]"
    assert chromium.value(f"{plots}.length") > 10
    assert chromium.value(f"{plots}.filter((plot) => !plot.querySelector('.main-svg')).map((plot) => plot.id)") == []
    chromium.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert chromium.value("document.documentElement.scrollWidth") <= width
    ink = "getComputedStyle(document.querySelector('#plot-fold .ytick text')).fill"
    assert (chromium.value(ink) == "rgb(229, 232, 235)") == dark


def test_the_charts_follow_when_the_screen_turns_dark(chromium: Page, report: Path):
    chromium.open(report)
    chromium.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    chromium.wait_for(
        "getComputedStyle(document.querySelector('#plot-fold .ytick text')).fill === 'rgb(229, 232, 235)'"
    )


def test_names_from_outside_are_escaped(chromium: Page, report: Path, ensemble: Path, tmp_path: Path):
    chromium.open(report)
    assert chromium.value("document.querySelector('h1').textContent") == EVIL
    assert chromium.value("document.querySelectorAll('img[onerror]').length") == 0
    other = written(page(subject_of_ensemble(ensemble, tmp_path), 1, "cpu"), tmp_path)
    chromium.events.clear()
    chromium.open(other)
    assert chromium.errors == []
    assert "2 <b>x<img src=x one…" in chromium.value("document.querySelector('#plot-scores').textContent")
    assert chromium.value("document.querySelectorAll('script').length") == 5
    assert "On rows weighted to the new shares (worth 10 patients of equal weight)" in chromium.value(
        "document.body.textContent"
    )


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_the_numbers_show_the_kl_without_scrolling(chromium: Page, report: Path, width: int):
    chromium.open(report, width)
    chromium.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    ends = "[...one.querySelectorAll('td:nth-child(4)')].map((cell) => cell.getBoundingClientRect().right)"
    seen = f"((one) => Math.max(...{ends}) <= one.parentElement.getBoundingClientRect().right)"
    assert chromium.value(f"[...document.querySelectorAll('.numbers')].map({seen})") == [True] * 3


def test_an_injected_script_would_not_run(chromium: Page, report: Path, tmp_path: Path):
    chromium.open(written(report.read_text().replace("<footer>", "<footer><script>window.evil = 1</script>"), tmp_path))
    assert chromium.value("window.evil") is None


def test_arrow_keys_and_addresses_choose_the_window(chromium: Page, report: Path):
    chromium.open(report)
    shown = "document.querySelector('.window:not([hidden])').id"
    assert chromium.value(shown) == "window-1"
    chromium.value("document.querySelector('[role=tab]').focus()")
    for key, number in (("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 2)):
        chromium.press(key)
        assert chromium.value(shown) == f"window-{number}"
    assert chromium.value("document.activeElement.id") == "tab-2"
    chromium.press("Tab")
    assert chromium.value("document.activeElement.id") == "window-2"
    chromium.value("location.hash = '#window-1'")
    chromium.wait_for(f"{shown} === 'window-1'")


def test_the_eeg_is_drawn_larger_and_closer_on_demand(chromium: Page, report: Path):
    chromium.open(report)
    tools = "document.querySelector('.window:not([hidden]) .tools')"
    scale = "document.querySelector('[data-uv]').textContent"
    before = float(chromium.value(scale).removesuffix(" µV"))
    for _ in range(2):
        chromium.value(f"{tools}.querySelector('[aria-label=\"Larger waves\"]').click()")
    assert float(chromium.value(scale).removesuffix(" µV")) == pytest.approx(before / 2)
    chromium.value(f"{tools}.querySelector('[data-view=\"10\"]').click()")
    assert chromium.value("document.querySelector('.zoom').getAttribute('viewBox')").startswith("4000 0 2000 ")


def test_charts_on_paper_fit_and_are_light(chromium: Page, report: Path):
    chromium.open(report, 1280, dark=True)
    ink = "getComputedStyle(document.querySelector('#plot-fold .ytick text')).fill"
    differs = "(plot) => Math.abs(plot.querySelector('.main-svg').clientWidth - plot.clientWidth) > 1"
    wide = f"[...document.querySelectorAll('.plot')].filter({differs}).map((plot) => plot.id)"
    chromium.value("dispatchEvent(new Event('beforeprint'))")
    assert chromium.value("document.body.clientWidth") == 1110
    assert (chromium.value(ink), chromium.value(wide)) == ("rgb(27, 32, 38)", [])
    chromium.value("dispatchEvent(new Event('afterprint'))")
    assert chromium.value(ink) == "rgb(229, 232, 235)"
    chromium.wait_for(f"{wide}.length === 0")
    chromium.resize(800)
    chromium.wait_for(f"{wide}.length === 0")
    assert chromium.value("document.documentElement.scrollWidth") <= 800


def test_a_page_on_paper_shows_every_window_whole(chromium: Page, report: Path):
    chromium.open(report, 1280, dark=True)
    chromium.send("Emulation.setEmulatedMedia", media="print", features=[])
    try:
        assert (
            chromium.value("[...document.querySelectorAll('.window')].map((one) => one.offsetHeight > 0)") == [True] * 2
        )
        assert chromium.value("getComputedStyle(document.body).color") == "rgb(27, 32, 38)"
        assert (
            chromium.value("[...document.querySelectorAll('.eeg')].map((one) => one.scrollWidth > one.clientWidth)")
            == [False] * 2
        )
    finally:
        chromium.send("Emulation.setEmulatedMedia", media="", features=[])


def contrast(one: list[float], other: list[float]) -> float:
    """Contrast of two colours of red, green and blue from 0 to 1, as WCAG 2 defines it: text wants 4.5."""
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour] for colour in (one, other)]
    dark, bright = sorted(float(np.dot([0.2126, 0.7152, 0.0722], colour)) for colour in linear)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_text_can_be_read(scheme: str):
    colours = {
        role: [part / 255 for part in bytes.fromhex(getattr(colour, scheme)[1:])] for role, colour in COLOURS.items()
    }
    for role in ("ink", "muted", "model", "experts", "left", "right"):
        assert contrast(colours[role], colours["paper"]) >= 4.5, role
    for role in ("ink", "muted"):
        assert contrast(colours[role], colours["panel"]) >= 4.5, role


@pytest.mark.parametrize("dark", [False, True])
def test_the_confusion_fits_beside_its_neighbour_and_every_shade_can_be_read(chromium: Page, report: Path, dark: bool):
    chromium.open(report, 1100, dark)
    heat = "document.querySelectorAll('.heat.classes')"
    assert chromium.value(f"[...{heat}].map((one) => one.scrollWidth > one.parentElement.clientWidth)") == [False] * 2
    rgb = (
        "(colour) => { const one = document.createElement('canvas').getContext('2d'); one.fillStyle = colour;"
        " one.fillRect(0, 0, 1, 1); return [...one.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255); }"
    )
    cell = f"{heat}[0].querySelector('.cell')"
    for share in (0, 0.5, 1):
        chromium.value(f"{cell}.style.setProperty('--share', {share})")
        ink = f"getComputedStyle({cell}.querySelector('small')).color"
        both = chromium.value(f"[getComputedStyle({cell}).backgroundColor, {ink}].map({rgb})")
        assert contrast(*both) >= 4.5, share


# The command


def hms_report(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["hms.report", *words])
    main()


def test_the_command_writes_a_page_and_prints_its_path(run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").symlink_to(run)
    hms_report(monkeypatch, "mine/fold0_seed0", "windows=0", f"out={tmp_path / 'new/page.html'}")
    assert capsys.readouterr().out.strip() == str(tmp_path / "new/page.html")
    assert (tmp_path / "new/page.html").stat().st_size < 8e6
    kl = score(pl.read_parquet(run / "fold0_seed0/oof.parquet"))["kl"]
    assert f"<strong>{kl:.3f}</strong>" in (tmp_path / "new/page.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "runs, ensemble: want one of the two, got neither"),
        (["a", "ensemble=b"], "runs, ensemble: want one of the two, got both"),
        (["a", "b"], "runs: want one, got 2: a, b"),
        (["runs=[]"], "runs: want at least one, got none"),
        (["runs=a", "windows=-1"], "windows: want 0 or more (below 2^32), got -1"),
        (["runs=nowhere"], "nowhere: no such folder; a run is a folder such as runs/<name>-<hash>"),
        (["ensemble=nowhere"], "nowhere/ensemble.json: no such file; hms.ensemble writes it"),
        (
            ["ensemble=half"],
            "half/ensemble.json: lacks 'kl', 'interval', 'diversity', 'weights_se', 'folds', 'prior_effect'; hms",
        ),
        (["ensemble=whole"], "whole/oof.parquet: no such file"),
        (["runs=all"], "all: no fold has held-out patients, so there is nothing to report on"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], message: str, ensemble: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("half", "whole", "all/foldall_seed0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "all/foldall_seed0/scores.json").write_text("{}")
    (tmp_path / "half/ensemble.json").write_text('{"members": [], "weights": [], "mixing": "linear", "calibrate": ""}')
    (tmp_path / "whole/ensemble.json").write_bytes((ensemble / "ensemble.json").read_bytes())
    with pytest.raises(SystemExit) as ended:
        hms_report(monkeypatch, *words)
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_an_ensemble_looks_for_its_runs_in_its_own_folder_first(run: Path, ensemble: Path, tmp_path: Path):
    moved = Path(shutil.copytree(ensemble, tmp_path / "moved"))
    content = json.loads((moved / "ensemble.json").read_text())
    (moved / "ensemble.json").write_text(json.dumps(content | {"members": ["runs/one", "gone.csv"]}))
    none = "none of the members is a run that is still here."
    assert subject_of_ensemble(moved, tmp_path).missing == none
    shutil.copytree(run, moved / "runs" / "one")
    assert subject_of_ensemble(moved, tmp_path).missing == subject_of_ensemble(ensemble, tmp_path).missing != none
    assert member_folder(moved, "runs/one") == moved / "runs" / "one"
    assert member_folder(moved, str(run)) == run
    assert member_folder(moved, "gone.csv") is None


def test_without_its_corpus_a_run_has_numbers_but_no_drawings(run: Path, tmp_path: Path):
    subject = subject_of_run(run, tmp_path)
    gone = subject._replace(store=None, truth=None, missing="data/x is not here.")
    text = page(gone, 1, "cpu")
    assert "Signals are not drawn: data/x is not here." in text
    assert '<svg class="traces"' not in text
    assert "The true probabilities of this corpus are unknown" in text


def test_the_votes_are_not_said_to_be_given_for_every_window(report: Path):
    text = report.read_text()
    assert "experts labelled" not in text
    says = "The votes refer to the shaded 10 s; windows of one EEG often share the votes given for one of them."
    assert text.count(says) == text.count('class="traces"')


def test_charts_are_described_by_their_numbers(ensemble: Path, tmp_path: Path):
    text = page(subject_of_ensemble(ensemble, tmp_path), 0, "cpu")
    labels = dict(re.findall(r'id="plot-(\S+)" role="img" aria-label="(.*?)"', text))
    assert re.match(r"KL: ensemble 0.900, plain mean 1.000, .* 1.100, .*csv 1.300$", labels["scores"])
    assert re.match(r"Weights: .* 70 %, .*csv 30 %$", labels["weights"])
    assert re.match(r"Votes for LPD where it was predicted: \d+ % at \d+ %, ", labels["reliability-lpd"])


def test_a_page_without_windows_has_no_section_for_them(run: Path, tmp_path: Path):
    subject = subject_of_run(run, tmp_path)
    assert ['id="windows"' in page(subject, windows, "cpu") for windows in (0, 1)] == [False, True]


# The numbers


def rows_of(*votes: tuple[list[int], list[float]], patients: list[int] | None = None) -> pl.DataFrame:
    """A table of predictions: votes and probabilities of each row."""
    columns = {name: [row[0][i] for row in votes] for i, name in enumerate(VOTE_COLUMNS)}
    columns |= {name: [row[1][i] for row in votes] for i, name in enumerate(CLASSES)}
    ids = list(range(len(votes)))
    return pl.DataFrame({"label_id": ids, "patient_id": patients or ids, "fold": [0] * len(ids), **columns})


SURE = [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]


def test_groups_split_the_rows_and_those_of_a_class_share_one_prior():
    table = rows_of(([3, 0, 0, 0, 0, 0], SURE), ([0, 12, 0, 0, 0, 0], SURE))
    rows = scored(table, None)
    whole = summary.headline(rows)
    assert whole.all.prior == pytest.approx(score(table)["prior"])
    assert (whole.all.kl, whole.top1, whole.gap_closed) == (pytest.approx(score(table)["kl"]), 0.5, None)
    assert [(one.name, one.rows) for one in summary.by_class(rows)] == [("seizure", 1), ("lpd", 1)]
    assert [(one.name, one.rows) for one in summary.by_votes(rows)] == [("1–4", 1), ("10–12", 1)]
    assert [one.prior for one in summary.by_class(rows)] == pytest.approx([np.log(2)] * 2)
    assert [one.prior for one in summary.by_votes(rows)] == pytest.approx([0, 0])
    assert summary.by_fold(rows.with_columns(fold=pl.lit(None, pl.Int64)), "fold") == []


def test_the_prior_of_a_fold_is_that_of_the_score_table(run: Path, tmp_path: Path):
    subject = subject_of_run(run, tmp_path)
    expected = [score(pl.read_parquet(fold / "oof.parquet"))["prior"] for fold in subject.folds]
    assert expected[0] != pytest.approx(expected[1], abs=1e-3)
    assert [one.prior for one in summary.by_fold(scored(subject.table, None), "fold")] == pytest.approx(expected)
    text = page(subject._replace(store=None, truth=None, missing="gone."), 0, "cpu")
    for fold, prior in enumerate(expected):
        assert re.search(rf'<th scope="row">fold {fold}</th>.*<td>{prior:.3f}</td>', text)


def test_a_model_worse_than_the_prior_is_said_to_be_above_it(run: Path, tmp_path: Path):
    """Random predictions are worse; the votes themselves are better."""
    subject = subject_of_run(run, tmp_path)._replace(store=None, truth=None, missing="gone.")
    scores = score(subject.table)
    share = f"{100 * (scores['kl'] / scores['prior'] - 1):.0f}"
    headline = f"<strong>{share} %</strong><span>above the prior ({scores['prior']:.3f})."
    assert headline in page(subject, 0, "cpu")
    votes = pl.sum_horizontal(VOTE_COLUMNS)
    right = subject.table.with_columns((pl.col(f"{name}_vote") / votes).alias(name) for name in CLASSES)
    assert f"<strong>100 %</strong><span>below the prior ({scores['prior']:.3f})." in page(
        subject._replace(table=right), 0, "cpu"
    )
    worse = page(subject._replace(truth=right.select("label_id", *CLASSES)), 0, "cpu")
    assert f"<strong>−{share} %</strong><span>of the way from the prior" in worse
    assert "The prior is better.</span>" in worse


def test_the_page_warns_of_a_student_that_looks_too_good(run: Path, ensemble: Path, tmp_path: Path):
    student = Path(shutil.copytree(run, tmp_path / "student"))
    for fold in student.iterdir():
        whole = yaml.safe_load((fold / "config.yaml").read_text())
        teacher = {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": ["runs/teacher"]}
        whole["augmentation"]["by_any_name"] = teacher
        (fold / "config.yaml").write_text(yaml.safe_dump(whole))
    both = Path(shutil.copytree(ensemble, tmp_path / "both"))
    content = json.loads((both / "ensemble.json").read_text())
    (both / "ensemble.json").write_text(json.dumps(content | {"members": [str(run), str(student)]}))
    flattered = "learned from a teacher that saw the held-out patients, so its KL looks too good."
    for subject, notes in (
        (subject_of_run(run, tmp_path), []),
        (subject_of_run(student, tmp_path), [f"This run {flattered}"]),
        (subject_of_ensemble(both, tmp_path), [f"The member {student} {flattered}"]),
    ):
        text = page(subject._replace(store=None, missing="gone."), 0, "cpu")
        assert re.findall(r'<p class="note">(.*teacher.*)</p>', text) == notes


def test_the_page_says_what_a_run_learned_from(run: Path, tmp_path: Path):
    corpus = Path(yaml.safe_load((run / "fold0_seed0/config.yaml").read_text())["data"]["root"]).name
    live = Path(shutil.copytree(run, tmp_path / "live-1a"))
    for path in live.glob("*/config.yaml"):
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"live": {"simulated": {}}}))
    about = [subject_of_run(folder, tmp_path).about for folder in (run, live)]
    assert [facts.get("trained on") for facts in about] == [corpus, "windows simulated on demand"]
    assert [facts.get("validated on") for facts in about] == [None, corpus]


def test_a_run_whose_corpus_is_of_another_version_gives_one_line(run: Path, tmp_path: Path):
    old = Path(shutil.copytree(run, tmp_path / "old"))
    path = old / "fold0_seed0/config.yaml"
    path.write_text(path.read_text().replace("hms.data.corpus.CompetitionFolder", "hms.corpus.Competition"))
    wish = "data: want a corpus of this version of hms, got 'hms.corpus.Competition'"
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {wish} (no 'corpus' in hms)")):
        subject_of_run(old, tmp_path)


def test_a_truth_that_lacks_a_row_is_refused():
    table = rows_of(([3, 0, 0, 0, 0, 0], SURE), ([0, 12, 0, 0, 0, 0], [*SURE[1::-1], *SURE[2:]]))
    truth = table.select("label_id", *CLASSES)
    assert summary.headline(scored(table, truth)).gap_closed == pytest.approx(1)
    with pytest.raises(DataError, match=r"truth.parquet: want every label_id that was predicted, got only some"):
        scored(table, truth[:1])


def test_the_page_counts_a_window_of_several_seeds_once(run: Path, tmp_path: Path):
    copy = Path(shutil.copytree(run / "fold0_seed0", tmp_path / "run/fold0_seed0")).parent
    shutil.copytree(copy / "fold0_seed0", copy / "fold0_seed1")
    subject = subject_of_run(copy, tmp_path)._replace(store=None, truth=None, missing="gone.")
    assert (subject.about["folds"], subject.about["seeds"]) == ("1 of 5", "2")
    alone = subject._replace(table=subject.table[: len(subject.table) // 2])
    both, one = page(subject, 0, "cpu"), page(alone, 0, "cpu")
    assert "Windows were predicted by several seeds" in both
    assert f"<dt>windows</dt><dd>{len(alone.table)}</dd>" in both
    assert re.findall("<strong>.*</strong>", both) == re.findall("<strong>.*</strong>", one)


def test_a_page_of_one_patient_names_no_interval_and_no_gap(run: Path, tmp_path: Path):
    subject = subject_of_run(run, tmp_path)._replace(store=None, missing="gone.")
    table = subject.table[:1]
    text = page(subject._replace(table=table, truth=table.select("label_id", *CLASSES)), 0, "cpu")
    assert "(bootstrap over patients)" not in text


def test_the_nested_folds_of_an_ensemble_are_called_patient_groups(run: Path, ensemble: Path, tmp_path: Path):
    text = page(subject_of_ensemble(ensemble, tmp_path), 1, "cpu")
    assert "<h3>By patient group</h3>" in text
    assert '<th scope="row">patient group 0</th>' in text
    assert re.search(r"patient \d+ · patient group \d</p>", text)
    assert "fold 0" not in text
    text = page(subject_of_run(run, tmp_path)._replace(store=None, missing="gone."), 1, "cpu")
    assert "<h3>By fold</h3>" in text
    assert '<th scope="row">fold 0</th>' in text
    assert "patient group" not in text


def test_no_chart_is_described_by_a_place_that_it_has_only_on_wide_screens(ensemble: Path, tmp_path: Path):
    text = page(subject_of_ensemble(ensemble, tmp_path), 0, "cpu")
    charts = {*re.findall(r"<h3>([^<]+)</h3>", text)}
    pairs = [["KL", "Weights"], ["Divergence of predictions", "Correlation of errors"]]
    pairs.append(["Leading class", "Mean prediction per vote"])
    assert [re.findall("<b>(.+?)</b>", how) for how in re.findall(r'<p class="how.*?">(.*<b>.*)</p>', text)] == pairs
    assert charts.issuperset(name for pair in pairs for name in pair)


def test_the_page_of_a_single_member_has_no_diversity(ensemble: Path, tmp_path: Path):
    subject = subject_of_ensemble(ensemble, tmp_path)
    single = {
        **subject.ensemble,
        "members": ["runs/a-1"],
        "weights": [1.0],
        "kl": {"members": [1.1], "mean": 1.1, "nested": 1.0},
        "interval": {"members": [[1.0, 1.2]], "mean": [1.0, 1.2], "nested": [0.9, 1.1]},
        "diversity": {"js": [[0.0]], "loss_correlation": [[1.0]]},
        "weights_se": [0.0],
        "folds": 2,
    }
    texts = [page(subject._replace(ensemble=content), 0, "cpu") for content in (subject.ensemble, single)]
    assert ["Jensen–Shannon" in text for text in texts] == [True, False]
    assert ['id="plot-weights"' in text for text in texts] == [True, True]


def test_a_table_of_epochs_without_epochs_is_refused(tmp_path: Path):
    (tmp_path / "metrics.csv").write_text("val_kl\n1\n")
    with pytest.raises(DataError, match=r"metrics.csv: lacks column 'epoch'"):
        learning_curves([tmp_path])


def test_a_curve_leaves_out_epochs_that_were_not_validated():
    table = pl.DataFrame({"epoch": [0, 1, 2, 3], "val_kl": [None, 1.5, None, 1.2]})
    (line,) = curves({"fold0_seed0": table}, "val_kl").data
    assert ([*line.x], [*line.y]) == ([2, 4], [1.5, 1.2])


def test_curves_are_told_apart_by_fold_and_by_seed(tmp_path: Path):
    folds = [tmp_path / f"fold{fold}_seed{seed}" for fold in (0, 1) for seed in (0, 3)]
    for folder in [*folds, folds[0] / "pretrain"]:
        folder.mkdir(exist_ok=True)
        (folder / "metrics.csv").write_text("epoch,val_kl\n0,1\n")
    names = ["fold 0, seed 0, pretrain", "fold 0, seed 0", "fold 0, seed 3", "fold 1, seed 0", "fold 1, seed 3"]
    assert [*learning_curves(folds)] == names
    assert [*learning_curves(folds[1:2])] == ["fold 0"]
    first, second, third, fourth, fifth = (line.line for line in curves(learning_curves(folds), "val_kl").data)
    assert first.color == second.color == third.color != fourth.color == fifth.color
    assert (second.dash, third.dash) == (fourth.dash, fifth.dash)
    assert len({first.dash, second.dash, third.dash}) == 3


def test_labels_of_the_ruler_do_not_overlap():
    rows = scored(rows_of(([3, 0, 0, 0, 0, 0], SURE), ([0, 12, 0, 0, 0, 0], SURE)), None)
    apart = summary.headline(rows)
    near = apart._replace(uniform=apart.all.prior + 0.01)
    below = [[label.yshift for label in ruler(head).layout.annotations[:3]] for head in (apart, near)]
    assert below == [[-34, -34, -34], [-34, -34, -70]]
    assert ruler(near).layout.height == ruler(apart).layout.height + 36


def test_the_axis_of_a_curve_counts_whole_epochs(chromium: Page, report: Path):
    chromium.open(report)
    ticks = "[...document.querySelectorAll('#plot-train_loss .xtick text')].map((tick) => tick.textContent)"
    assert chromium.value(ticks) == ["1", "2"]
    folds = {name: pl.DataFrame({"epoch": range(n), "val_kl": [1.0] * n}) for name, n in (("a", 9), ("b", 11))}
    assert curves(folds, "val_kl").layout.xaxis.tickvals is None
    assert curves({"a": folds["a"]}, "val_kl").layout.xaxis.tickvals == (1, 2, 3, 4, 5, 6, 7, 8, 9)


@pytest.mark.parametrize("width", [1280, 1100, 360])
def test_the_axes_of_a_reliability_are_labelled_to_their_ends(chromium: Page, report: Path, width: int):
    chromium.open(report, width)
    labels = "[...document.querySelectorAll('#plot-reliability-other .{}tick text')]"
    for axis in "xy":
        shown = (
            f"{labels.format(axis)}.filter((one) => getComputedStyle(one).opacity > 0.5 && one.style.display != 'none')"
        )
        assert chromium.value(f"{shown}.map((one) => one.textContent)") == ["0 %", "50 %", "100 %"]


def test_an_interval_is_over_patients_not_rows():
    both = [([1, 0, 0, 0, 0, 0], SURE), ([0, 1, 0, 0, 0, 0], SURE)] * 20
    one, many = (summary.group("", scored(rows_of(*both, patients=p), None)) for p in ([7] * 40, None))
    assert one.interval is None, "a single patient says nothing about others"
    assert many.interval[0] < many.kl < many.interval[1]
    drawn = dots([one, many], many, 1.0).data[-1]
    assert (drawn.error_x.array[0], drawn.error_x.arrayminus[0]) == (None, None)
    assert drawn.error_x.array[1] == pytest.approx(many.interval[1] - many.kl)
    assert "(" not in drawn.hovertemplate[0]


def test_reliability_and_confusion_count_predictions_against_votes():
    rows = scored(rows_of(([4, 0, 0, 0, 0, 0], SURE), ([2, 2, 0, 0, 0, 0], SURE)), None)
    first, second, *_ = summary.reliability(rows)
    assert (first.predicted, first.voted, first.rows) == ([0.9], [0.75], [2])
    assert first.error == pytest.approx(0.15)
    assert (second.predicted, second.voted) == ([0.02], [0.25])
    assert summary.confusion(rows)[0].tolist() == [2, 0, 0, 0, 0, 0]
    soft = summary.soft_confusion(rows)
    np.testing.assert_allclose(soft[:2], [SURE, SURE])
    assert np.isnan(soft[2]).all()


def test_only_bins_of_enough_windows_have_intervals():
    votes = [([4, 0, 0, 0, 0, 0], SURE)] * summary.LEAST_ROWS
    for rows, has_interval in ((votes, True), (votes[1:], False)):
        (of_seizure, *_) = summary.reliability(scored(rows_of(*rows, patients=[*range(len(rows))]), None))
        assert (of_seizure.intervals != [None]) == has_interval


def test_a_model_that_knows_the_truth_errs_by_chance_only_which_patients_and_not_rows_decide():
    ratios = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        truth = random.dirichlet(np.ones(6), 150)
        rows = [(random.multinomial(6, p).tolist(), p.tolist()) for p in truth]
        knows = summary.reliability(scored(rows_of(*rows), None))
        ratios.append(sum(one.error for one in knows) / sum(one.error_by_chance for one in knows))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)
    again = [row for row in rows for _ in range(9)]
    repeated = summary.reliability(scored(rows_of(*again, patients=[i // 9 for i in range(len(again))]), None))
    np.testing.assert_allclose([one.error_by_chance for one in repeated], [one.error_by_chance for one in knows])
    wrong = [(votes, p[1:] + p[:1]) for votes, p in rows]
    assert all(one.error > 1.5 * one.error_by_chance for one in summary.reliability(scored(rows_of(*wrong), None)))


def test_the_gap_closed_has_an_interval_from_the_draws_of_the_kl():
    random = np.random.default_rng(0)
    truth = random.dirichlet(np.full(6, 0.3), 200)
    rows = [(random.multinomial(12, p).tolist(), (0.7 * p + 0.05).tolist()) for p in truth]
    table = rows_of(*rows)
    known = pl.DataFrame({"label_id": table["label_id"]} | {name: truth[:, i] for i, name in enumerate(CLASSES)})
    whole = summary.headline(scored(table, known))
    low, high = whole.gap_interval
    assert 0 < low < whole.gap_closed < high < 1
    few = scored(rows_of(*rows, patients=[i % 3 for i in range(len(rows))]), known)
    assert summary.headline(few).gap_interval is None
    often = np.where(np.arange(200)[:, None] % 9 < 3, truth, truth[::-1])  # right about a third
    half = 0.6 * often + 0.4 * truth.mean(axis=0)
    guessed = pl.DataFrame({"label_id": table["label_id"]} | {name: half[:, i] for i, name in enumerate(CLASSES)})
    whole = summary.headline(scored(table, guessed))
    assert whole.gap_closed is not None
    assert whole.gap_interval is None  # by some draws of patients, the prior is as good as this oracle


def test_the_mean_prediction_per_vote_counts_each_vote_once():
    """A window of twelve votes counts four times as much as one of three."""
    rows = scored(rows_of(([3, 0, 0, 0, 0, 0], SURE), ([12, 0, 0, 0, 0, 0], SURE[::-1])), None)
    np.testing.assert_allclose(summary.soft_confusion(rows)[0], (np.array(SURE) + 4 * np.array(SURE[::-1])) / 5)


def test_the_drawn_windows_are_of_different_patients_and_classes():
    votes = [([0, 9, 0, 0, 0, 0], SURE), ([0, 9, 0, 0, 0, 0], SURE), ([1, 8, 0, 0, 0, 0], SURE), ([9] + [0] * 5, SURE)]
    rows = scored(rows_of(*votes, patients=[1, 1, 2, 3]), None)
    wrong = summary.most_wrong(rows, 2)
    assert wrong["label_id"].to_list() == [0, 2]
    assert summary.most_right(rows, 2, rows[:0])["label_id"].to_list() == [3, 2]
    assert summary.most_right(rows, 2, wrong)["label_id"].to_list() == [3, 1]
    assert summary.most_right(rows, 4, rows)["label_id"].to_list() == []


def test_looks_are_shares_of_every_pair_and_image(run: Path, store: Store):
    whole = quick(config("extractor=[stft_short,spectrogram]", "fusion=attention"))
    model = build(whole["model"]).eval()
    found = attributions_of(model, Windows(store, store.rows[:1], with_spectrogram=True)[0])
    assert len(found.bins) == 25
    assert found.bins[0] == pytest.approx(0, abs=1e-9)  # the STFT looks at the centre alone
    assert max(found.bins) > 1e-6
    assert [(part.title, part.kind) for part in found.parts] == [
        ("Attribution by pair", "pair"),
        ("Attribution by image", "image"),
        ("Attention of spectrogram", "image"),
        ("Fusion's attention to stft_short", "pair"),
        ("Fusion's attention to spectrogram", "image"),
    ]
    for part in found.parts:
        assert len(part.weights) == {"pair": 8, "image": 10}[part.kind]
        assert sum(part.weights.values()) == pytest.approx(1)


def test_each_window_is_attributed_by_the_model_that_predicted_it(run: Path, store: Store, monkeypatch):
    asked = []
    monkeypatch.setattr("hms.report.windows.attributions_of", lambda model, window: asked.append(model))
    names, window = ["fold1_seed0", "fold0_seed0", None, "fold1_seed0"], Windows(store, store.rows[:1], True)[0]
    found = [*_attributions(subject_of_run(run, store.path.parent), names, [window] * 4, "cpu")]
    assert len(found) == 4
    for name, model in zip(("fold1_seed0", "fold0_seed0", "fold1_seed0"), asked, strict=True):
        assert torch.equal(model.fusion.linear.weight, load_model(run / name).fusion.linear.weight)


class Echo(Model):
    """A model whose logits are the first six samples of the first pair."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def classify(self, signals: Signals) -> Logits:
        return Logits(signals.pairs[:, 0, :6], {})


def test_occlusion_measures_the_kl_from_the_prediction_before():
    sure, even = torch.tensor([[[3.0, 0, 0, 0, 0, 0]], [[0.0, 0, 0, 0, 0, 0]]])
    before, after = (Signals(logits[None], None, torch.zeros(1, 6), torch.zeros(1)) for logits in (sure, even))
    p = sure[0].double().softmax(dim=0)
    torch.testing.assert_close(
        _occluded(Echo(), before, [after, before]), torch.stack([(p * (6 * p).log()).sum(), 0 * p[0]])
    )
