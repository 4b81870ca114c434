"""The overview of all timelines in a folder: its order, its table, what failed, and its page in a browser."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from browser import Page
from conftest import Say
from edf_files import write_edf
from timelines import EVIL, noise, timeline
from untrained_runs import a_run

from hms.electrodes import SCALP
from hms.timeline.files import write_failure, write_timeline
from hms.timeline.overview import write_overview
from hms.timeline.page import page

QUIET, LITTLE, MUCH = [0.1] * 180, [0.1] * 170 + [0.9] * 10, [0.1] * 90 + [0.9] * 90
MODEL = "Trained on simulated EEG: a."


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four timelines, 30 min each, the notes on two failures, and JSON that is none of ours."""
    out = tmp_path_factory.mktemp("ward")
    start = datetime(2024, 3, 5, 22, 15, tzinfo=UTC)
    for name, shares in (("quiet", QUIET), ("anna/day 1/EEG", LITTLE), (EVIL.replace("/", ""), MUCH), ("gap", [None])):
        shown = timeline({"seizure": shares}, start=start if name == "quiet" else None)
        shown = shown._replace(
            path=Path(f"ward/{name}.edf"), notes=[MODEL, *(["Interpolated: O2."] if name == "quiet" else [])]
        )
        path = out / name
        write_timeline(path.parent, path.name, shown, page(shown, [], name), edf=False)
    write_failure(out / "ben", "EEG", Path("ward/ben/EEG.edf"), f"no EEG ({EVIL})")
    write_failure(out, "quiet", Path("ward/quiet.edf"), "not there any more")
    (out / "broken.json").write_text('{"file": ')
    (out / "settings.json").write_text('{"file": "x", "burden": 1}')
    write_overview(out)
    return out


def test_the_table_begins_with_most_seizure_and_ends_with_what_failed(ward: Path):
    table = pl.read_csv(ward / "recordings.csv")
    most = EVIL.replace("/", "")
    assert table["recording"].to_list() == [most, "anna/day 1/EEG", "quiet", "gap", "ben/EEG"]
    assert table["failed"].to_list() == [None, None, "not there any more", None, f"no EEG ({EVIL})"]
    assert table["seizure_percent"].to_list() == [50, pytest.approx(5.56), 0, None, None]
    assert table["seizure_s"].to_list() == [900, 100, 0, 0, None]
    assert table["longest_seizure_s"].to_list() == [900, 100, 0, 0, None]
    assert table["seizure_events"].to_list() == [1, 1, 0, 0, None]
    assert table["start"].to_list() == [None, None, "2024-03-05 22:15:00", None, None]
    assert table["status_epilepticus"].to_list()[:2] == ["15 min without a dip from 0:15:00", None]
    assert table.filter(pl.col("recording") == "quiet")["notes"].to_list() == [f"{MODEL} Interpolated: O2."]
    assert (ward / table["page"][1]).is_file()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_the_page_links_to_each_timeline_and_back(chromium: Page, ward: Path, width: int, dark: bool):
    chromium.events.clear()
    chromium.open(ward / "index.html", width, dark)
    assert chromium.errors == []
    assert chromium.requests == [(ward / "index.html").as_uri()]
    assert chromium.value("document.documentElement.scrollWidth") <= width
    links = chromium.value("[...document.querySelectorAll('.recordings a')].map((one) => one.href)")
    assert links[1] == (ward / "anna/day 1/EEG.html").as_uri()
    for link in links:
        chromium.send("Page.navigate", url=link)
        chromium.wait_for(f"location.href === {json.dumps(link)} && document.documentElement.dataset.ready === 'true'")
        assert chromium.value("document.querySelector('.kicker a').href") == (ward / "index.html").as_uri()


def test_the_head_of_a_column_sorts_by_it(chromium: Page, ward: Path):
    chromium.open(ward / "index.html", 1280)
    names = "[...document.querySelectorAll('.recordings a')].map((one) => one.textContent)"
    assert chromium.value(names)[1] == "anna/day 1/EEG"
    chromium.value("document.querySelector('.recordings button').click()")
    assert chromium.value(names)[-1] == "quiet"
    chromium.value("document.querySelector('.recordings button').click()")
    assert chromium.value(names)[0] == "quiet"
    for _ in range(2):
        chromium.value("document.querySelectorAll('.recordings button')[3].click()")
    assert chromium.value(names)[-2] == "anna/day 1/EEG"
    assert chromium.value("document.querySelector('[aria-sort]').textContent") == "Seizure"


def test_what_all_timelines_note_is_said_once_and_a_possible_status_named(ward: Path):
    text = (ward / "index.html").read_text()
    assert text.count(MODEL) == 1
    both = "<li>Interpolated: O2.</li><li>When last tried: not there any more</li>"
    assert f"<summary>2 notes</summary><ul>{both}</ul>" in text
    assert text.count("<strong>Possible status epilepticus</strong>: 15 min without a dip from 0:15:00.") == 1
    assert EVIL not in text


