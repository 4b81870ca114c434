"""Timelines through the command line: tables, annotations that MNE loads, and what made them."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import polars as pl
import pytest
from conftest import Say, real
from edf_files import write_edf
from recordings import AS_IN_FILE
from timelines import noise, timeline
from untrained_runs import a_run

from hms import load
from hms.electrodes import SCALP
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.prediction.inference import Compute
from hms.prediction.predictors import find_predictors
from hms.recording.recording import open_recording
from hms.recording.source import Stretch
from hms.runs.checkpoint import load_model
from hms.spectrogram_recipe import REGIONS
from hms.timeline.annotations import write_edf as write_annotations
from hms.timeline.files import write_timeline
from hms.timeline.notes import notes
from hms.timeline.options import TimelineOptions
from hms.timeline.origin import origin
from hms.timeline.predicted import pairs_of, predict_recording, windows_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model that reads only EEG, and one that also reads the spectrogram."""
    base = tmp_path_factory.mktemp("runs")
    small = ("extractor=[stft_short,spectrogram]", "preprocess=original")
    return [a_run(base / "one-1a", 1, "extractor=stft_short"), a_run(base / "two-2b", 1, *small)]


# The command


def test_a_recording_becomes_a_timeline(runs: list[Path], say: Say, tmp_path: Path):
    path = write_edf(tmp_path / "night.edf", noise(100, 256), [f"EEG {name}-Ref" for name in (*SCALP[:-1], "M1")])
    out = tmp_path / "out"
    printed, said = say(str(runs[0]), f"recording={path}", f"out={out}", "threshold=0.01", "edf=true", "windows=1")
    assert printed == f"{out}/night.html: 10 windows in 1 min 40 s, one every 10 s, by 1 model of 1 run\n"
    assert "Interpolated: O2." in said
    names = "index.html night-annot.edf night-annot.fif night.csv night.html night.json night.parquet recordings.csv"
    assert sorted(file.name for file in out.iterdir()) == names.split()
    table = pl.read_parquet(out / "night.parquet")
    assert table.columns == ["onset_s", "duration_s", *CLASSES]
    assert table["onset_s"].to_list() == [10 * i for i in range(10)]
    np.testing.assert_allclose(table.select(CLASSES).sum_horizontal(), 1, rtol=1e-6)
    text = pl.read_csv(out / "night.csv")
    np.testing.assert_allclose(text.drop("time"), table, atol=1e-6)
    assert text["time"].to_list()[:2] == ["2024-03-05 21:30:00", "2024-03-05 21:30:10"]
    summary = json.loads((out / "night.json").read_text())
    first = summary["events"][0]
    assert (first["label"], first["onset_s"], first["duration_s"]) == ("seizure", 0, 100)
    assert first["probability"] == pytest.approx(table["seizure"].max(), abs=1e-6)
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


def test_the_first_window_of_a_test_file_is_predicted_as_in_a_submission(
    runs: list[Path], say: Say, say_submit: Say, tmp_path: Path
):
    root = real("data/hms_real")
    eeg = root / "test_eegs" / "3911565283.parquet"
    for name in ("test.csv", "train.csv"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "test_eegs").symlink_to(eeg.parent)  # without spectrograms, which are then computed
    for run in runs:
        say_submit(str(run), "data=competition", f"data.root={tmp_path}", f"out={tmp_path / 'submission.csv'}")
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
    *made, overview = printed.splitlines()
    assert [line.partition(":")[0] for line in made] == [f"{out}/a.html", f"{out}/c.html"]
    assert overview == f"{out}/index.html: all recordings in one table, also as recordings.csv"
    bad = f"{tmp_path}/in/b.edf: not an EDF or BDF file (it begins with 'no EDF')"
    assert said.endswith(f"1 of 3 recordings got no timeline:\n  {bad}\n")
    notes = (
        "Windows are 15 s apart and each predicts 10 s; the time between has no prediction.",
        "Predictions cover 20 s of 30 s; percentages refer to that time.",
    )
    assert "\n  ".join(notes) in said


def test_files_of_the_same_name_get_timelines_in_their_folders(runs: list[Path], say: Say, tmp_path: Path):
    for seed, name in enumerate(("anna/day 1", "ben/day 1")):
        (tmp_path / "ward" / name).mkdir(parents=True)
        write_edf(tmp_path / "ward" / name / "EEG.edf", noise(30, 100, seed), SCALP, 100)
    out = tmp_path / "out"
    printed, _ = say(str(runs[0]), f"recording={tmp_path}/ward/**/*", f"out={out}", "windows=0")
    assert [line.partition(":")[0] for line in printed.splitlines()[:2]] == [
        f"{out}/anna/day 1/EEG.html",
        f"{out}/ben/day 1/EEG.html",
    ]
    anna, ben = (json.loads((out / name / "day 1/EEG.json").read_text())["file"] for name in ("anna", "ben"))
    assert (anna, ben) == (f"{tmp_path}/ward/anna/day 1/EEG.edf", f"{tmp_path}/ward/ben/day 1/EEG.edf")


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
    for name, eeg in (("a", noise(40, 200)), ("b", noise(60, 200) ** 2 / 30)):
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
    opened = open_recording(path, pairs_of(models), AS_IN_FILE)
    options = TimelineOptions(10, 0.5, AS_IN_FILE, 4)
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
    options = TimelineOptions(10, 0.5, AS_IN_FILE, 4)
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


