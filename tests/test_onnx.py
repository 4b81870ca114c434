"""model.onnx predicts what torch predicts, for any number and content of windows, with every extractor and fusion."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import pytest
import torch
from commands import command
from configs import options
from material import config
from untrained_runs import a_scored_run

import hms
from hms.batch import Batch
from hms.config.build import build
from hms.data.half_precision import without_far_offsets
from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.errors import UserError
from hms.export.onnx import _Convolution, _without_far_offsets, write_onnx
from hms.labels import CLASSES
from hms.model import Model
from hms.preprocess.zero_phase import ZeroPhase
from hms.runs.checkpoint import save_model
from hms.window_lengths import BEFORE_S, CENTRE_S, EEG_SAMPLES, SPECTROGRAM_ROWS

SMALL = (
    *(f"backbone.{one}.channels=[8,8]" for one in ("image", "wavenet", "spectrogram")),
    "backbone.image.grid=[2,2]",
)
WORDS = {
    "attention": (
        "extractor=[wavenet,stft_short,multitaper,superlet,efficientnet1d_short,stft_x3d_short]",
        *("preprocess=clinical", "fusion=attention", "fusion.layers=1", "extractor.multitaper.span_s=3"),
        *("extractor.wavenet.blocks=1", "extractor.wavenet.layers=1", "extractor.wavenet.span_s=3"),
        *("extractor.superlet.span_s=3", "extractor.superlet.rows=4", "extractor.superlet.orders=[1,2]"),
        *(f"extractor.efficientnet1d_short.{sizes}" for sizes in ("channels=[8,8,8]", "depths=[2,1]", "kernels=[5,5]")),
        *(f"extractor.stft_x3d_short.{sizes}" for sizes in ("span_s=3", "depth_factor=0.2", "features=8")),
    ),
    "concat": ("extractor=[spectrogram,raw_image,traces_short,stft_short]", "fusion=concat", "preprocess=original"),
}
"""Together all extractors, fusions and presets of preprocessing; small, because only the operators matter."""


def given(windows: int) -> dict[str, np.ndarray]:
    """Noise; mains of 3 mV on an offset; electrodes and seconds missing; no signal outside the centre; far offsets."""
    draw = np.random.default_rng(1)
    eeg = 30 * draw.standard_normal((6, len(ELECTRODES), EEG_SAMPLES))
    eeg[1] += 500 + 3000 * np.sin(2 * np.pi * 50 / SFREQ_HZ * np.arange(EEG_SAMPLES))
    outside = np.r_[0 : BEFORE_S * SFREQ_HZ, (BEFORE_S + CENTRE_S) * SFREQ_HZ : EEG_SAMPLES]
    eeg[2, 3:6], eeg[2, :, 700:2600], eeg[3, :, outside], eeg[4, :, outside] = np.nan, np.nan, np.nan, 0
    eeg[5, [0, 19], 700:] += 5000
    power = draw.lognormal(size=(6, 4, SPECTROGRAM_ROWS, 100))
    power[2, :, :50], power[3], power[4] = np.nan, np.nan, 0
    return {"eeg_uv": eeg[:windows].astype("float32"), "spectrogram": power[:windows].astype("float32")}


def a_sure_run(run: Path, *words: str) -> Path:
    """A run of one fold, with statistics as after training, and so confident that differences show."""
    a_scored_run(run, 1, *words)
    node = config(*words)["model"]
    model: Model = build(node).train()
    eeg, power = map(torch.from_numpy, given(2).values())
    with torch.no_grad():
        for _ in range(3):
            model(Batch(eeg, power, torch.zeros(2, 6), torch.zeros(2), torch.arange(2)))
        model.fusion.linear.weight *= 100
    save_model(run / "fold0_seed0", model, node)
    return run


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("fusion", WORDS)
def test_onnx_and_torch_agree(fusion: str, tmp_path: Path):
    run, flips = a_sure_run(tmp_path / "sure-7f", *WORDS[fusion], *SMALL), fusion == "concat"
    said = command("export.__main__", f"runs={run}", "onnx=true", f"flips={flips}")
    assert "model.onnx gives the same probabilities as torch to within " in said
    model, onnx = hms.load(run / "bundle"), session(run / "bundle" / "model.onnx")
    shapes = {one.name: one.shape for one in (*onnx.get_inputs(), *onnx.get_outputs())}
    reads = {"spectrogram": ["batch", 4, 300, 100]} if model.reads_spectrogram else {}
    assert shapes == {"eeg_uv": ["batch", 20, 10000], **reads, "probabilities": ["batch", 6]}
    about = onnx.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == [*CLASSES]
    assert json.loads(about["electrodes"]) == [*ELECTRODES]
    for windows in (6, 1):
        wanted = model.predict(*given(windows).values(), flips=flips)
        (found,) = onnx.run(None, {name: given(windows)[name] for name in ("eeg_uv", *reads)})
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        assert windows == 1 or wanted.max() > 0.6, "the test is weak: to the model all classes are equally likely"
    far = given(1)
    far["eeg_uv"][:, 0] += 5000  # of direct current, of which neither sees anything
    np.testing.assert_allclose(model.predict(*far.values(), flips=flips), wanted, atol=2e-3)
    np.testing.assert_allclose(onnx.run(None, {name: far[name] for name in ("eeg_uv", *reads)})[0], wanted, atol=2e-3)


def test_every_extractor_and_fusion_is_tried():
    built = {target for words in WORDS.values() for target in targets(*words)}
    assert targets(f"extractor=[{','.join(options('extractor'))}]") <= built
    assert {target for option in options("fusion") for target in targets(f"fusion={option}")} <= built


def targets(*words: str) -> set[str]:
    whole = config(*words)
    return {node["_target_"] for node in (*whole["extractor"].values(), whole["fusion"], whole["preprocess"])}


@pytest.mark.parametrize(("highpass_hz", "notch_hz"), [(0.5, [50, 60]), (None, [50]), (0.1, [50]), (2.0, [60.0])])
def test_the_convolution_is_the_zero_phase_filter(highpass_hz: float | None, notch_hz: list[float]):
    filtered = ZeroPhase(highpass_hz, notch_hz)
    pairs = torch.from_numpy(given(2)["eeg_uv"])[:, :8]
    found, wanted = _Convolution(filtered)(pairs), filtered(pairs)
    torch.testing.assert_close(found, wanted, atol=0.1, rtol=0)  # µV, next to mains of 3,000
    torch.testing.assert_close(found[0], wanted[0], atol=2e-3, rtol=0)


def test_far_offsets_are_removed_as_from_a_file():
    offset_uv = np.linspace(-5000, 5000, len(ELECTRODES))[:, None]
    eeg = (30 * np.random.default_rng(0).standard_normal((20, 1000)) + offset_uv).astype("float32")
    (found,) = _without_far_offsets(torch.from_numpy(eeg)[None]).numpy()
    np.testing.assert_allclose(found, without_far_offsets(eeg.T).T, atol=1e-3)
    assert np.abs(found[:19]).max() < 1200


@pytest.mark.parametrize("apart", [0.0002, float("nan")])
def test_a_file_that_predicts_something_else_is_refused(apart: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("torch.export.export", "torch.onnx.export"):
        monkeypatch.setattr(name, mock.MagicMock())
    monkeypatch.setattr("hms.export.onnx._difference", lambda *_: apart)
    with pytest.raises(
        UserError, match=rf"^onnx: want probabilities within 0\.0001 of torch's, got {apart:.2g} apart$"
    ):
        write_onnx(tmp_path / "model.onnx", [build(config("extractor=stft_short", *SMALL)["model"])], flips=False)