def test_timelines_of_several_models_or_thresholds_each_say_theirs(tmp_path: Path):
    for name, threshold in (("a", 0.5), ("b", 0.7)):
        shown = timeline({"seizure": QUIET})._replace(path=Path(f"{name}.edf"), threshold=threshold)
        write_timeline(tmp_path, name, shown, page(shown, [], name), edf=False)
    write_overview(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "<dt>threshold</dt><dd>0.5; 0.7</dd>" in text
    assert (text.count("<p>threshold 0.5</p>"), text.count("<p>threshold 0.7</p>")) == (1, 1)  # but not by which model


def test_a_command_lists_what_earlier_ones_wrote_until_it_is_deleted(say: Say, tmp_path: Path):
    run, out = str(a_run(tmp_path / "one-1a", 1, "extractor=stft_short")), tmp_path / "out"
    for seed, name in enumerate(("a", "b", "index")):
        write_edf(tmp_path / f"{name}.edf", noise(30, 100, seed), SCALP, 100)
    listed = []
    for name in ("a", "b", "index"):
        say(run, f"recording={tmp_path / name}.edf", f"out={out}", "windows=0")
        listed.append(sorted(pl.read_csv(out / "recordings.csv")["recording"]))
    assert listed == [["a"], ["a", "b"], ["a", "b", "index.edf"]]
    (out / "a.json").unlink()
    (tmp_path / "c.edf").write_text("no EDF")
    words = [run, f"recording=[{tmp_path / 'b.edf'},{tmp_path / 'c.edf'}]", f"out={out}", "windows=0"]
    say(*words, code=1)
    table = pl.read_csv(out / "recordings.csv").select("recording", "failed")
    assert sorted(table["recording"]) == ["b", "c", "index.edf"]
    assert table.row(2) == ("c", "not an EDF or BDF file (it begins with 'no EDF')")
    write_edf(tmp_path / "c.edf", noise(30, 100), SCALP, 100)
    say(*words)
    assert pl.read_csv(out / "recordings.csv")["failed"].null_count() == 3
    assert not (out / "c.failed").exists()


@pytest.mark.parametrize("name", ["index.html", "recordings.csv"])
def test_a_file_of_somebody_elses_is_not_replaced_by_an_overview(say: Say, tmp_path: Path, name: str):
    run = str(a_run(tmp_path / "one-1a", 1, "extractor=stft_short"))
    write_edf(tmp_path / "x.edf", noise(30, 100), SCALP, 100)
    (tmp_path / name).write_text("recording,patient_id\n")
    _, said = say(run, f"recording={tmp_path / 'x.edf'}", f"out={tmp_path}", code=1)
    wish = f"out: want a folder without a {name} from elsewhere, which an overview would replace"
    assert f"{wish}, got '{tmp_path}'" in said
    assert (tmp_path / name).read_text() == "recording,patient_id\n"


def test_a_recording_whose_name_changed_stands_in_the_table_once(tmp_path: Path):
    for name, model in (("EEG", "old"), ("anna/EEG", "new")):
        made_by = {"models": [], "predicted_by": model}
        shown = timeline({"seizure": MUCH})._replace(path=Path("ward/anna/EEG.edf"), origin=made_by)
        path = tmp_path / name
        write_timeline(path.parent, path.name, shown, page(shown, [], name), edf=False)
    os.utime(tmp_path / "EEG.json", (0, 0))
    write_failure(tmp_path / "old", "EEG", Path("ward/anna/EEG.edf"), "no EEG")
    os.utime(tmp_path / "old/EEG.failed", (0, 0))
    write_overview(tmp_path)
    table = pl.read_csv(tmp_path / "recordings.csv")
    assert table.select("recording", "predicted_by", "failed").rows() == [("anna/EEG", "new", None)]


def test_a_failure_leaves_a_recording_called_like_it_alone(tmp_path: Path):
    for name in ("night-failed", "night.failed", "night"):
        shown = timeline({"seizure": QUIET})._replace(path=Path(f"{name}.edf"))
        write_timeline(tmp_path, name, shown, page(shown, [], name), edf=False)
    write_failure(tmp_path, "night", Path("night.edf"), "not there any more")
    write_overview(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "<dt>without a timeline</dt><dd>0</dd>" in text, "it has an earlier one"
    assert "<li>When last tried: not there any more</li>" in text
    table = pl.read_csv(tmp_path / "recordings.csv")
    assert {*table["recording"]} == {"night-failed", "night.failed", "night"}
    assert table.filter(pl.col("failed").is_not_null())["recording"].to_list() == ["night"]


def test_a_timeline_of_another_recording_is_not_replaced(tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch):
    words = [str(a_run(tmp_path / "one-1a", 1, "extractor=stft_short")), "windows=0", f"out={tmp_path / 'out'}"]
    for patient in ("anna", "ben"):
        (tmp_path / patient).mkdir()
        write_edf(tmp_path / patient / "EEG.edf", noise(30, 100), SCALP, 100)
    monkeypatch.chdir(tmp_path / "anna")
    for _ in range(2):  # it may be predicted again
        say(*words, "recording=EEG.edf")
    monkeypatch.chdir(tmp_path / "ben")
    _, said = say(*words, "recording=EEG.edf", code=1)
    wish = f"out: want a folder in which 'EEG' is no other recording ('{tmp_path / 'anna/EEG.edf'}')"
    assert f"{wish}, got '{tmp_path / 'out'}'; predict both by one command, or name another folder" in said
    (tmp_path / "anna/EEG.edf").unlink()
    say(*words, "recording=EEG.edf")