def test_a_window_without_a_prediction_is_no_prediction_from_little_eeg():
    said = " ".join(notes(timeline({"lpd": [0.1, None, 0.2]}), np.array([50.0, 3.0, 20.0])))
    assert "1 of 2 predictions are from less than half of a window's 50 s, the least from 20 s of EEG." in said


def test_a_model_that_went_on_from_simulated_eeg_is_named():
    models = [
        {"run": run, "simulated_eeg": last, "began_with_simulated_eeg": first}
        for run, first, last in (("a", True, False), ("b", True, True), ("c", False, False), ("d", True, None))
    ]
    shown = timeline({"lpd": [0.1]})._replace(origin={"models": models})
    found = [*notes(shown, np.array([50.0]))]
    assert found[1] == "Trained on simulated EEG first, then on other EEG: a, d."


def test_files_and_page_say_what_made_them(runs: list[Path], say: Say, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100)
    runs = [shutil.copytree(run, tmp_path / run.name) for run in runs]
    target = "{folds: 1, data: {_target_: hms.simulate.corpus.SimulatedFolder}}"
    (runs[1] / "fold0_seed0" / "config.yaml").write_text(target)
    words = ["windows=0", "temperature=1.5", "odds.seizure=0.5", "threshold=0.4", "unit=uV", "step_s=5"]
    more = write_edf(tmp_path / "y.edf", noise(60, 100), SCALP, 100)
    both = f"recording=[{path},{more}]"
    _, said = say(*(both, f"out={tmp_path / 'out'}", "runs=[" + ",".join(map(str, runs)) + "]"), *words)
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
    assert said.count(simulated) == 1
    assert simulated in (text := (tmp_path / "out/x.html").read_text())
    assert "one-1a, two-2b (2 models of 2 runs, temperature 1.5, odds of seizure x 0.50)" in text


def test_what_made_a_timeline_holds_all_of_an_ensembles_mixture(runs: list[Path], tmp_path: Path):
    bias, share = dict.fromkeys(CLASSES, 0.0) | {"lpd": 0.2}, dict.fromkeys(CLASSES, 1 / 6)
    mixture = {"mixing": "geometric", "weights": [0.25, 0.75], "calibration": {"temperature": 0.9, "bias": bias}}
    mixture["prior"] = {"source": share, "target": share, "strength": 0.5}
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": [*map(str, runs[:2])], **mixture}))
    options, compute = TimelineOptions(10, 0.5, AS_IN_FILE, 4), Compute("cpu", False)
    held = origin(find_predictors(ensemble=str(tmp_path)), options, compute)
    assert {key: held[key] for key in mixture} == mixture
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100)
    assert load(tmp_path).timeline(path, batch_size=4, flips=False).origin == held
    assert held["ensemble"] == str(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["step_s=0.5"], "step_s: want 1 s or more (below 2^32), got 0.5"),
        (["step_s=nan"], "step_s: want 1 s or more (below 2^32), got nan"),
        (["windows=-1"], "windows: want 0 or more (below 2^32), got -1"),
        (["threshold=0"], "threshold: want more than 0, up to 1, got 0"),
        (["threshold=1.5"], "threshold: want more than 0, up to 1, got 1.5"),
        (["unit=kV"], "unit: want 'nV', 'uV', 'µV', 'μV', 'mV', 'V' or null, got 'kV'"),
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
    wish = "want channels that connect Fz and F7, which a model subtracts, got 3 separate groups (Fz Cz Pz;"
    assert f"{path}: {wish}" in said
    assert not (tmp_path / "out").exists()


def test_a_recording_has_to_connect_what_a_spectrogram_subtracts_too(runs: list[Path]):
    one, two = (load_model(run / "fold0_seed0") for run in runs)
    assert ("F7", "T3") not in pairs_of([one])
    chains = {tuple(pair.split("-")) for chain in REGIONS.values() for pair in chain}
    assert chains <= {*pairs_of([one, two])}


# Annotations


def test_annotations_of_events_are_in_the_time_of_mne_and_those_of_the_edf_in_real_time(tmp_path: Path):
    """Of an EDF+D, MNE joins the blocks: 30 s, a gap of 70 s, 50 s."""
    starts_s = [*range(30), *range(100, 150)]
    path = write_edf(tmp_path / "x.edf", noise(80, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    stretches = open_recording(path, [], AS_IN_FILE).source.stretches
    on = [0.1] * 2 + [0.9] + [None] * 7 + [0.1, 0.1, 0.9, 0.9, 0.1]
    shown = timeline({"seizure": on})._replace(stretches=stretches, sfreq_hz=100)
    write_timeline(tmp_path, "out", shown, "", edf=True)
    raw = mne.io.read_raw_edf(path, verbose="error")
    raw.set_annotations(mne.read_annotations(tmp_path / "out-annot.fif"))
    assert [(one["onset"], one["duration"]) for one in raw.annotations] == [(20, 10), (50, 20)]
    found = mne.read_annotations(tmp_path / "out-annot.edf")
    each = [("seizure", 20, 10), ("no prediction", 30, 70), ("seizure", 120, 20)]
    assert [*zip(found.description, found.onset, found.duration, strict=True)] == each
    across = timeline({"seizure": [0.1, 0.1, 0.9, 0.9, 0.1]})._replace(
        stretches=[Stretch(0, 0, 2500), Stretch(3500, 2500, 1500)], sfreq_hz=100
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
