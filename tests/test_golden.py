"""Numbers recorded from the original 15th-place implementation (../shared/golden), to 1e-4."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, real
from safetensors.torch import load_file

from hms.augmentation.brain_flip import flip
from hms.batch import Batch, Logits
from hms.config.build import build
from hms.extractor import restack
from hms.extractor.stft import Stft
from hms.extractor.wavenet import Wavenet, stack
from hms.labels import vote_weight
from hms.loss import VoteWeightedKl
from hms.network.pool import AttentionPool
from hms.spectrogram_images import SpectrogramImages


def golden(name: str) -> dict[str, torch.Tensor]:
    return load_file(real(f"golden/{name}.safetensors"))


def conf(path: str) -> dict:
    return yaml.safe_load((ROOT / "conf" / f"{path}.yaml").read_text())


def raw_batch(eeg: torch.Tensor) -> Batch:
    rows = len(eeg)
    return Batch(eeg, None, torch.full((rows, 6), 1 / 6), torch.ones(rows), torch.arange(rows))


@pytest.mark.parametrize("left_right", [0, 1])
@pytest.mark.parametrize("front_back", [0, 1])
def test_golden_preprocess_pairs(left_right: int, front_back: int):
    recorded = golden("preprocess_pairs")
    node = conf("preprocess/original") | {"montage": conf("montage/pairs24")}
    batch = flip(raw_batch(recorded["eeg_uv"][None]), torch.tensor([left_right == 1]), torch.tensor([front_back == 1]))
    pairs = build(node)(batch).pairs[0, :, :4000]
    torch.testing.assert_close(pairs, recorded[f"pairs_lr{left_right}_fb{front_back}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("option", "recording"), [("stft", "stft_hann_190"), ("stft_cosine", "stft_cosine_110")])
def test_golden_stft_and_its_two_column_restack(option: str, recording: str):
    recorded = golden(recording)
    node = conf(f"extractor/{option}")[option] | {
        "backbone": conf("backbone/tiny")["image"] | {"grad_checkpointing": False}
    }
    extractor: Stft = build(node)
    spectrogram = extractor.spectrogram(recorded["input"][None])
    torch.testing.assert_close(spectrogram[0], recorded["spectrogram"], atol=1e-4, rtol=0)
    torch.testing.assert_close(restack(spectrogram, 2), recorded["restacked"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("option", "recording"), [("wavenet", "wavenet_7x24"), ("wavenet_deep", "wavenet_8x28")])
def test_golden_wavenet(option: str, recording: str):
    recorded = golden(recording)
    montage = {"_target_": "hms.montage.Montage", "groups": {"one": ["Fp1-F7"]}, "order": "listed"}
    backbone = conf("backbone/tiny")["wavenet"] | {"grad_checkpointing": False}
    node = conf(f"extractor/{option}")[option] | {"backbone": backbone, "montage": montage}
    extractor: Wavenet = build(node)
    network = extractor.networks["one"]
    network.load_state_dict({name: _of_wavenet(recorded, name) for name in network.state_dict()})
    with torch.no_grad():
        found = network(recorded["input"])[:, 0]
    torch.testing.assert_close(found.transpose(1, 2), recorded["output"], atol=1e-4, rtol=0)


def _of_wavenet(recorded: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """Our weight `name` from the recorded ones; ours computes a layer's three gates in one convolution."""
    *place, kind, bias_or_weight = name.split(".")
    last = max(key.split(".")[2] for key in recorded if key.startswith("weight."))
    prefix = f"weight.wave_blocks.{place[1] if place else last}"
    if kind == "dilated":
        gates = [f"{prefix}.dil_convs.{3 * int(place[3]) + gate}.{bias_or_weight}" for gate in range(3)]
        return torch.cat([recorded[gate] for gate in gates])
    names = {"widen": "conv1x1", "down": "ds_conv", "mix": f"skip_convs.{place[-1]}" if place else ""}
    return recorded[f"{prefix}.{names[kind]}.{bias_or_weight}"]


def test_golden_wavenet_stack():
    recorded = golden("wavenet_stack")
    image = stack(recorded["features"].transpose(2, 3))
    torch.testing.assert_close(image, recorded["image"], atol=0, rtol=0)


def test_golden_attention_pool():
    recorded = golden("attention_pool")
    pool = AttentionPool(64, 2048, 0.5).eval()
    # The recorded score has a bias, which the softmax cancels; ours has none.
    names = {"score.0.weight": "hidden.weight", "score.0.bias": "hidden.bias", "score.2.weight": "score.weight"}
    pool.load_state_dict({ours: recorded[theirs] for ours, theirs in names.items()})
    torch.testing.assert_close(pool.weights(recorded["features"]), recorded["weights"], atol=1e-4, rtol=0)
    torch.testing.assert_close(pool(recorded["features"]), recorded["pooled"], atol=1e-4, rtol=0)


def test_golden_spectrogram_images():
    recorded = golden("spectrogram_images")
    power = recorded["power"][None, [0, 1, 3, 2]]  # recorded as LL RL RP LP
    images = SpectrogramImages("power").log_images(power)[0]
    torch.testing.assert_close(images, recorded["images_log_clipped"], atol=1e-4, rtol=0)


def test_golden_loss():
    recorded = golden("loss")
    target = recorded["votes"] / recorded["votes"].sum(dim=1, keepdim=True)
    weight = torch.from_numpy(vote_weight(recorded["votes"].numpy().astype(np.int64))).float()
    torch.testing.assert_close(weight, recorded["sample_weight"], atol=1e-4, rtol=0)
    loss = VoteWeightedKl(0.79, 0.06, {})
    logits = Logits(recorded["logits"], {})
    weighted = loss(logits, target, weight)
    torch.testing.assert_close(weighted, recorded["loss_weighted"][0], atol=1e-4, rtol=0)
    unweighted = loss(logits, target, torch.ones_like(weight))
    torch.testing.assert_close(unweighted, recorded["loss_unweighted"][0], atol=1e-4, rtol=0)


def test_every_recording_is_used():
    here = Path(__file__).read_text()
    recordings = {path.stem for path in real("golden").glob("*.safetensors")}
    assert recordings
    assert {name for name in recordings if f'"{name}"' not in here} == set()
