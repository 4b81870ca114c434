"""Timelines: tables, events, annotations that MNE loads, and a page that opens, through the command line."""

import base64
import io
import json
import re
import shutil
import warnings
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import polars as pl
import pytest
from browser import Page
from conftest import Say, real
from edf_files import write_edf
from material import a_run
from PIL import Image

from hms.electrodes import SCALP
from hms.labels import CLASSES, CONSENSUS_NAMES, VOTE_COLUMNS
from hms.page.traces import draw
from hms.prediction.inference import Compute
from hms.prediction.predictors import read_predictors
from hms.recording.recording import open_recording
from hms.recording.source import Annotation, Span
from hms.runs.checkpoint import load_model
from hms.spectrogram_recipe import FREQUENCIES_HZ
from hms.timeline import chart
from hms.timeline.annotations import write_edf as write_annotations
from hms.timeline.clock import clock
from hms.timeline.drawn import Drawn, chosen_rows, drawn_for
from hms.timeline.events import burden, events, totals
from hms.timeline.files import write_timeline
from hms.timeline.notes import notes
from hms.timeline.options import TimelineOptions
from hms.timeline.origin import origin
from hms.timeline.page import page
from hms.timeline.predicted import pairs_of, predict_recording, windows_of
from hms.timeline.status import reasons, status_epilepticus
from hms.timeline.timeline import Timeline, extent, predicted_minutes, spans_s

EVIL = "<img src=x onerror=alert(1)>&amp;'"
"""The name of a file that would run a script on a page that does not escape it."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model that reads only EEG, and one that also reads the spectrogram."""
    base = tmp_path_factory.mktemp("runs")
    small = ("extractor=[stft_short,spectrogram]", "preprocess=original")
    return [a_run(base / "one-1a", 1, "extractor=stft_short"), a_run(base / "two-2b", 1, *small)]


def noise(seconds: float, sfreq_hz: int, seed: int = 0) -> np.ndarray:
    return 30 * np.random.default_rng(seed).normal(size=(19, round(seconds * sfreq_hz)))


def timeline(shares: dict[str, list[float | None]], step_s: float = 10, start: datetime | None = None) -> Timeline:
    """A timeline of these probabilities; `other` gets the rest."""
    rows = len(next(iter(shares.values())))
    columns = {name: shares.get(name, [0.0] * rows) for name in CLASSES[:-1]}
    rest = [None if None in row else 1 - sum(row) for row in zip(*columns.values(), strict=True)]
    onsets_s = float(step_s) * np.arange(rows)
    table = pl.DataFrame({"onset_s": onsets_s, "duration_s": np.full(rows, 10.0), **columns, "other": rest})
    power = np.full((4, 5 * rows, 100), 1.0, np.float32)
    return Timeline(
        Path(f"{EVIL}.edf"),
        start,
        step_s * (rows - 1) + max(step_s, 10),
        256.0,
        table,
        power,
        0.5,
        (),
        [],
        [],
        {"models": [], "predicted_by": "a model"},
        [],
    )


# Events and burden


def rows(found: pl.DataFrame) -> list[tuple]:
    return found.drop("surest_s").rows()


def test_windows_that_touch_are_one_event():
    shown = timeline({"seizure": [0.6, 0.7, 0.1, 0.1, 0.5, 0, 0, 0.9], "lpd": [0.2, 0.1, 0.8, 0.2, 0.2, 0, 0, 0]})
    found = events(shown)
    each = [("seizure", 0, 20, 0.7), ("lpd", 20, 10, 0.8), ("seizure", 40, 10, 0.5), ("seizure", 70, 10, 0.9)]
    assert rows(found) == each
    assert found["surest_s"].to_list() == [10, 20, 40, 70]
    assert events(timeline({"seizure": [0.6, 0.7, 0.1]}, step_s=5)).row(0) == ("seizure", 0, 12.5, 0.7, 5)
    apart = events(timeline({"seizure": [0.6, 0.7, 0.1]}, step_s=20))
    assert apart["duration_s"].to_list() == [10, 10]


def test_a_dip_of_one_window_does_not_end_an_event():
    (one,) = rows(events(timeline({"seizure": [0.1, 0.9, 0.1, 0.8, 0.9, 0.2, 0.6]})))
    assert one == ("seizure", 10, 60, 0.9)
    assert len(events(timeline({"seizure": [0.9, 0.1, 0.1, 0.9]}))) == 2
    dip = [0.9] * 10 + [0.1] * 4 + [0.9] * 10  # 10 s of spans
    (one,) = rows(events(timeline({"seizure": dip}, step_s=2.5)))
    assert one == ("seizure", 0, pytest.approx(23 * 2.5 + 10), 0.9)
    assert len(events(timeline({"seizure": [0.9] * 10 + [0.1] * 5 + [0.9] * 10}, step_s=2.5))) == 2


def test_a_short_time_without_a_prediction_does_not_end_an_event_and_is_not_counted_as_one():
    shown = timeline({"seizure": [0.9, 0.9, None, 0.8, 0.1, None]})
    assert rows(events(shown)) == [("seizure", 0, 40, 0.9)]
    assert burden(shown)[0, 0] == pytest.approx(0.5)
    seizure = totals(shown)["seizure"]
    assert (seizure.minutes, seizure.share, seizure.longest_s, seizure.busiest_s) == (0.5, 0.75, 40, 30)
    mixed = [0.9] * 10 + [0.1, None, 0.1] + [0.9] * 10
    assert len(events(timeline({"seizure": mixed}, step_s=2.5))) == 1
    for longer in ([0.9, 0.9, None, None, 0.9, 0.9], [None, None, 0.9, None], [0.9, None, 0.1, 0.9]):
        assert events(timeline({"seizure": longer}))["duration_s"].max() <= 20
    assert events(timeline({"seizure": [0.9, None] * 30}))["duration_s"].max() == 30  # a third at most
    assert events(timeline({"seizure": [0.9] * 6}, step_s=13))["duration_s"].to_list() == [10] * 6


def test_an_artefact_of_ten_seconds_does_not_hide_status_epilepticus():
    half = [0.9] * 30
    (one,) = status_epilepticus(timeline({"seizure": [*half, None, *half]}))
    why = "10 min 10 s without a dip from 0:00:00, of which 10 s without a prediction"
    assert (one.duration_s, one.why) == (610, why)
    assert status_epilepticus(timeline({"seizure": [*half, None, None, *half]})) == []
    assert status_epilepticus(timeline({"seizure": [*half, None, *half[:-1]]})) == []  # 9 min 50 s of seizure
    on = [*[0.9] * 35, None, 0.9]  # 6 min, and 10 s that are not known to be seizure
    assert status_epilepticus(timeline({"seizure": [*on, *[0.1] * 200, *on[:-1]]})) == []


@pytest.mark.parametrize("between", [0.1, None])
def test_ten_minutes_of_status_epilepticus_are_at_the_threshold(between: float | None):
    """An event of 10 min 20 s, 3 min 20 s of which lie between its parts, is no seizure of 10 min."""
    shown = timeline({"seizure": [0.9, 0.9, between] * 21 + [0.1] * 10})
    assert events(shown)["duration_s"].to_list() == [620]
    assert status_epilepticus(shown) == []


