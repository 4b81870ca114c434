"""Events, burden and status epilepticus, of timelines with known probabilities."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from timelines import timeline

from hms.labels import CLASSES
from hms.page.traces import draw
from hms.timeline.events import burden, events, totals
from hms.timeline.files import write_timeline
from hms.timeline.notes import notes
from hms.timeline.page import page
from hms.timeline.selection import Drawn
from hms.timeline.status import reasons, status_epilepticus
from hms.timeline.timeline import Timeline


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
    dip = [0.9] * 10 + [0.1] * 4 + [0.9] * 10  # 10 s between those of 0.9
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
    assert totals(shown)["other"].minutes == pytest.approx((60 * shown.predicted_minutes.sum() - 17.5) / 60)


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
    begins_s, ends_s = shown.own_s.T
    assert (begins_s < ends_s).all()
    assert (ends_s[:-1] <= begins_s[1:]).all()
    assert (ends_s - begins_s).max() <= 10
    found, predicted = burden(shown), shown.predicted_minutes
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
    assert "50 % of the predicted time" in text
    assert text.count("<td class=muted>nothing</td>") == 1
    nothing = page(timeline({"seizure": [None] * 9}), [])
    assert "nothing was predicted" in nothing
    assert "No window has a prediction, so none is drawn." in nothing
    assert "Nothing was predicted, so no event can be found." in nothing
    assert "No pattern reaches" not in nothing
    assert "No pattern reaches 50\u00a0% for 10 s in this recording." in page(timeline({"seizure": [0.1] * 9}), [])


def test_one_window_is_not_called_windows():
    one = timeline({"seizure": [0.1]})._replace(duration_s=9.59375)
    assert one.extent == "1 window in 9.6 s"
    assert timeline({"seizure": [0.1] * 8640}).extent == "8,640 windows in 24 h, one every 10 s"
    (row,) = one.table.iter_rows(named=True)
    drawn = [Drawn(0.0, {name: row[name] for name in CLASSES}, draw(np.zeros((20, 10_000), np.float32)))]
    assert "The only window is drawn." in page(one, drawn)
    assert "1 of 9 windows is drawn: " in page(timeline({"seizure": [0.1] * 9}), drawn)
