"""The page of a timeline: which windows it shows, what it draws and says, and what it does in a browser."""

import base64
import io
import json
import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from browser import Page
from edf_files import write_edf
from PIL import Image
from timelines import EVIL, noise, timeline
from untrained_runs import a_run

from hms.electrodes import SCALP
from hms.labels import CLASSES, CONSENSUS_NAMES
from hms.page.traces import draw
from hms.recording.source import Annotation
from hms.spectrogram_recipe import FREQUENCIES_HZ
from hms.timeline import chart
from hms.timeline.clock import clock
from hms.timeline.events import events
from hms.timeline.page import page
from hms.timeline.selection import Drawn, chosen_rows, drawn_for, opened
from hms.timeline.settings import in_words

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
    found = pl.DataFrame({"label": ["lpd", "seizure", "seizure", "seizure"], "probability": [0.9, 0.5, 0.8, 0.99]})
    assert opened(found, [4, 3, 2, None]) == 2, "of the surest seizure that is drawn"
    assert opened(found[:1], [4]) == 4
    assert opened(found[:0], []) == 0
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


def test_settings_are_words_not_python():
    bias = dict.fromkeys(CLASSES, 0.0)
    left_alone = {
        "hms": "0.1.0",
        "models": [{"run": "one-1a"}],
        "predicted_by": "one-1a (1 model of 1 run)",
        "weights": [1.0],
        "mixing": "linear",
        "calibration": {"temperature": 1.0, "bias": bias},
        "prior": None,
        "ensemble": None,
        "step_s": 10,
        "threshold": 0.5,
        "unit": None,
        "channels": None,
        "odds": {},
        "flips": True,
        "precision": "32-true",
        "adapt": 0,
    }
    words = in_words(left_alone)
    assert (words["unit"], words["channels"], words["odds"]) == ("as in the file", "by name", "as in training")
    assert (words["step_s"], words["flips"], words["weights"]) == ("10 s", "yes", "one-1a 1")
    assert (words["calibration"], words["prior"], words["ensemble"], words["adapt"]) == ("none", "none", "none", "no")
    changed = left_alone | {
        "models": [{"run": "one-1a"}, {"run": "one-1a"}],
        "weights": [2 / 3, 1 / 3],
        "calibration": {"temperature": 0.8836812136027072, "bias": bias | {"lpd": -0.25, "gpd": 1e-17}},
        "prior": {"source": {"seizure": 0.2, "other": 0.8}, "target": {"seizure": 0.1, "other": 0.9}, "strength": 0.5},
        "channels": {"EEG 1": "Fp1", "EEG 2": "F3-C3"},
        "odds": {"other": 0.5},
        "flips": False,
    }
    words = in_words(changed)
    assert words["weights"] == "one-1a 0.667, one-1a 0.333"
    assert words["calibration"] == "temperature 0.884; bias LPD −0.25 nats"
    assert words["prior"] == "source Seizure 0.2, Other 0.8; target Seizure 0.1, Other 0.9; strength 0.5"
    assert (words["channels"], words["odds"], words["flips"]) == ("EEG 1 is Fp1, EEG 2 is F3-C3", "Other 0.5", "no")
    shown = page(timeline({"lpd": [0.1] * 6})._replace(origin=changed), [])
    assert '<th scope="row">odds</th><td>Other 0.5</td>' in shown
    assert not re.search("None|True|False|{'", shown.partition("<details>")[2].partition("</details>")[0])


def test_a_little_is_not_nothing_and_one_window_has_no_neighbours():
    drawn = Drawn(0.0, dict.fromkeys(CLASSES, 1 / 6), draw(np.zeros((20, 10_000), np.float32)))
    short = timeline({"lpd": [0.1]})
    short = short._replace(duration_s=2.0, table=short.table.with_columns(duration_s=2.0))
    text = page(short, [drawn])
    assert "<td>&lt; 0.1</td>" in text
    assert ">0.0<" not in text
    assert "<small>100 % of the predicted time" in text
    assert "<small>0 % of the predicted time" in text
    assert 'id="window-1"' in text
    assert ("Earlier window" in text, "data-zoom=" in text) == (False, False)
    assert "Earlier window" in page(short, [drawn, drawn])
    assert ["A click opens" in page(short, some) for some in ([], [drawn])] == [False, True]