def test_ten_minutes_of_status_epilepticus_have_no_dip():
    """20 s of seizure and 10 s below the threshold, in turn, are an event of 15 min, but nowhere continuous."""
    shown = timeline({"seizure": [0.9, 0.9, 0.1] * 31})
    assert (events(shown)["duration_s"].to_list(), totals(shown)["seizure"].minutes) == ([920], pytest.approx(31 / 3))
    assert status_epilepticus(shown) == []
    (hour,) = status_epilepticus(timeline({"seizure": [0.9, 0.9, 0.1] * 36}))
    assert hour.why == "12 min of events in the 18 min from 0:00:00"
    shown = timeline({"seizure": [*[0.9] * 30, 0.1, *[0.9] * 25, None, *[0.9] * 35, 0.1, 0.9]})
    assert events(shown)["duration_s"].to_list() == [940]
    _, part = status_epilepticus(shown)
    why = "10 min 10 s without a dip from 0:05:10, of which 10 s without a prediction"
    assert (part.onset_s, part.duration_s, part.why) == (310, 610, why)


def test_at_most_a_third_of_the_ten_minutes_may_lie_without_a_prediction():
    """Twenty minutes, a dip, and 10 s in turn with and without a prediction, which the whole event has room for."""
    shown = timeline({"seizure": [0.9] * 122 + [0.1] + [0.9, None] * 60})
    assert events(shown)["duration_s"].max() > 2000
    assert [one.duration_s for one in status_epilepticus(shown)] == [1220, 2430]


def test_only_time_at_the_threshold_counts():
    """Ten events of 80 s, 20 s of each in dips, are 10 min of seizure in the hour, not 13."""
    shares = ([0.9, 0.9, 0.1] * 2 + [0.9, 0.9] + [0.1] * 28) * 10
    shown = timeline({"seizure": shares})
    assert events(shown)["duration_s"].to_list() == [80] * 10
    seizure, other = totals(shown)["seizure"], totals(shown)["other"]
    assert (seizure.minutes, seizure.busiest_s, seizure.longest_s) == (pytest.approx(10), pytest.approx(600), 80)
    assert seizure.minutes + other.minutes == pytest.approx(60)
    assert burden(shown)[0, 0] == pytest.approx(10)
    assert status_epilepticus(shown) == []
    assert (text := page(shown, [])).count("<td>10.0</td>") == 3  # of the hour, in all, and in any 60 minutes
    assert "no longer than the parts they join, and a third of the event at most" in text


def test_page_and_summary_explain_a_longest_event_above_the_minutes_in_all(tmp_path: Path):
    shown = timeline({"seizure": [0.9, 0.9, 0.1] * 21})
    write_timeline(tmp_path, "x", shown, text := page(shown, []), edf=False)
    seizure = json.loads((tmp_path / "x.json").read_text())["burden"]["seizure"]
    assert (seizure["minutes"], seizure["most_minutes_of_60"], seizure["longest_minutes"]) == (7, 7, 10.333)
    assert "longest from onset to end" in text
    assert "so it can exceed the minutes in all" in text


def test_blips_between_longer_dips_do_not_add_up_to_an_event():
    assert len(events(timeline({"seizure": ([0.9] + [0.1] * 3) * 100}, step_s=2.5))) == 0
    assert len(events(timeline({"seizure": [0.9] * 10 + ([0.1] * 3 + [0.9]) * 100}, step_s=2.5))) == 1
    flickering = timeline({"seizure": [0.51, 0.49] * 33})
    assert events(flickering)["duration_s"].max() == 30
    assert status_epilepticus(flickering) == []


def test_what_is_shorter_than_ten_seconds_or_other_is_no_event():
    shares = [0.1] * 8 + [0.9] * 3 + [0.1] * 9 + [0.9] * 4 + [0.1] * 8
    shown = timeline({"seizure": shares}, step_s=2.5)
    assert rows(events(shown)) == [("seizure", 53.75, 10, 0.9)]
    assert burden(shown)[0, 0] == pytest.approx(10 / 60)
    assert totals(shown)["other"].minutes == pytest.approx((60 * predicted_minutes(shown).sum() - 17.5) / 60)


def test_totals_are_of_the_whole_recording():
    on = [i in range(100, 130) or i in range(400, 496) for i in range(1080)]
    shown = timeline({"seizure": [0.9 if one else 0.1 for one in on], "lpd": [0.0] * 1079 + [None]})
    seizure, lpd = totals(shown)["seizure"], totals(shown)["lpd"]
    assert (seizure.minutes, seizure.longest_s) == (pytest.approx(21), 960)
    assert seizure.share == pytest.approx(1260 / 10_790)
    assert (lpd.minutes, lpd.share, lpd.longest_s, lpd.busiest_s) == (0, 0, 0, 0)
    assert seizure.busiest_s == 960
    together = timeline({"seizure": [0.9 if i % 30 < 6 else 0.1 for i in range(400)]})
    assert totals(together)["seizure"].busiest_s == pytest.approx(720)


@pytest.mark.parametrize(
    ("on", "found"),
    [
        (range(400, 460), ["10 min without a dip from 1:06:40"]),
        (range(400, 459), []),
        ([*range(0, 36), *range(324, 360)], ["12 min of events in the 60 min from 0:00:00"]),
        ([*range(0, 36), *range(325, 361)], []),
        (range(0, 120), ["20 min without a dip from 0:00:00"]),
        (
            [*range(300, 420), 430],
            ["20 min without a dip from 0:50:00", "20 min 10 s of events in the 60 min from 0:50:00"],
        ),
    ],
)
def test_seizures_meet_the_criterion_of_status_epilepticus_by_ten_minutes_or_a_fifth_of_an_hour(on, found):
    shown = timeline({"seizure": [0.9 if i in on else 0.1 for i in range(720)]})
    assert [one.why for one in status_epilepticus(shown)] == found
    assert ("would be met" in page(shown, [])) == bool(found)
    assert any("electrographic status epilepticus" in note for note in notes(shown, np.full(720, 50.0))) == bool(found)


def status_hours(*begins: int, runs: int = 26, last: int = 8640) -> Timeline:
    """Runs of 30 s of seizure, 130 s from one to the next, from each of these windows on."""
    on = {begin + 13 * run + i for begin in begins for run in range(runs) for i in range(3)}
    return timeline({"seizure": [0.9 if i in on else 0.1 for i in range(last)]})


def test_every_hour_of_status_epilepticus_is_reported_in_order_of_time(tmp_path: Path):
    shown = status_hours(720, 7200)
    why = [f"13 min of events in the 60 min from {hour}:00:00" for hour in (2, 20)]
    (note, *_) = notes(shown, np.full(8640, 50.0))
    write_timeline(tmp_path, "x", shown._replace(notes=[note]), text := page(shown, []), edf=False)
    found = json.loads((tmp_path / "x.json").read_text())["status_epilepticus"]
    assert [one["why"] for one in found] == [one.why for one in status_epilepticus(shown)] == why
    assert f"any 60 min): {why[0]}; {why[1]}. Review the EEG." in note
    assert f"{why[0]}; {why[1]}." in text
    assert '<path class="status" d="M7200 2h3600M72000 2h3600">' in text


