"""A bundle alone reproduces a run's predictions to the bit, and no change to it goes unnoticed."""

import importlib.util
import inspect
import json
import os
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import mne
import numpy as np
import polars as pl
import pytest
import torch
import yaml
from commands import command
from conftest import ROOT, python, stores_of
from edf_files import write_edf
from material import batch, config, quick
from safetensors.torch import load_file, save_file
from untrained_runs import SMALL, a_scored_run, as_student, sealed

import hms
from hms.batch import Batch
from hms.config.build import build
from hms.data.identity import fingerprint
from hms.electrodes import SCALP, SFREQ_HZ
from hms.errors import ConfigError, DataError, UserError
from hms.export.card import card
from hms.loaded_model import LoadedModel
from hms.prediction.inference import Compute, by_model
from hms.prediction.predictors import find_predictors
from hms.runs.bundle import CARD, CONFIG, SUMS, new_bundle, read_bundle
from hms.runs.checkpoint import load_model, save_weights
from hms.runs.folder import fold_folder
from hms.runs.trained import Trained, trained
from hms.timeline.events import events
from hms.window_lengths import BEFORE_S, CENTRE_S, EEG_SAMPLES


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_scored_run(tmp_path_factory.mktemp("runs") / "small-1a2b", 2)


@pytest.fixture(scope="module")
def whole(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the run, as the command writes it."""
    out = tmp_path_factory.mktemp("bundles") / "bundle"
    said = command("export.__main__", str(run), f"out={out}")
    assert re.fullmatch(rf"{out}: 2 models, \d\.\d MB; load with hms\.load\('{out}'\)\n", said)
    return out


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "bundle"))


def edited(bundle: Path, **more: Any) -> Path:
    held = json.loads((bundle / CONFIG).read_text())
    (bundle / CONFIG).write_text(json.dumps(held | more))
    return sealed(bundle)


def batch_with_signal() -> Batch:
    """The last two windows are missing, or silent, but for their central 10 s."""
    given, whole = batch(3, missing=True), batch(3)
    centre = (torch.arange(EEG_SAMPLES) // SFREQ_HZ // CENTRE_S) == BEFORE_S // CENTRE_S
    return given._replace(eeg=torch.where(centre, whole.eeg, given.eeg))


def windows() -> tuple[np.ndarray, np.ndarray]:
    given = batch_with_signal()
    return given.eeg.numpy(), given.spectrogram.numpy()


# What comes out is what went in


@pytest.mark.parametrize("flips", [True, False])
def test_a_bundle_predicts_as_the_run_does_to_the_bit(run: Path, whole: Path, flips: bool):
    models = [load_model(fold) for fold in trained(run).folds]
    _, wanted = by_model(models, [batch_with_signal()], Compute("cpu", flips))
    model = hms.load(whole)
    found = model.predict(*windows(), flips=flips)
    assert np.array_equal(found, find_predictors(str(run)).mix(wanted))
    np.testing.assert_allclose(found, wanted.mean(axis=0), atol=1e-12)
    assert np.array_equal(hms.load(str(run)).predict(*windows(), flips=flips), found)
    assert np.array_equal(model.predict(*map(torch.from_numpy, windows()), flips=flips), found)
    np.testing.assert_allclose(model.predict(*windows(), flips=flips, batch_size=2), found, atol=1e-6)
    for fold, member in zip(trained(run).folds, trained(whole).folds, strict=True):
        one, other = load_model(fold).state_dict(), load_model(member).state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_submit_and_evaluate_take_a_bundle_for_a_run(run: Path, whole: Path, corpus: Path, tmp_path: Path):
    stores = f"stores={stores_of(corpus)}"
    data = [f"data.root={corpus}", "data.size=tiny", "accelerator=cpu", "flips=false"]
    for name, source in (("run", run), ("bundle", whole)):
        command("submit", str(source), f"out={tmp_path / name}.csv", *data)
        said = command("evaluate", f"runs={source}", f"out={tmp_path / name}", stores, "min_votes=16", *data)
        nameless = "is a bundle, which names no patients: if it learned from some of these, this KL looks too good.\n"
        assert (f"{source} {nameless}" in said) == (name == "bundle")
    assert (tmp_path / "run.csv").read_bytes() == (tmp_path / "bundle.csv").read_bytes()
    one, other = (pl.read_parquet(tmp_path / name / "predictions.parquet") for name in ("run", "bundle"))
    assert one.equals(other)
    held = json.loads((tmp_path / "bundle" / "evaluation.json").read_text())
    assert held["members"] == [str(whole / f"fold{fold}_seed0.safetensors") for fold in (0, 1)]
    assert trained(run).corpora == trained(whole).corpora == {"0123456789abcdef"}


def test_evaluate_says_that_a_student_looks_too_good_on_the_corpus_that_it_learned_from(
    run: Path, corpus: Path, tmp_path: Path
):
    student = Path(shutil.copytree(run, tmp_path / "student-1a"))
    for fold in student.iterdir():
        as_student(fold, fingerprint(corpus))
    words = ("min_votes=16", "draws=100", f"data.root={corpus}", "data.size=tiny", "accelerator=cpu", "flips=false")
    flattered = "learned from a teacher that saw the held-out patients, so its KL looks too good."
    command("export.__main__", f"runs={student}")
    shared = student / "bundle"
    for learner, told in (*((one, [f"{one}: {flattered}"]) for one in (student, shared)), (run, [])):
        said = command("evaluate", f"runs={learner}", f"out={tmp_path / 'out'}", f"stores={stores_of(corpus)}", *words)
        assert [line for line in said.splitlines() if "teacher" in line] == told


def test_a_timeline_in_python_is_that_of_the_command_to_the_bit(
    whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture
):
    eeg = 30 * np.random.default_rng(0).normal(size=(18, 90 * 200))
    path = write_edf(tmp_path / "night.edf", eeg, ["X 1", *SCALP[1:-1]], 200)
    words = (
        "accelerator=cpu",
        "flips=false",
        "step_s=15",
        "threshold=0.2",
        "windows=1",
        f"out={tmp_path}",
        "channels={X 1: Fp1}",
    )
    command("predict", str(whole), f"recording={path}", *words)
    capfd.readouterr()
    found = hms.load(whole).timeline(str(path), step_s=15, threshold=0.2, flips=False, channels={"X 1": "Fp1"})
    assert capfd.readouterr() == ("", "")
    assert found.table.equals(pl.read_parquet(tmp_path / "night.parquet"))
    held = json.loads((tmp_path / "night.json").read_text())
    assert found.interpolated == (SCALP[-1],) == tuple(held["interpolated"])
    assert (found.notes, found.origin, found.threshold) == (held["notes"], held["origin"], held["threshold"])
    listed = mne.read_annotations(tmp_path / "night-annot.fif")
    assert sorted(events(found)["label"]) == sorted(listed.description)


def test_a_run_and_a_fold_load_as_a_bundle_of_them_does(run: Path, whole: Path, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", 30 * np.random.default_rng(0).normal(size=(19, 3000)), SCALP, 100)
    bundled, loaded = (hms.load(source).timeline(path, flips=False) for source in (whole, run))
    assert bundled.table.equals(loaded.table)
    for fold in ("fold1_seed0", "fold*_seed0"):
        models = hms.load(f"{run}/{fold}").models
        assert len(models) == (2 if "*" in fold else 1)
        wanted = load_model(f"{run}/fold1_seed0").state_dict()
        assert all(torch.equal(weight, wanted[name]) for name, weight in models[-1].state_dict().items())
    with pytest.raises(DataError, match=f"^{tmp_path}: no finished fold here; a run is a folder such as runs/"):
        hms.load(tmp_path)


def test_a_timeline_of_an_open_file_is_that_of_its_path(whole: Path, tmp_path: Path):
    model, eeg = hms.load(whole), 30 * np.random.default_rng(0).normal(size=(19, 6000))
    path = write_edf(tmp_path / "x.edf", eeg, ["1", *SCALP[1:]], 100)
    raw = mne.io.read_raw_edf(path, verbose="error")
    options = {"flips": False, "step_s": 20, "channels": {"1": "Fp1"}}
    wanted, made = model.timeline(path, **options), model.timeline(raw, **options)
    np.testing.assert_allclose(made.table.to_numpy(), wanted.table.to_numpy(), atol=1e-5)
    assert (made.path, made.notes, made.origin) == (path, wanted.notes, wanted.origin)
    marked = raw.copy().load_data().crop(20).set_annotations(mne.Annotations(0, 15, "BAD_cable"))
    marked.info["bads"] = ["F3"]
    made = model.timeline(marked, **options)
    assert (made.duration_s, made.interpolated) == (pytest.approx(40, abs=0.02), ("F3",))
    assert made.table["seizure"].is_null().to_list() == [True, False]
    assert "Marked as bad in the file, so not read: F3." in made.notes
    with pytest.raises(UserError, match=r"x\.edf: channels: want a channel of the file, got '2'"):
        model.timeline(raw, channels={"2": "Fp1"})


def test_the_unit_of_an_open_file_is_that_of_the_values_it_returns(whole: Path):
    model, eeg = hms.load(whole), 30 * np.random.default_rng(0).normal(size=(19, 12_000))
    info = mne.create_info([*SCALP], 200, "eeg")
    in_volts, in_microvolts = (mne.io.RawArray(part, info, verbose="error") for part in (eeg / 1e6, eeg))
    wanted = model.timeline(in_volts, flips=False, step_s=20)
    assert wanted.path == Path("RawArray")
    made = model.timeline(in_microvolts, flips=False, step_s=20, unit="uV")
    np.testing.assert_allclose(made.table.to_numpy(), wanted.table.to_numpy(), atol=1e-5)
    with pytest.raises(DataError, match=r"RawArray: want an EEG in µV, got values with a median SD of 3e\+07 µV"):
        model.timeline(in_microvolts)
    epochs = mne.make_fixed_length_epochs(in_volts, 1, verbose="error")
    for other in (epochs, eeg, None):
        with pytest.raises(UserError) as refused:
            model.timeline(other)
        wish = "recording: want the path of a file or an mne.io.Raw"
        assert str(refused.value) == f"{wish}, got {type(other).__name__}"


def test_a_timeline_may_come_from_another_process(whole: Path, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", 30 * np.random.default_rng(0).normal(size=(19, 3000)), SCALP, 100)
    made = hms.load(whole).timeline(path, flips=False)
    came = pickle.loads(pickle.dumps(made))
    assert came.table.equals(made.table)
    assert (came.notes, came.origin, came.stretches) == (made.notes, made.origin, made.stretches)


def test_a_timeline_keeps_its_own_copy_of_the_mapped_channels(whole: Path, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", 30 * np.random.default_rng(0).normal(size=(19, 3000)), ["1", *SCALP[1:]], 100)
    channels: dict = {1: "Fp1"}
    model = hms.load(whole)
    made = model.timeline(path, flips=False, channels=channels)
    channels[2] = "F3"
    assert made.origin["channels"] == {"1": "Fp1"}
    with pytest.raises(UserError, match=r"x\.edf: channels: want a channel of the file, got '2'"):
        model.timeline(path, channels=channels)


def test_a_timeline_in_python_has_the_options_of_the_command(whole: Path, tmp_path: Path):
    keys = config_of("predictors") | config_of("predict")
    _, _, *options = inspect.signature(LoadedModel.timeline).parameters.values()  # after self and the recording
    defaults = {one.name: one.default for one in options}
    assert defaults == {name: keys[name] for name in defaults}
    model = hms.load(whole)
    for options, message in (
        ({"step_s": 0.5}, "step_s: want 1 s or more (below 2^32), got 0.5"),
        ({"step_s": float("nan")}, "step_s: want 1 s or more (below 2^32), got nan"),
        ({"threshold": 0}, "threshold: want more than 0, up to 1, got 0"),
        ({"batch_size": 0}, "batch_size: want 1 or more (below 2^32), got 0"),
        ({"unit": "mv"}, "unit: want 'nV', 'uV', 'mV', 'V' or null, got 'mv'; did you mean 'mV'?"),
    ):
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            model.timeline(tmp_path / "gone.edf", **options)
    with pytest.raises(DataError, match=r"gone\.edf: no such file"):
        model.timeline(tmp_path / "gone.edf")


def config_of(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"conf/{name}.yaml").read_text())


def test_evaluate_gives_no_interval_for_a_single_patient(whole: Path, corpus: Path, tmp_path: Path):
    folder = tmp_path / "one"
    folder.mkdir()
    for part in ("train_eegs", "train_spectrograms"):
        (folder / part).symlink_to(corpus / part)
    pl.read_csv(corpus / "train.csv").filter(pl.col("patient_id") == pl.col("patient_id").first()).write_csv(
        folder / "train.csv"
    )
    words = (f"runs={whole}", f"out={tmp_path / 'out'}", f"stores={tmp_path}", "accelerator=cpu", "flips=false")
    printed = command("evaluate", *words, "data=competition", f"data.root={folder}")
    assert json.loads((tmp_path / "out/evaluation.json").read_text())["kl_interval"] is None
    assert "top-1" in printed
    assert "95 % interval" not in printed


def test_a_folder_with_brackets_in_its_name_is_no_pattern(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "odd[1]-ab")
    shutil.copytree(run / "fold0_seed0", tmp_path / "odd1-ab" / "fold0_seed0")
    assert repr(hms.load(tmp_path / "odd[1]-ab")) == "<LoadedModel: 2 models of 1 run>"
    assert repr(hms.load(tmp_path / "odd[1-2]-ab")) == "<LoadedModel: 1 model of 1 run>"


def test_a_kaggle_folder_holds_a_bundle_as_it_is(run: Path, whole: Path, tmp_path: Path):
    spec = importlib.util.spec_from_file_location("kaggle_folder", ROOT / "scripts" / "kaggle_folder.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.copy_runs(find_predictors([str(run), str(whole)]), tmp_path, False)
    bundled = find_predictors(ensemble=str(tmp_path)).runs[-1].folds
    assert bundled == [tmp_path / "runs" / "bundle" / f"fold{fold}_seed0.safetensors" for fold in (0, 1)]
    assert hms.load(tmp_path).predictors.mixture.weights.tolist() == [0.5, 0.5]
    with pytest.raises(UserError, match=f"--half: want runs, got the bundle {whole}, whose files are fixed"):
        script.copy_runs(find_predictors(str(whole)), tmp_path / "half", True)


ALONE = """
import sys, numpy, pathlib, hms
assert not {"torch", "numpy", "hydra", "polars"} & ({*sys.modules} - {"numpy"}), "import hms is not light"
assert not list(pathlib.Path(hms.__file__).parents[1].glob("**/*.yaml")), "conf/ is here"
given = numpy.load("given.npz")
numpy.save("found.npy", hms.load("bundle").predict(given["eeg"], given["spectrogram"]))
"""


def test_a_bundle_needs_no_conf(whole: Path, bundle: Path, tmp_path: Path):
    shutil.copytree(ROOT / "hms", tmp_path / "hms", ignore=shutil.ignore_patterns("__pycache__"))
    eeg, spectrogram = windows()
    np.savez(tmp_path / "given.npz", eeg=eeg, spectrogram=spectrogram)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(python("-c", ALONE), cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert np.array_equal(np.load(tmp_path / "found.npy"), hms.load(whole).predict(eeg, spectrogram))


def test_shared_weights_stay_shared_and_are_stored_once(tmp_path: Path):
    words = ("extractor=[stft,stft_cosine]", "model.share_backbones=true")
    node = quick(config(*words))["model"]
    model = build(node).eval()
    with new_bundle(tmp_path / "bundle", {"members": ["one"], "corpora": [], "model": node}) as folder:
        save_weights(folder / "one.safetensors", model)
    (found,) = hms.load(tmp_path / "bundle").models
    backbones = [extractor.backbone for extractor in found.extractors.values()]
    assert backbones[0] is backbones[1]
    for name, weight in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)
    held = load_file(tmp_path / "bundle" / "one.safetensors")
    assert sum(w.numel() for w in held.values()) < sum(w.numel() for w in model.state_dict().values())


def test_one_fold_makes_a_bundle_and_a_new_bundle_replaces_the_old(run: Path, tmp_path: Path):
    out = tmp_path / "bundle"
    for name in ("fold0_seed0", "fold1_seed0"):
        command("export.__main__", f"runs={run / name}", f"out={out}")
        assert read_bundle(out)["members"] == [name]
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}
    assert (out / "fold1_seed0.safetensors").stat().st_mode & 0o777 == (out / CARD).stat().st_mode & 0o777
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=out, check=True)


def test_predict_rejects_windows_of_wrong_shape_unit_or_value(whole: Path):
    eeg, spectrogram = windows()
    model = hms.load(str(whole))
    for arguments, message in (
        ((eeg[0], spectrogram), r"eeg_uv: want \(batch, 20, 10000\), 50 s at 200 Hz, got \(20, 10000\)"),
        ((eeg[:0], spectrogram), r"eeg_uv: want \(batch, 20, 10000\), 50 s at 200 Hz, got \(0, 20, 10000\)"),
        ((eeg / 1e6, spectrogram), r"eeg_uv: want µV, got values with a median SD of \S+e-05: volts or millivolts\?"),
        ((eeg + np.inf, spectrogram), "eeg_uv: want numbers, or NaN where nothing was recorded, got an infinite value"),
        ((eeg, None), r"spectrogram: want \(batch, 4, 300, 100\), as hms.spectrogram_recipe computes it, got none"),
        ((eeg, spectrogram[1:]), "spectrogram: want one for each of 3 windows, got 2"),
    ):
        with pytest.raises(DataError, match=message):
            model.predict(*arguments)


def test_predict_takes_any_array_of_numbers_and_says_what_is_none(whole: Path):
    eeg, spectrogram = windows()
    model = hms.load(whole)
    wanted = model.predict(eeg, spectrogram)
    backwards = eeg[..., ::-1].copy()[..., ::-1]
    backwards.flags.writeable = False
    for same in (backwards, eeg.astype(">f4"), [*eeg], torch.from_numpy(eeg).requires_grad_()):
        np.testing.assert_array_equal(model.predict(same, spectrogram), wanted)
    with pytest.raises(DataError, match=r"eeg_uv: want \(batch, 20, 10000\).*, got no array of numbers \("):
        model.predict([eeg[0], eeg[0, :5]], spectrogram)
    with pytest.raises(UserError, match=r"batch_size: want 1 or more \(below 2\^32\), got 0"):
        model.predict(eeg, spectrogram, batch_size=0)


def test_windows_of_different_offsets_are_still_in_microvolts(whole: Path):
    eeg, spectrogram = windows()
    offsets_uv = np.array([150_000, -150_000, 0], np.float32)[:, None, None]
    together = hms.load(whole).predict(eeg + offsets_uv, spectrogram)
    alone = [hms.load(whole).predict(eeg[[i]] + offsets_uv[i], spectrogram[[i]]) for i in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)


@pytest.mark.parametrize(("value", "got"), [(np.nan, "missing samples"), (0.0, "0 µV"), (3000.0, r"\S+ µV")])
def test_a_bundle_refuses_a_window_without_signal_by_its_number(whole: Path, value: float, got: str):
    eeg, spectrogram = (part[[1, 0]] for part in windows())  # the second has a signal beside its centre, too
    eeg[1, :, 4000:6000] = value
    wish = f"eeg_uv: window 1: want a signal of at least 0.4 µV in its central 10 s, got {got}"
    with pytest.raises(DataError, match=wish):
        hms.load(whole).predict(eeg, spectrogram)


# What is refused


def test_a_flipped_bit_in_any_file_is_detected(bundle: Path):
    draw = np.random.default_rng(0)
    for path in sorted(bundle.iterdir()):
        right = path.read_bytes()
        for place in {0, len(right) - 1, *draw.integers(0, len(right), 10).tolist()}:
            wrong = bytearray(right)
            wrong[place] ^= 1 << int(draw.integers(8))
            path.write_bytes(wrong)
            with pytest.raises(DataError):
                read_bundle(bundle)
        path.write_bytes(right)
    hms.load(bundle)


SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "changed": (
        lambda b: (b / CARD).write_text("It is a medical device."),
        r"bundle/README\.md: not as it was written \(SHA256SUMS lists another hash\): copy it again",
    ),
    "lacking": (
        lambda b: (b / "fold1_seed0.safetensors").unlink(),
        r"bundle: lacks 'fold1_seed0\.safetensors' \(SHA256SUMS lists what belongs to it\)",
    ),
    "foreign": (
        lambda b: (b / "evil.py").touch(),
        r"bundle: has a foreign file, 'evil\.py' \(SHA256SUMS lists what belongs to it\)",
    ),
    "no hashes": (lambda b: (b / SUMS).unlink(), r"SHA256SUMS: no such file; hms\.export writes it with the rest"),
    "other lines": (
        lambda b: (b / SUMS).write_text((b / SUMS).read_text().replace("  ", " ")),
        r"SHA256SUMS: want a line for each file, its SHA-256, two spaces and its name; got something else",
    ),
    "no text": (lambda b: (b / SUMS).write_bytes(b"\xff"), r"SHA256SUMS: not a list of hashes \('utf-8' codec"),
    "elsewhere": (
        lambda b: (b / SUMS).write_text((b / SUMS).read_text().replace("README.md", "../README.md")),
        r"SHA256SUMS: want a line for each file",
    ),
    "newer": (
        lambda b: edited(b, format=2),
        r"config\.json: want format 1 or older, got 2: a newer version of hms reads it",
    ),
    "members": (
        lambda b: edited(b, members=["fold0_seed0"]),
        r"config\.json: want its members to be fold0_seed0\.safetensors, fold1_seed0\.safetensors, got fold0_seed0\.s",
    ),
    "no config": (
        lambda b: sealed(b) if (b / CONFIG).write_text("[1]") else None,
        r"config\.json: not the config of a bundle \(list indices must be integers",
    ),
    "weights": (
        lambda b: sealed(b) if (b / "fold0_seed0.safetensors").write_bytes(pickle.dumps({})) else None,
        r"fold0_seed0\.safetensors: not a file of weights \(",
    ),
    "another config": (
        lambda b: edited(b, model=quick(config(*SMALL, "extractor.stft_short.n_fft=66"))["model"]),
        r"fold0_seed0\.safetensors: want weights of the model that its config describes, got different ones",
    ),
    "no model": (
        lambda b: edited(b, model=quick(config())["montage"]),
        r"fold0_seed0\.safetensors: want a config of hms\.model\.Model, got one of Montage",
    ),
    "a number": (lambda b: edited(b, model=3), r"want a config of hms\.model\.Model, got one of int"),
    "foreign code": (
        lambda b: edited(b, model={"_target_": "os.system", "command": "true"}),
        r"fold0_seed0\.safetensors: want a name that starts with hms\. \(HMS_ALLOW, .* yours\), got 'os\.system'",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_wrong_with_a_bundle_is_reported_in_one_line(what: str, bundle: Path):
    spoil, message = SPOILT[what]
    spoil(bundle)
    for use in (
        hms.load,
        lambda path: [load_model(fold) for fold in find_predictors(str(path)).folds],
    ):
        with pytest.raises((DataError, ConfigError), match=message) as told:
            use(bundle)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", ["more", "less", "shape"])
def test_weights_that_do_not_fit_the_model_are_refused(change: str, bundle: Path):
    path = bundle / "fold0_seed0.safetensors"
    weights = load_file(path)
    name = "fusion.linear.bias"
    changes = {"more": {"more": torch.zeros(1)}, "shape": {name: torch.zeros(7)}, "less": {}}
    kept = {key: value for key, value in weights.items() if key != name or change != "less"}
    save_file(kept | changes[change], path)
    with pytest.raises(DataError, match="want weights of the model that its config describes, got different ones"):
        hms.load(sealed(bundle))


class Evil:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_no_file_of_a_bundle_or_a_run_runs_code(run: Path, bundle: Path, tmp_path: Path):
    trap = tmp_path / "trap"
    torch.save(Evil(trap), tmp_path / "evil.pt")
    run_config = {"runs": str(tmp_path), "name": "x", "extractor": {}, "fold": 0, "seed": 0, "trainer": {}, "live": {}}
    run_config |= {"model": {}, "augmentation": {}}
    loader = "_target_: lightning.pytorch.core.saving._load_from_checkpoint\ncls: 1\nweights_only: false\n"
    backbone = {"_target_": "hms.backbone.TimmBackbone", "_args_": ["resnet18", True, str(tmp_path / "evil.pt"), 0]}
    read = {
        "_target_": "hms.runs.provenance.read_config",
        "folder": {"_target_": "hms.runs.folder.fold_folder", "config": run_config, "fingerprint": ""},
    }
    folder = fold_folder(run_config, "")
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"{loader}checkpoint_path: {tmp_path / 'evil.pt'}\n")
    spoilt = Path(shutil.copytree(run / "fold0_seed0", tmp_path / "fold0_seed0"))
    for node, message in (
        ({"_target_": "hms.config.build.build", "node": read}, "want a class, got 'hms.config.build.build'"),
        ({"_target_": "hms.fusion.Concat", "extractors": [backbone]}, "want each argument by its name, got '_args_'"),
        ({"_target_": "hms.model.Model", "preprocess": "${oc.env:HOME}"}, "want plain values, got"),
    ):
        torch.save({"model": node, "weights": {}}, spoilt / "model.ckpt")
        for use in (lambda: hms.load(edited(bundle, model=node)), lambda: hms.load(spoilt)):  # noqa: B023
            with pytest.raises(ConfigError, match=re.escape(message)):
                use()
    shutil.copy(tmp_path / "evil.pt", spoilt / "model.ckpt")
    with pytest.raises(DataError, match=r"model\.ckpt: not a checkpoint of hms"):
        hms.load(spoilt)
    (bundle / "fold0_seed0.safetensors").write_bytes((tmp_path / "evil.pt").read_bytes())
    with pytest.raises(DataError, match="not a file of weights"):
        hms.load(sealed(bundle))
    assert not trap.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert trap.exists(), "the trap does not work"


def test_runs_that_cannot_be_exported_are_refused_with_the_reason(run: Path, whole: Path, tmp_path: Path):
    def say(*words: str) -> str:
        return command("export.__main__", *words, code=1)

    assert f"runs: want a run or a fold, got '{whole}', which is a bundle already" in say(f"runs={whole}")
    assert f"{tmp_path}: no finished fold here" in say(f"runs={tmp_path}")
    assert f"runs: want one, got 3: {run}, a and 1 more" in say(str(run), "a", "b")
    assert "runs: want a value, got none (runs=...)" in say()
    (tmp_path / "thesis.tex").touch()
    wish = f"out: want a new folder, or a bundle to replace, got '{tmp_path}', which holds 'thesis.tex'"
    assert wish in say(f"runs={run}", f"out={tmp_path}")
    other = a_scored_run(tmp_path / "mixed-3c4d", 1)
    shutil.copytree(
        a_scored_run(tmp_path / "wide-5e6f", 2, *SMALL, "preprocess.clip_uv=99") / "fold1_seed0", other / "fold1_seed0"
    )
    assert f"runs: want folds of one model, got several in {other}; export each alone" in say(f"runs={other}")
    (other / "fold0_seed0" / "provenance.json").unlink()
    alone = other / "fold0_seed0"
    assert f"{alone / 'provenance.json'}: no such file; a model card says what it holds" in say(f"runs={alone}")
    assert not (other / "bundle").exists()


# The card


def test_the_card_says_what_the_run_scored_and_what_it_is_not_for(run: Path, whole: Path):
    assert trained(run).learned_from_simulation
    assert trained(whole).learned_from_simulation
    text = (whole / CARD).read_text()
    assert "# small-1a2b\n" in text
    for words in (
        "**Not a medical device.**",
        "| data | simulated_tiny_0 (no patient ever had this EEG) |",
        "| corpus | `0123456789abcdef` |",
        "| extractors | stft_short, spectrogram |",
        "It was trained on **simulated** EEG.",
        "80 windows of 8 patients, each predicted by a model that had not seen its patient",
        "Predicting the true probabilities would give 0.250.",
        "`spectrogram`, (batch, 4, 300, 100)",
        f"hms {hms.__version__}, commit ",
        "bundle format 1;",
    ):
        assert words in text, words
    scored = r"KL\n\*\*(\S+)\*\* \(95 % interval (\S+) to (\S+), bootstrap over patients\)"
    kl, low, high = (float(found) for found in re.findall(scored, text)[0])
    assert low < kl < high
    assert re.search(r"\| seizure \| \d+ \| \d\.\d{3} \|", text)
    assert "None" not in text.replace("max_votes None", "")
    assert str(ROOT) not in text + (whole / CONFIG).read_text()


def test_the_card_mentions_an_evaluation_elsewhere_and_that_no_patient_was_held_out(tmp_path: Path):
    run = a_scored_run(tmp_path / "small-9a", 1)
    folds = trained(run).folds
    found = {"kl": 0.5, "kl_interval": [0.4, 0.61], "rows": 12, "data": "/home/me/hms_real"}
    found |= {"rows_maybe_trained_on": 0, "ensemble": None, "temperature": None, "odds": {}, "adapt": 0}
    path = run / "evaluation" / "hms_real-01234567" / "evaluation.json"
    path.parent.mkdir(parents=True)
    said = (
        "On 12 windows from another folder, `hms_real`, the mean of the models has KL **0.500** "
        "(95 % interval 0.400 to 0.610)."
    )
    for other, told in (
        ({}, True),
        ({"members": []}, False),
        ({"rows_maybe_trained_on": 5}, False),
        ({"temperature": 2.0}, False),
        ({"adapt": 0.5}, False),
        ({"fold": "all"}, False),
    ):
        path.write_text(json.dumps(found | {"members": [str(folds[0])]} | other))
        assert (said in card(trained(run), False)) == told
    path.write_text(json.dumps(found | {"kl_interval": None, "rows": 1, "members": [str(folds[0])]}))
    shutil.move(path.parent, run / "evaluation" / "more" / "hms_real")
    text = card(trained(run), False)
    assert "has KL **0.500**.\n" in text, "of one patient there is no interval"
    assert "On 1 window from another folder" in text
    assert "The prediction is that of one model: fold0_seed0." in text
    shutil.copytree(folds[0], run / "fold0_seed1")
    assert "40 windows of 4 patients" in card(trained(run), False), "a window of two seeds counts once"
    (folds[0] / "oof.parquet").unlink()
    assert "Unknown: it was trained on every patient of its corpus" in card(Trained(run, folds), False)


def test_the_card_says_whether_the_mean_of_its_models_can_be_scored(run: Path, tmp_path: Path):
    seeds = a_scored_run(tmp_path / "seeds-1a", 1)
    shutil.copytree(seeds / "fold0_seed0", seeds / "fold0_seed1")
    both = Path(shutil.copytree(run, tmp_path / "both-1a"))
    shutil.copytree(both / "fold0_seed0", both / "fold0_seed1")
    shared = (
        "the mean over the models, which all held out these patients; the mean of their predictions has at most this"
    )
    crossed = "cannot be scored this way, because each patient was seen by some of them."
    for models, told in ((seeds, [shared]), (run, [crossed]), (both, [crossed]), (run / "fold0_seed0", [])):
        text = card(trained(models), False)
        assert [words for words in (shared, crossed) if words in text] == told


def test_the_card_of_a_student_says_that_its_scores_look_too_good(tmp_path: Path):
    student = a_scored_run(tmp_path / "student-1a", 1)
    flattered = "The model learned from a teacher that saw the held-out patients, so its KL looks too good.\n"
    assert "teacher" not in card(trained(student), False)
    as_student(student / "fold0_seed0")
    text = card(trained(student), False)
    assert flattered in text
    assert text.index("## Scores") < text.index(flattered) < text.index("| votes led by |")
    (student / "fold0_seed0/oof.parquet").unlink()
    assert flattered not in card(trained(student), False), "it names no KL"


def test_a_bundle_that_loses_its_onnx_says_so(run: Path, tmp_path: Path):
    words, out = (f"runs={run}", f"out={tmp_path / 'bundle'}"), tmp_path / "bundle"
    assert "onnx" not in command("export.__main__", *words)
    (out / "model.onnx").touch()
    sealed(out)
    assert f"{out}: is written anew without model.onnx; onnx=true keeps one\n" in command("export.__main__", *words)


def test_the_model_of_all_patients_that_an_export_leaves_out_is_named(run: Path, tmp_path: Path):
    both = Path(shutil.copytree(run, tmp_path / "small-2c"))
    shutil.copytree(both / "fold1_seed0", both / "foldall_seed0")
    told = f"{both} predicts by its 2 folds, without fold=all; to predict by that, name {both / 'foldall_seed0'}\n"
    assert command("export.__main__", f"runs={both}").startswith(told)
    assert read_bundle(both / "bundle")["members"] == ["fold0_seed0", "fold1_seed0"]


def test_nothing_is_left_of_a_bundle_whose_onnx_fails(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = (f"runs={run}", f"out={tmp_path / 'bundle'}", "onnx=true")
    monkeypatch.setattr("hms.export.onnx.find_spec", lambda name: None if name == "onnxscript" else name)
    said = command("export.__main__", *words, code=1)
    assert said == "onnx: wants onnxscript, which is not installed; pip install 'hms[onnx]'\n"
    monkeypatch.undo()
    monkeypatch.setattr("torch.export.export", mock.Mock(side_effect=RuntimeError("no such operator\nand more")))
    said = command("export.__main__", *words, code=1)
    assert said == "onnx: torch cannot export this model (no such operator)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_wrong_types_and_weights_that_are_not_finite_are_refused(bundle: Path):
    held = json.loads((bundle / CONFIG).read_text())
    (bundle / CONFIG).write_text(json.dumps(held | {"model": held["model"] | {"preprocess": None}}))
    with pytest.raises(
        ConfigError, match=r"fold0_seed0\.safetensors: model\.preprocess: Model wants Preprocess \(a map"
    ):
        hms.load(sealed(bundle))
    (bundle / CONFIG).write_text(json.dumps(held))
    weights = load_file(bundle / "fold0_seed0.safetensors")
    next(weight for weight in weights.values() if weight.is_floating_point()).fill_(torch.nan)
    save_file(weights, bundle / "fold0_seed0.safetensors")
    with pytest.raises(DataError, match=r"fold0_seed0\.safetensors: has weights that are not finite"):
        hms.load(sealed(bundle))