# The page in a browser


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a recording of 40 minutes, with five windows drawn."""
    from hms.predict import main

    folder = tmp_path_factory.mktemp("page")
    path = write_edf(folder / f"{EVIL}.edf", noise(2400, 50), SCALP, 50, record_s=10)
    words = {"threshold": 0.1, "windows": 5, "step_s": 60.0, "batch_size": 32, "accelerator": "cpu", "flips": False}
    given = {
        "runs": str(a_run(tmp_path_factory.mktemp("runs") / "one-1a", 1, "extractor=stft_short")),
        "ensemble": None,
        "temperature": None,
        "odds": {},
        "adapt": 0,
        "fold": None,
        "recording": str(path),
        "out": str(folder),
        "unit": None,
        "channels": None,
        "precision": "32-true",
    }
    with warnings.catch_warnings():
        main.job({**given, **words, "edf": False, "shard": 0, "shards": 1})
    return folder / f"{EVIL}.html"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_nothing_on_the_page_throws_or_is_loaded_from_elsewhere(chromium: Page, made: Path, width: int, dark: bool):
    chromium.events.clear()
    chromium.open(made, width, dark)
    assert chromium.errors == []
    assert chromium.requests == [made.as_uri()]
    chromium.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
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
    assert chromium.value(shown) == "window-5"  # of the surest event
    for number in (1, 3):
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


def test_an_event_chosen_by_keyboard_gives_its_eeg_the_focus(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("document.querySelector('.list button:not([disabled])').focus()")
    chromium.press("Enter")
    assert chromium.value("document.activeElement.id") == chromium.value(
        "document.querySelector('.window:not([hidden])').id"
    )


def test_stepping_keeps_the_open_window_in_sight_of_a_zoomed_strip(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("document.querySelectorAll('[data-zoom]')[1].click(), strip.focus()")
    seen = "((one, all) => one.left >= all.left - 1 && one.right <= all.right + 1)"
    boxes = "(cursor.getBoundingClientRect(), scroll.getBoundingClientRect())"
    for key, number in (("End", 5), ("ArrowLeft", 4), ("Home", 1)):
        chromium.press(key)
        assert chromium.value("document.querySelector('.window:not([hidden])').id") == f"window-{number}"
        assert chromium.value(seen + boxes), key


@pytest.mark.parametrize("width", [1280, 1100, 800, 400, 360])
def test_events_fit_their_buttons_and_the_burden_its_screen(chromium: Page, made: Path, width: int):
    chromium.open(made, width)
    fits = "(one) => one.scrollWidth <= one.clientWidth"
    chromium.value("document.querySelector('.list button span').lastChild.textContent = 'Seizure'")
    assert chromium.value(f"[...document.querySelectorAll('.list button')].every({fits})")
    dated = "document.querySelector('.list b').textContent = '05 Mar 22:04:30'"
    assert chromium.value(f"{dated}, ({fits})(document.querySelector('.list button'))")
    if width >= 400:
        assert chromium.value(f"({fits})(document.querySelector('.burden').parentElement)")


def test_without_drawn_windows_the_chart_still_zooms_and_reads_out(chromium: Page, tmp_path: Path):
    path = tmp_path / "bare.html"
    path.write_text(page(timeline({"lpd": [0.9] * 360}), []), encoding="utf-8")
    chromium.events.clear()
    chromium.open(path)
    chromium.value("document.querySelectorAll('[data-zoom]')[1].click(), strip.focus()")
    chromium.press("ArrowRight")
    assert chromium.errors == []
    assert chromium.value("document.querySelector('[data-share=\"1\"]').textContent") == "90 %"
    assert chromium.value("getComputedStyle(cursor).display") == "none"


def test_zooming_widens_the_strip_and_keeps_the_open_window_in_sight(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("document.querySelectorAll('[data-zoom]')[1].click()")
    assert chromium.value("strip.clientWidth / scroll.clientWidth") == pytest.approx(4, abs=0.01)
    assert chromium.value("document.querySelectorAll('.hours:not([hidden])').length") == 1
    assert chromium.value("cursor.getBoundingClientRect().right <= scroll.getBoundingClientRect().right + 1")


def test_a_recording_on_paper_is_whole_whatever_the_zoom(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("document.querySelectorAll('[data-zoom]')[1].click()")
    chromium.send("Emulation.setEmulatedMedia", media="print", features=[])
    try:
        assert chromium.value("strip.clientWidth / scroll.clientWidth") == pytest.approx(1, abs=0.01)
        axes = "[...document.querySelectorAll('.hours')].map((one) => getComputedStyle(one).display)"
        shown, *others = chromium.value(axes)
        assert shown == "block"
        assert {*others} == {"none"}
        assert chromium.value("[...document.querySelectorAll('.window')].every((one) => one.offsetHeight > 0)")
    finally:
        chromium.send("Emulation.setEmulatedMedia", media="", features=[])


def test_the_readout_shows_time_and_probabilities(chromium: Page, made: Path):
    chromium.open(made)
    chromium.value("tell(1861)")
    assert chromium.value("document.getElementById('at').textContent") == "22:01:01"
    assert chromium.value("data.days = true, time(90000)") == "06 Mar 22:30:00"
    assert chromium.value("data.start = null, time(90061)") == "25:01:01"
    shares = chromium.value("[...document.querySelectorAll('[data-share]')].map((one) => parseInt(one.textContent))")
    assert sum(shares) == pytest.approx(100, abs=3)