def test_no_twelve_minutes_between_reported_hours_are_left_out():
    """13 min 20 s of seizures lie in the 50 min between two fuller hours, 9 min before the first."""
    half, few = np.arange(360) % 2 == 0, np.abs(np.arange(300) % 30 - 14.5) < 4
    on = np.concatenate([np.arange(400) < 54, half, few, half, np.zeros(400, bool)])
    shown = timeline({"seizure": np.where(on, 0.9, 0.1).tolist()})
    found = status_epilepticus(shown)
    assert [(one.onset_s, one.onset_s + one.duration_s) for one in found] == [
        (4000, 7600),
        (7710, 10_600),
        (10_600, 14_200),
    ]
    assert found[1].why == "13 min 20 s of events in the 48 min 10 s from 2:08:30"


def test_a_seizure_of_hours_is_reported_once():
    shown = timeline({"seizure": [0.9] * 1080 + [0.1] * 720})
    assert [one.why for one in status_epilepticus(shown)] == ["3 h without a dip from 0:00:00"]
    assert totals(shown)["seizure"].busiest_s == 3600


def test_a_note_names_the_first_times_and_counts_the_rest():
    found = status_epilepticus(status_hours(*range(0, 4680, 360), runs=26))
    assert len(found) == 13
    text = reasons(found)
    assert text.endswith("; 13 min of events in the 60 min from 9:00:00; and 3 more, listed in the JSON file")
    assert "more" not in reasons(found[:10])


@pytest.mark.parametrize(
    ("step_s", "missed"),
    [(10, None), (15, "may be missed, 40 min"), (50, "may be missed, 12 min"), (60, "cannot be found, 10 min")],
)
def test_windows_that_are_apart_are_said_to_miss_status_epilepticus(step_s: int, missed: str | None):
    rows = 6 * 3600 // step_s
    shown = timeline({"seizure": [1.0] * rows}, step_s)
    found = [*notes(shown, np.full(rows, 50.0))]
    text = (
        "Status epilepticus {}: only predicted time counts, which is never 10 continuous minutes, and at most {} of 60 "
    )
    text += "min. With step_s=10, all time would count."
    assert [one for one in found if "10, all" in one] == ([text.format(*missed.split(", "))] if missed else [])
    assert any("would meet the criterion" in one for one in found) == bool(status_epilepticus(shown)) == (step_s <= 50)


def test_burden_is_minutes_of_each_hour():
    found = burden(timeline({"gpd": [0.0] * 357 + [1.0] * 6 + [0.0] * 100}))
    assert found.shape == (2, 6)
    np.testing.assert_allclose(found[:, CLASSES.index("gpd")], [0.5, 0.5])
    np.testing.assert_allclose(found.sum(axis=1), [60, (463 - 360) / 6])


@pytest.mark.parametrize("step_s", [1, 2, 3.7, 5, 7, 10, 13, 30, 4000])
def test_no_second_counts_twice_whatever_the_step(step_s: float):
    rng = np.random.default_rng(int(step_s))
    shares = rng.choice([0.0, 0.2, 0.6, 1.0, None], size=max(2, int(9000 / step_s)))
    shown = timeline({"seizure": shares.tolist()}, step_s)
    begins_s, ends_s = spans_s(shown)
    assert (begins_s < ends_s).all()
    assert (ends_s[:-1] <= begins_s[1:]).all()
    assert (ends_s - begins_s).max() <= 10
    found, predicted = burden(shown), predicted_minutes(shown)
    assert predicted.max() <= 60 + 1e-9
    assert (found <= predicted[:, None] + 1e-9).all()
    known = shown.table["other"].is_not_null().to_numpy()
    np.testing.assert_allclose(60 * predicted.sum(), (ends_s - begins_s)[known].sum())
    reached = (shown.table["seizure"].fill_null(0) >= 0.5).to_numpy()
    claimed = events(shown)
    assert {*claimed["label"]} <= {"seizure"}
    assert claimed["duration_s"].min() >= 10 - 1e-6
    reached_of_it_s = sum(
        np.clip(np.minimum(ends_s[reached], onset_s + long_s) - np.maximum(begins_s[reached], onset_s), 0, None).sum()
        for onset_s, long_s in claimed.select("onset_s", "duration_s").rows()
    )
    assert reached_of_it_s == pytest.approx(60 * found[:, 0].sum())
    assert (claimed["onset_s"] + claimed["duration_s"] <= claimed["onset_s"].shift(-1, fill_value=1e9) + 1e-9).all()


def test_windows_that_overlap_share_the_time_between_them():
    two_of_six = burden(timeline({"seizure": [1.0, 1.0, 0, 0, 0, 0] * 240}, step_s=5))
    assert two_of_six[:2, 0] == pytest.approx([20, 20], abs=0.1)
    in_turn = timeline({"seizure": [*[1.0] * 12, *[0.0] * 12] * 75, "lpd": [*[0.0] * 12, *[1.0] * 12] * 75}, step_s=2)
    assert burden(in_turn)[0, :2] == pytest.approx([30, 30], abs=0.2)


def test_summary_and_page_say_how_much_was_predicted(tmp_path: Path):
    shown = timeline({"seizure": [0.9] * 90 + [0.1] * 90 + [None] * 540})
    write_timeline(tmp_path, "x", shown, text := page(shown, []), edf=False)
    summary = json.loads((tmp_path / "x.json").read_text())
    assert (summary["minutes_predicted"], summary["minutes_predicted_of_each_hour"]) == (30, [30, 0])
    assert summary["burden"]["seizure"] == {
        "minutes": 15,
        "share": 0.5,
        "longest_minutes": 15,
        "most_minutes_of_60": 15,
    }
    assert [one["duration_s"] for one in summary["status_epilepticus"]] == [900]
    assert "50.0 % of the predicted time" in text
    assert text.count("<td class=muted>nothing</td>") == 1
    nothing = page(timeline({"seizure": [None] * 9}), [])
    assert "nothing was predicted" in nothing
    assert "No window has a prediction, so none is drawn." in nothing
    assert "Nothing was predicted, so no event can be found." in nothing
    assert "No pattern reaches" not in nothing
    assert "No pattern reaches 50\u00a0% for 10 s in this recording." in page(timeline({"seizure": [0.1] * 9}), [])


def test_one_window_is_not_called_windows():
    one = timeline({"seizure": [0.1]})._replace(duration_s=9.59375)
    assert extent(one) == "1 window in 9.6 s"
    assert extent(timeline({"seizure": [0.1] * 8640})) == "8,640 windows in 24 h, one every 10 s"
    (row,) = one.table.iter_rows(named=True)
    drawn = [Drawn(0.0, {name: row[name] for name in CLASSES}, draw(np.zeros((20, 10_000), np.float32)))]
    assert "The only window is drawn." in page(one, drawn)
    assert "1 of 9 windows is drawn: " in page(timeline({"seizure": [0.1] * 9}), drawn)


# What is drawn


def test_the_surest_windows_of_each_class_and_hour_are_drawn_first():
    seizure = [0.9 if i in (50, 400) else 0.1 for i in range(720)]
    lpd = [0.7 if 100 <= i < 110 else 0.0 for i in range(720)]
    shown = timeline({"seizure": seizure, "lpd": lpd})
    rows = chosen_rows(shown, 6)
    assert rows["onset_s"].is_sorted()
    assert {500.0, 4000.0} < {*rows["onset_s"]}
    assert sum(1000 <= onset_s < 1100 for onset_s in rows["onset_s"]) == 2
    assert rows.columns == shown.table.columns
    assert chosen_rows(shown, 10_000).equals(shown.table)


def test_the_surest_window_of_each_event_is_drawn_before_others():
    shares = [0.1, 0.6, 0.7, 0.6, 0.1, 0.1, 0.9, 0.8, 0.1, 0.1, 0.8, 0.1, 0.1, 0.55, 0.1]
    shown = timeline({"seizure": shares, "gpd": [0.0] * 14 + [0.8]})
    assert chosen_rows(shown, 5)["onset_s"].to_list() == [20, 60, 100, 130, 140]
    assert chosen_rows(shown, 2)["onset_s"].to_list() == [60, 140]
    assert len(chosen_rows(shown, 9)) == 9
    flat = draw(np.zeros((20, 10_000), np.float32))
    drawn = [Drawn(onset_s, dict(zip(CLASSES, shown.table.row(int(onset_s) // 10)[2:], strict=True)), flat)
             for onset_s in (0.0, 20.0, 30.0, 70.0, 140.0)]  # fmt: skip
    assert drawn_for(events(shown), shown, drawn) == [1, 3, None, None, 4]
    assert drawn_for(events(shown), shown, []) == [None] * 5
    buttons = re.findall(r"<li><button (disabled|data-window=\"\d\")", page(shown, drawn))
    assert buttons == ['data-window="1"', 'data-window="3"', "disabled", "disabled", 'data-window="4"']


def test_areas_stack_to_one_and_are_empty_without_prediction():
    steps = chart.steps(timeline({"seizure": [0.2, None], "lpd": [0.4, None]}))
    found = {one.name: one.path for one in chart.areas(*steps)}
    assert [*found] == [*CLASSES[::-1]]
    assert found["seizure"] == "M0 500v-100h10v100H20V500z"
    assert found["lpd"] == "M0 500v-300h10v300H20V500z"
    assert found["other"] == "M0 500v-500h10v500H20V500z"


def test_a_window_is_drawn_where_no_other_is_nearer():
    edges_s, _ = chart.steps(timeline({"seizure": [0.2, 0.4, 0.6]}, step_s=5))
    assert edges_s.tolist() == [0, 7.5, 12.5, 20]


def test_many_windows_are_drawn_by_their_means():
    edges_s, shares = chart.steps(timeline({"seizure": [0.2, 0.4] * 15_000}))
    assert len(shares) == len(edges_s) - 1 == 15_000
    np.testing.assert_allclose(shares[:, 0], 0.3)


def test_windows_without_a_prediction_leave_their_groups_mean_to_the_others():
    shown = timeline({"seizure": [0.2, None, 0.4, 0.4, None, None] * 5000})
    edges_s, shares = chart.steps(shown)
    assert edges_s[:4].tolist() == [0, 20, 40, 60]
    np.testing.assert_allclose(shares[:3, 0], [0.2, 0.4, np.nan])
    data = json.loads(re.search(r'id="data">(.*?)</script>', page(shown, [])).group(1))
    assert [(step[0], step[5]) for step in data["shares"][:3]] == [(20, 80), (40, 60), (None, None)]


def test_the_spectrogram_of_days_is_drawn_by_means_of_what_is_known():
    power = np.full((4, 4801, 100), np.nan, np.float32)
    power[:, 0], power[:, 4:6], power[:, 4800] = 10.0, 100.0, 1.0
    ((_, source, *_), *_), within = chart.pictures(timeline({"seizure": [0.1] * 960})._replace(spectrogram=power))
    image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGBA")
    assert (image.size, within) == ((1601, 100), (0, 25))
    assert [image.getpixel((x, 50))[3] for x in (0, 1, 2, 1599, 1600)] == [255, 255, 0, 0, 255]


def test_nothing_is_drawn_between_windows_that_are_far_apart():
    edges_s, shares = chart.steps(timeline({"seizure": [0.2, 0.4]}, step_s=30))
    assert edges_s.tolist() == [0, 10, 30, 40, 60]
    np.testing.assert_array_equal(shares[:, 0], [0.2, np.nan, 0.4, np.nan])


def test_the_time_axis_counts_from_midnight_or_from_the_start():
    start = datetime(2024, 3, 5, 21, 50, 0, tzinfo=UTC)
    (whole, *_) = chart.zooms(timeline({"seizure": [0.1] * 360}, start=start))
    assert [text for _, text in whole.ticks[:3]] == ["21:50", "21:55", "22:00"]
    (whole, *closer) = chart.zooms(timeline({"seizure": [0.1] * 8640}))
    assert [text for _, text in whole.ticks[:2]] == ["0:00", "2:00"]
    assert [zoom.name for zoom in closer] == ["6 h", "1 h"]
    assert closer[0].factor == 4


def test_a_recording_of_many_days_has_ticks_some_days_apart_and_closer_zooms():
    start = datetime(2024, 3, 5, 21, 50, 0, tzinfo=UTC)
    thirty, hundred = (chart.zooms(timeline({"seizure": [0.1] * days}, 86_400, start)) for days in (30, 100))
    assert [zoom.name for zoom in thirty] == ["all", "10 days", "1 day"]
    assert [text for _, text in thirty[0].ticks] == ["06 Mar", "11 Mar", "16 Mar", "21 Mar", "26 Mar", "31 Mar"]
    assert thirty[0].ticks[0][0] == pytest.approx(100 * 7800 / (30 * 86_400))
    assert thirty[1].ticks[1][1] == "07 Mar"
    assert [text for _, text in thirty[2].ticks[:2]] == ["22:00", "06 Mar"]
    assert all(len(zoom.ticks) / zoom.factor <= 12.1 for zoom in [*thirty, *hundred])
    assert [zoom.name for zoom in hundred] == ["all", "10 days"]


def test_times_in_a_recording_of_over_24_h_include_the_date():
    shown = timeline({"seizure": [0.1] * 20_000}, start=datetime(2024, 3, 5, 21, 50, 0, tzinfo=UTC))
    times = ["05 Mar 21:50:00", "05 Mar 22:50:00", "06 Mar 22:50:00"]
    assert [clock(at_s, shown) for at_s in (0, 3600, 90_000)] == times
    (whole, *_) = chart.zooms(shown)
    assert [text for _, text in whole.ticks[:4]] == ["06 Mar", "06:00", "12:00", "18:00"]
    assert '<th scope="row">07 Mar 04:50</th>' in page(shown, [])


# The command


def test_a_recording_becomes_a_timeline(runs: list[Path], say: Say, tmp_path: Path):
    path = write_edf(tmp_path / "night.edf", noise(100, 256), [f"EEG {name}-Ref" for name in (*SCALP[:-1], "M1")])
    out = tmp_path / "out"
    printed, said = say(str(runs[0]), f"recording={path}", f"out={out}", "threshold=0.01", "edf=true", "windows=1")
    assert printed == f"{out}/night.html: 10 windows in 1 min 40 s, one every 10 s, by 1 model of 1 run\n"
    assert "Interpolated: O2." in said
    names = "night-annot.edf night-annot.fif night.csv night.html night.json night.parquet"
    assert sorted(file.name for file in out.iterdir()) == names.split()
    table = pl.read_parquet(out / "night.parquet")
    assert table.columns == ["onset_s", "duration_s", *CLASSES]
    assert table["onset_s"].to_list() == [10 * i for i in range(10)]
    np.testing.assert_allclose(table.select(CLASSES).sum_horizontal(), 1, rtol=1e-6)
    np.testing.assert_allclose(pl.read_csv(out / "night.csv"), table, atol=1e-6)
    summary = json.loads((out / "night.json").read_text())
    assert (summary["interpolated"], summary["start"]) == (["O2"], "2024-03-05T21:30:00")
    raw = mne.io.read_raw_edf(path, verbose="error")
    for kind in ("fif", "edf"):
        found = mne.read_annotations(out / f"night-annot.{kind}")
        assert sorted(found.description) == sorted(CLASSES[:-1])
        assert {*found.onset} == {0}
        assert {*found.duration} == {100}
        raw.set_annotations(found)
    shares = mne.io.read_raw_edf(out / "night-annot.edf", verbose="error")
    np.testing.assert_allclose(shares.get_data()[:, 35], table.row(3)[2:], atol=1e-4)


def test_the_first_window_of_a_test_file_is_predicted_as_in_a_submission(runs: list[Path], say: Say, tmp_path: Path):
    root = real("data/hms_real")
    eeg = root / "test_eegs" / "3911565283.parquet"
    for name in ("test.csv", "train.csv"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "test_eegs").symlink_to(eeg.parent)  # without spectrograms, which are then computed
    for run in runs:
        say(str(run), "data=competition", f"data.root={tmp_path}", f"out={tmp_path / 'submission.csv'}")
        say(str(run), f"recording={eeg}", f"out={tmp_path}", "windows=0")
        here = pl.read_parquet(tmp_path / "3911565283.parquet").row(2)
        np.testing.assert_allclose(here[2:], pl.read_csv(tmp_path / "submission.csv").select(VOTE_COLUMNS).row(0))
        assert here[0] == 20


def test_channels_are_named_on_the_command_line_and_noted(runs: list[Path], say: Say, tmp_path: Path):
    names = ["EEG 1", "2", "A1-Ref01", "Ch:4", *SCALP[4:]]
    write_edf(tmp_path / "named.edf", noise(30, 100), SCALP, 100)
    write_edf(tmp_path / "other.edf", noise(30, 100), names, 100)
    by_hand = "channels={EEG 1: Fp1, 2: F3, A1-Ref01: C3, Ch\\:4: P3}"
    tables = []
    for name, more in (("named", "windows=0"), ("other", by_hand)):
        say(str(runs[0]), f"recording={tmp_path / name}.edf", f"out={tmp_path / 'out'}", "windows=0", more)
        tables.append(pl.read_parquet(tmp_path / f"out/{name}.parquet"))
    assert tables[0].equals(tables[1])
    made_by = json.loads((tmp_path / "out/other.json").read_text())["origin"]
    assert made_by["channels"] == {"EEG 1": "Fp1", "2": "F3", "A1-Ref01": "C3", "Ch:4": "P3"}
    assert "A1-Ref01" in (tmp_path / "out/other.html").read_text()


def test_a_folder_of_two_devices_is_mapped_where_the_channels_are(runs: list[Path], say: Say, tmp_path: Path):
    (tmp_path / "in").mkdir()
    write_edf(tmp_path / "in/a.edf", noise(30, 100), ["EEG 1", *SCALP[1:]], 100)
    write_edf(tmp_path / "in/b.edf", noise(30, 100), SCALP, 100)
    words = (str(runs[0]), f"recording={tmp_path / 'in'}", f"out={tmp_path / 'out'}", "windows=0")
    say(*words, "channels={EEG 1: Fp1}")
    a, b = (pl.read_parquet(tmp_path / f"out/{name}.parquet") for name in "ab")
    assert a.equals(b)
    notes = json.loads((tmp_path / "out/b.json").read_text())["notes"]
    assert "Mapped by channels=, but not in this file: EEG 1." in notes
    _, said = say(*words, "channels={EEG 1: Fp1, EGG 2: F3}", code=1)
    assert said.startswith("channels: want a channel of the 2 recordings, got 'EGG 2'")


def test_a_bad_recording_among_several_is_reported_at_the_end(runs: list[Path], say: Say, tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in ("a", "c"):
        write_edf(tmp_path / f"in/{name}.edf", noise(30, 100), SCALP, 100)
    (tmp_path / "in/b.edf").write_text("no EDF")
    out = tmp_path / "out"
    printed, said = say(str(runs[0]), f"recording={tmp_path / 'in'}", f"out={out}", "windows=1", "step_s=15", code=1)
    assert [line.partition(":")[0] for line in printed.splitlines()] == [f"{out}/a.html", f"{out}/c.html"]
    bad = f"{tmp_path}/in/b.edf: not an EDF or BDF file (it begins with 'no EDF')"
    assert said.endswith(f"1 of 3 recordings got no timeline:\n  {bad}\n")
    notes = (
        "Windows are 15 s apart and each predicts 10 s; the time between has no prediction.",
        "Predictions cover 20 s of 30 s; percentages refer to that time.",
    )
    assert "\n  ".join(notes) in said


def test_a_recording_is_never_replaced_and_results_are_not_read_again(runs: list[Path], say: Say, tmp_path: Path):
    eeg = np.concatenate([noise(60, 200), 100 * np.ones((1, 12_000))]).T.astype(np.float32)
    pl.from_numpy(eeg, [*SCALP, "EKG"]).write_parquet(tmp_path / "night.parquet")
    before = (tmp_path / "night.parquet").read_bytes()
    _, said = say(str(runs[0]), f"recording={tmp_path}", f"out={tmp_path}", code=1)
    assert f"out: want a folder other than the recordings', got '{tmp_path}', which holds" in said
    assert (tmp_path / "night.parquet").read_bytes() == before
    (tmp_path / "night.parquet").unlink()
    write_edf(tmp_path / "night.edf", noise(60, 100), SCALP, 100)
    for _ in range(2):
        printed, _ = say(str(runs[0]), f"recording={tmp_path}", f"out={tmp_path}", "edf=true", "windows=1")
        assert printed.startswith(f"{tmp_path}/night.html: ")


def test_a_recording_from_years_that_edf_cannot_express_gets_no_date(runs: list[Path], say: Say, tmp_path: Path):
    info = mne.create_info([*SCALP], 100.0, "eeg")
    info.set_meas_date(datetime(1970, 1, 2, tzinfo=UTC))
    mne.io.RawArray(noise(60, 100) * 1e-6, info, verbose="error").save(tmp_path / "x_raw.fif", verbose="error")
    say(str(runs[0]), f"recording={tmp_path / 'x_raw.fif'}", f"out={tmp_path / 'out'}", "edf=true", "windows=1")
    assert mne.read_annotations(tmp_path / "out" / "x_raw-annot.edf") is not None


def test_a_folder_that_cannot_be_written_to_is_reported_before_anything_is_predicted(
    runs: list[Path], say: Say, tmp_path: Path
):
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100)
    _, said = say(str(runs[0]), f"recording={path}", f"out={path}", code=1)
    assert f"out: cannot write to '{path}' (Not a directory)" in said


def test_models_adapt_to_all_recordings_together_whatever_the_shards(runs: list[Path], say: Say, tmp_path: Path):
    ward = tmp_path / "ward"
    ward.mkdir()
    for name, eeg in (("a", noise(100, 200)), ("b", noise(150, 200) ** 2 / 30)):
        write_edf(ward / f"{name}.edf", eeg, SCALP, 200)
    (ward / "bad.edf").write_text("no EDF")
    words = [str(runs[0]), f"recording={ward}", "windows=0"]
    found = {}
    for into, *more in (("plain",), ("adapted", "adapt=0.5"), ("shards", "adapt=0.5", "shards=3")):
        for shard in range(3 if "shards=3" in more else 1):
            _, said = say(
                *words, f"out={tmp_path / into}", *more, f"shard={shard}", code=int(into != "shards" or shard == 2)
            )
        found[into] = [pl.read_parquet(tmp_path / into / f"{name}.parquet") for name in "ab"]
    assert "bad.edf" in said
    for plain, adapted, shards in zip(*found.values(), strict=True):
        assert adapted.equals(shards)
        assert not adapted.equals(plain)
    assert "1 model of 1 run, adapted by 0.5" in (tmp_path / "adapted" / "a.html").read_text()


def test_models_do_not_adapt_to_one_recording_alone(runs: list[Path], say: Say, tmp_path: Path):
    write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100)
    (tmp_path / "bad.edf").write_text("no EDF")
    for name in ("x", "*"):
        words = [f"recording={tmp_path / name}.edf", f"out={tmp_path / 'out'}", "adapt=0.5"]
        _, said = say(str(runs[0]), *words, code=1)
        assert "adapt: want recordings of several patients, got 1 that can be read; adapting to one" in said
    assert not (tmp_path / "out").exists()


def test_shards_divide_the_recordings_and_write_the_same_files(runs: list[Path], say: Say, tmp_path: Path):
    ward = tmp_path / "ward"
    ward.mkdir()
    for seed, name in enumerate("abc"):
        write_edf(ward / f"{name}.edf", noise(40, 100, seed), SCALP, 100)
    words = [str(runs[0]), f"recording={ward}", "windows=1"]
    say(*words, f"out={tmp_path / 'whole'}")
    printed = [say(*words, f"out={tmp_path / 'parts'}", f"shard={i}", "shards=4")[0] for i in (2, 0, 3, 1)]
    assert sorted(re.findall(r"(\w)\.html: 4 windows in 40 s", "".join(printed))) == ["a", "b", "c"]
    whole, parts = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "parts")
    )
    assert [name for name in whole.keys() | parts.keys() if whole.get(name) != parts.get(name)] == []


def test_a_recording_is_predicted_in_half_precision_nearly_as_in_single(runs: list[Path], tmp_path: Path):
    path, models = write_edf(tmp_path / "x.edf", noise(40, 100), SCALP, 100), [load_model(runs[1] / "fold0_seed0")]
    opened = open_recording(path, pairs_of(models), None, None)
    options = TimelineOptions(10, 0.5, None, None, 4)
    timelines = (
        predict_recording(
            opened, models, lambda found: found[0], options, Compute("cpu", False, precision), {"models": []}
        )
        for precision in ("32-true", "bf16-mixed")
    )
    exact, rounded = (timeline.table.select(CLASSES).to_numpy() for timeline in timelines)
    assert 0 < np.abs(rounded - exact).max() < 0.02
    np.testing.assert_allclose(rounded.sum(axis=1), 1, rtol=1e-12)  # the softmax is not rounded


def test_windows_in_a_gap_have_no_prediction(runs: list[Path], say: Say, tmp_path: Path):
    starts_s = [*range(30), *range(100, 130)]
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    _, said = say(str(runs[0]), f"recording={path}", f"out={tmp_path}", "windows=1")
    notes = (
        "not recorded, had no signal, or is marked as bad: 7 of 13.",
        "Predictions cover 1 min of 2 min 10 s; percentages refer to that time.",
    )
    assert all(note in said for note in notes)
    assert pl.read_parquet(tmp_path / "x.parquet")["lpd"].is_null().to_list() == [False] * 3 + [True] * 7 + [False] * 3
    model = load_model(runs[0] / "fold0_seed0")
    options = TimelineOptions(10, 0.5, None, None, 4)
    twice = windows_of([path, write_edf(tmp_path / "y.edf", noise(50, 100), SCALP, 100)], [model], options)
    assert [batch.label_id.tolist() for batch in twice][:3] == [[0, 1, 2], [10, 11], [12]]  # what models adapt to


def test_predictions_from_little_eeg_are_named(runs: list[Path], say: Say, tmp_path: Path):
    for seconds, note in (
        (9, "The only prediction is from 9 s of EEG, where a window has 50 s."),
        (18, "2 of 2 predictions are from less than half of a window's 50 s, the least from 18 s of EEG."),
    ):
        path = write_edf(tmp_path / f"{seconds}.edf", noise(seconds, 100), SCALP, 100)
        _, said = say(str(runs[0]), f"recording={path}", f"out={tmp_path / 'out'}", "windows=1")
        assert note in said
        assert note in (tmp_path / f"out/{seconds}.html").read_text().replace("&#39;", "'")
    path = write_edf(tmp_path / "60.edf", noise(60, 100), SCALP, 100)
    _, said = say(str(runs[0]), f"recording={path}", f"out={tmp_path / 'out'}", "windows=1")
    assert "of EEG" not in said.replace("simulated EEG", "")


def test_files_and_page_say_what_made_them(runs: list[Path], say: Say, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100)
    runs = [shutil.copytree(run, tmp_path / run.name) for run in runs]
    target = "{folds: 1, data: {_target_: hms.simulate.corpus.SimulatedFolder}}"
    (runs[1] / "fold0_seed0" / "config.yaml").write_text(target)
    words = ["windows=0", "temperature=1.5", "odds.seizure=0.5", "threshold=0.4", "unit=uV", "step_s=5"]
    _, said = say(*(f"recording={path}", f"out={tmp_path / 'out'}", "runs=[" + ",".join(map(str, runs)) + "]"), *words)
    summary = json.loads((tmp_path / "out/x.json").read_text())["origin"]
    assert json.loads(pl.read_parquet_metadata(tmp_path / "out/x.parquet")["origin"]) == summary
    models = {one["run"]: one["simulated_eeg"] for one in summary["models"]}
    assert models == {"one-1a": None, "two-2b": True}
    wanted = {"threshold": 0.4, "unit": "uV", "step_s": 5, "adapt": 0, "flips": False}
    assert {key: summary[key] for key in wanted} == wanted
    assert summary["odds"]["seizure"] == 0.5
    assert (summary["mixing"], summary["weights"], summary["prior"]) == ("linear", [0.5, 0.5], None)
    assert summary["calibration"]["temperature"] == 1.5
    assert summary["calibration"]["bias"] == pytest.approx(dict.fromkeys(CLASSES, 0) | {"seizure": np.log(0.5)})
    assert summary["precision"] == "32-true"
    simulated = "Trained on simulated EEG: two-2b. On real"
    assert simulated in said
    assert simulated in (text := (tmp_path / "out/x.html").read_text())
    assert "one-1a, two-2b (2 models of 2 runs)" in text


def test_what_made_a_timeline_holds_all_of_an_ensembles_mixture(runs: list[Path], tmp_path: Path):
    bias, share = dict.fromkeys(CLASSES, 0.0) | {"lpd": 0.2}, dict.fromkeys(CLASSES, 1 / 6)
    mixture = {"mixing": "geometric", "weights": [0.25, 0.75], "calibration": {"temperature": 0.9, "bias": bias}}
    mixture["prior"] = {"source": share, "target": share, "strength": 0.5}
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": [*map(str, runs[:2])], **mixture}))
    options, compute = TimelineOptions(10, 0.5, None, None, 4), Compute("cpu", False)
    held = origin(read_predictors(None, str(tmp_path), None, {}, 0), options, compute, str(tmp_path), {})
    assert {key: held[key] for key in mixture} == mixture


def test_annotations_of_events_are_in_the_time_of_mne_and_those_of_the_edf_in_real_time(tmp_path: Path):
    """Of an EDF+D, MNE joins the blocks: 30 s, a gap of 70 s, 50 s."""
    starts_s = [*range(30), *range(100, 150)]
    path = write_edf(tmp_path / "x.edf", noise(80, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    spans = open_recording(path, [], None, None).source.spans
    on = [0.1] * 2 + [0.9] + [None] * 7 + [0.1, 0.1, 0.9, 0.9, 0.1]
    shown = timeline({"seizure": on})._replace(spans=spans, sfreq_hz=100)
    write_timeline(tmp_path, "out", shown, "", edf=True)
    raw = mne.io.read_raw_edf(path, verbose="error")
    raw.set_annotations(mne.read_annotations(tmp_path / "out-annot.fif"))
    assert [(one["onset"], one["duration"]) for one in raw.annotations] == [(20, 10), (50, 20)]
    found = mne.read_annotations(tmp_path / "out-annot.edf")
    each = [("seizure", 20, 10), ("no prediction", 30, 70), ("seizure", 120, 20)]
    assert [*zip(found.description, found.onset, found.duration, strict=True)] == each
    across = timeline({"seizure": [0.1, 0.1, 0.9, 0.9, 0.1]})._replace(
        spans=[Span(0, 0, 2500), Span(3500, 2500, 1500)], sfreq_hz=100
    )
    write_timeline(tmp_path, "across", across, "", edf=False)
    (one,) = mne.read_annotations(tmp_path / "across-annot.fif")
    assert (one["onset"], one["duration"]) == (20, 10)


def test_the_edf_of_windows_that_are_far_apart_says_what_lies_between_them(tmp_path: Path):
    start = datetime(2024, 3, 5, 21, 50, 0, 700_000, tzinfo=UTC)
    shown = timeline({"seizure": [0.1, 0.9, None, 0.1, 0.9]}, step_s=60, start=start)
    write_annotations(tmp_path / "x.edf", shown)
    raw = mne.io.read_raw_edf(tmp_path / "x.edf", verbose="error")
    shares = raw.get_data()
    assert np.flatnonzero(shares[0] > 0.5).tolist() == [*range(60, 70), *range(240, 250)]
    assert np.flatnonzero(shares.sum(axis=0) < 0.5).tolist() == [
        *(second for first, last in ((10, 60), (70, 180), (190, 240), (250, 300)) for second in range(first, last))
    ]
    each = [("no prediction", 10, 50), ("seizure", 60, 10), ("no prediction", 70, 110), ("no prediction", 190, 50)]
    found = raw.annotations
    assert [*zip(found.description, found.onset, found.duration, strict=True)][:4] == each
    assert b"+60.7\x1510\x14seizure" in (tmp_path / "x.edf").read_bytes()  # since 21:50:00, as EDF+ has it


@pytest.mark.parametrize("step_s", [1, 2.5, 3.7, 10])
def test_the_edf_of_windows_that_touch_is_predicted_throughout(step_s: float, tmp_path: Path):
    write_annotations(tmp_path / "x.edf", timeline({"lpd": [0.6] * 20}, step_s))
    raw = mne.io.read_raw_edf(tmp_path / "x.edf", verbose="error")
    np.testing.assert_allclose(raw.get_data()[1], 0.6, atol=1e-4)
    assert [*raw.annotations.description] == ["lpd"]


def test_the_page_shows_what_the_file_itself_notes():
    shown = timeline({"seizure": [0.1] * 360}, start=datetime(2024, 3, 5, 21, 50, 0, tzinfo=UTC))
    notes = [Annotation(60.0, 0.0, "eyes closed"), Annotation(600.0, 90.0, EVIL), Annotation(700.0, 0.0, "x")]
    text = page(shown._replace(annotations=notes), [])
    assert '<path d="M60 1h0v8h-0z"><title>21:51:00 eyes closed</title></path>' in text
    assert "<li><b>22:00:00</b> <span>&lt;img src=x" in text
    drawn = '"><title>'  # of a path; not that of the page
    assert text.count(drawn) - page(shown, []).count(drawn) == 3
    many = page(shown._replace(annotations=notes * 100), [])
    assert "the first 200 of 300" in many
    assert many.count(drawn) - page(shown, []).count(drawn) == 200
    assert many.count("M700 1") == 100
    assert "Annotations of the file" not in page(shown, [])


def test_events_and_frequencies_are_named_not_only_coloured():
    text = page(timeline({"lpd": [0.9] * 360}), [])
    areas, lanes = (re.search(rf'<svg class="{name}".*?</svg>', text)[0] for name in ("areas", "lanes"))
    assert (
        re.findall(r'<path class="(\w+)" d="[^"]*"><title>(.*?)</title>', areas)
        == [*zip(CLASSES, CONSENSUS_NAMES, strict=True)][::-1]
    )
    named = [("status", "Criterion of status epilepticus"), *zip(CLASSES[:-1], CONSENSUS_NAMES[:-1], strict=True)]
    assert re.findall(r'<path class="(\w+)" d="[^"]*"><title>(.*?)</title>', lanes) == named
    beside = re.search(r'<div class="names".*?<div class="scroll"', text, re.DOTALL)[0]
    assert re.findall(r"<span>([A-Z]\w+)</span>", beside) == [*CONSENSUS_NAMES[:-1]]
    assert re.findall(r'<span class="hz"[^>]*>(.*?)</span>', beside) == ["5", "10", "15 Hz"] * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["step_s=0.5"], "step_s: want 1 or more (below 2^32), got 0.5"),
        (["step_s=nan"], "step_s: want 1 or more (below 2^32), got nan"),
        (["windows=-1"], "windows: want 0 or more (below 2^32), got -1"),
        (["threshold=0"], "threshold: want more than 0, up to 1, got 0"),
        (["threshold=1.5"], "threshold: want more than 0, up to 1, got 1.5"),
        (["unit=kV"], "unit: want 'nV', 'uV', 'µV', 'mV', 'V' or null, got 'kV'"),
        (["channels={Ch 1: Fq1}"], "channels.Ch 1: want an electrode of the 10-20 system, EKG, or a pair"),
        (["channels={Ch 1: 3}"], "channels.Ch 1: want str, got 3"),
        (["channels=Fp1"], "channels: want dict of str or null, got 'Fp1'"),
        (["recording=*.gone"], "recording: want EDF, BDF, BrainVision, FIF or other recordings, got none in '*.gone'"),
    ],
)
def test_a_bad_option_is_refused(words: list[str], message: str, runs: list[Path], say: Say):
    _, said = say(str(runs[0]), "recording=x.edf", *words, code=1)
    assert message in said


def test_a_recording_whose_pairs_do_not_connect_what_a_model_subtracts_is_refused(say: Say, tmp_path: Path):
    run = a_run(tmp_path / "run", 1, "extractor=stft_short", "montage=pairs24")
    chains = "Fp1-F7 F7-T7 T7-P7 P7-O1 Fp1-F3 F3-C3 C3-P3 P3-O1 Fp2-F8 F8-T8 T8-P8 P8-O2 Fp2-F4 F4-C4 C4-P4 P4-O2"
    labels = [*chains.split(), "Fz-Cz", "Cz-Pz"]
    path = write_edf(tmp_path / "x.edf", noise(30, 100)[:18], labels, 100)
    _, said = say(str(run), f"recording={path}", f"out={tmp_path / 'out'}", code=1)
    wish = "want channels that connect Fz and F7, which the model subtracts, got 3 separate groups (Fz Cz Pz;"
    assert f"{path}: {wish}" in said
    assert not (tmp_path / "out").exists()


# The page in a browser


@pytest.fixture(scope="module")
def made(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a recording of 40 minutes, with five windows drawn."""
    from hms.predict import main

    folder = tmp_path_factory.mktemp("page")
    path = write_edf(folder / f"{EVIL}.edf", noise(2400, 50), SCALP, 50, record_s=10)
    words = {"threshold": 0.1, "windows": 5, "step_s": 60.0, "batch_size": 32, "accelerator": "cpu", "flips": False}
    given = {
        "runs": str(runs[0]),
        "ensemble": None,
        "temperature": None,
        "odds": {},
        "adapt": 0,
        "recording": str(path),
        "out": str(folder),
        "unit": None,
        "channels": None,
        "precision": "32-true",
    }
    with warnings.catch_warnings():
        main.job({**given, **words, "edf": False, "on_bad": "raise", "data": {}, "shard": 0, "shards": 1})
    return folder / f"{EVIL}.html"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_nothing_on_the_page_throws_or_is_loaded_from_elsewhere(chromium: Page, made: Path, width: int, dark: bool):
    chromium.events.clear()
    chromium.open(made, width, dark)
    assert chromium.errors == []
    assert chromium.requests == [made.as_uri()]
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value("document.querySelector('h1').textContent") == f"{EVIL}.edf"
    assert chromium.value("document.querySelectorAll('img[onerror]').length") == 0
    assert chromium.value("document.querySelectorAll('.strip .spectrogram img').length") == 4
    assert "5 of 40 windows are drawn" in chromium.value("document.querySelector('#eeg').textContent")


@pytest.mark.parametrize("width", [1280, 390])
def test_each_lane_has_its_name_and_each_frequency_its_place_beside_it(chromium: Page, made: Path, width: int):
    chromium.open(made, width)
    middle = "[...document.querySelectorAll('{}')].map((one) => (({{top, bottom}}) => (top + bottom) / 2)({}))"
    box = "one.getBoundingClientRect()"
    names = chromium.value(middle.format(".names .lanes span", box))
    lanes = chromium.value(middle.format(".strip .lanes .lane", box))
    np.testing.assert_allclose(names, lanes, atol=2)
    assert len(names) == 5
    assert np.diff(names).min() > 10
    places = np.array(chromium.value(middle.format(".names .hz", box))).reshape(4, 3)
    pictures = np.array(chromium.value(middle.format(".strip .spectrogram", box)))
    half_hz = (FREQUENCIES_HZ[0] + FREQUENCIES_HZ[-1]) / 2
    expected = pictures[:, None] - 58 * (np.array([5, 10, 15]) - half_hz) / np.ptp(FREQUENCIES_HZ)
    np.testing.assert_allclose(places, expected, atol=1)
    assert chromium.value(f"[...document.querySelectorAll('.names .hz')].every((one) => {box}.height < 15)")


def test_a_click_opens_the_nearest_eeg_and_arrows_step_through(chromium: Page, made: Path):
    chromium.open(made)
    shown = "document.querySelector('.window:not([hidden])').id"
    onsets = "JSON.parse(document.getElementById('data').textContent).drawn"
    assert chromium.value(shown) == "window-1"
    for number in (5, 3):
        x, y = chromium.value(
            f"(() => {{ strip.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            f" const box = strip.getBoundingClientRect();"
            f" return [box.left + box.width * ({onsets}[{number - 1}] + 5) / data.duration, box.top + 60]; }})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            chromium.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        chromium.wait_for(f"{shown} === 'window-{number}'")
    chromium.value("strip.focus()")
    chromium.press("ArrowRight")
    assert chromium.value(shown) == "window-4"
    assert chromium.value(f"parseFloat(cursor.style.left) * 24 - {onsets}[3] + 20") == pytest.approx(0, abs=0.1)


def test_an_event_opens_its_own_eeg_and_the_cursor_stays_within_the_recording(chromium: Page, made: Path):
    chromium.open(made)
    buttons = "document.querySelectorAll('.list button:not([disabled])')"
    count = chromium.value(f"{buttons}.length")
    assert count > 0
    for i in range(count):
        number = int(chromium.value(f"{buttons}[{i}].click(), {buttons}[{i}].dataset.window"))
        assert chromium.value("document.querySelector('.window:not([hidden])').id") == f"window-{number + 1}"
        left, width = chromium.value("[parseFloat(cursor.style.left), parseFloat(cursor.style.width)]")
        assert left >= 0
        assert left + width <= 100 + 1e-9


def test_zooming_widens_the_strip_and_keeps_the_open_window_in_sight(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("document.querySelectorAll('[data-zoom]')[1].click()")
    assert chromium.value("strip.clientWidth / scroll.clientWidth") == pytest.approx(4, abs=0.01)
    assert chromium.value("document.querySelectorAll('.hours:not([hidden])').length") == 1
    assert chromium.value("cursor.getBoundingClientRect().right <= scroll.getBoundingClientRect().right + 1")


def test_the_readout_shows_time_and_probabilities(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("tell(1861)")
    assert chromium.value("document.getElementById('at').textContent") == "22:01:01"
    assert chromium.value("data.days = true, time(90000)") == "06 Mar 22:30:00"
    assert chromium.value("data.start = null, time(90061)") == "25:01:01"
    shares = chromium.value("[...document.querySelectorAll('[data-share]')].map((one) => parseInt(one.textContent))")
    assert sum(shares) == pytest.approx(100, abs=3)
