"""A model of several extractors: its heads, shared backbones, and what it refuses."""

import functools

import pytest
import torch
from material import config
from small_parts import batch, preprocess, stft, timm_backbone
from torch import nn

from hms.backbone import TinyBackbone
from hms.config.build import build
from hms.errors import ConfigError
from hms.extractor.spectrogram import Spectrogram
from hms.extractor.wavenet import Wavenet
from hms.fusion import Concat
from hms.loss import VoteWeightedKl
from hms.model import Model
from hms.montage import Montage


def extractors() -> dict[str, nn.Module]:
    """One of each kind, on a montage of two pairs."""
    backbone = functools.partial(TinyBackbone, [8, 16], [1, 1], 0.0, False)
    montage = Montage({"all": ["Fp1-F7", "O1-T3"]}, "listed")
    wavenet = Wavenet(montage, backbone(), 2, 4, 3, "improved", 5, 10, None, 0.0, False)
    return {"stft": stft(dropout=0.0), "wavenet": wavenet, "spectrogram": Spectrogram(backbone(), 10, 0.0, 8, 0.0)}


def model(*names: str, auxiliary_heads: bool = True, share_backbones: bool = False) -> Model:
    chosen = {name: part for name, part in extractors().items() if name in names or not names}
    return Model(preprocess(), chosen, Concat, auxiliary_heads, share_backbones)


def test_a_model_gives_six_finite_logits_even_where_everything_is_missing():
    missing = batch()._replace(
        eeg=torch.full((3, 20, 2000), torch.nan), spectrogram=torch.full((3, 4, 9, 9), torch.nan)
    )
    network = model()
    loss = VoteWeightedKl(0.79, 0.06, {})
    loss(network.classify(network.preprocess(missing)), missing.target, missing.weight).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    assert network.eval()(missing).isfinite().all()
    assert network.eval()(batch()).shape == (3, 6)


def test_each_of_several_extractors_has_a_head_that_depends_on_it_alone():
    network = model().eval()
    signals = network.preprocess(batch())
    logits = network.classify(signals)
    assert torch.equal(logits.joint, network(batch()))
    assert {name: tuple(own.shape) for name, own in logits.by_extractor.items()} == dict.fromkeys(extractors(), (3, 6))
    other = network.classify(signals._replace(pairs=signals.pairs.flip(0)))
    assert torch.equal(other.by_extractor["spectrogram"], logits.by_extractor["spectrogram"])
    assert not torch.equal(other.by_extractor["stft"], logits.by_extractor["stft"])


def test_extractors_with_the_same_backbone_may_share_it():
    node = config("extractor=[stft_short,raw_image,spectrogram]", "model.share_backbones=true")["model"]
    shared, own = build(node), build(node | {"share_backbones": False})
    parts = shared.extractors
    assert parts["stft_short"].backbone is parts["raw_image"].backbone is not parts["spectrogram"].backbone
    assert own.extractors["stft_short"].backbone is not own.extractors["raw_image"].backbone
    size = sum(p.numel() for p in parts["stft_short"].backbone.parameters())
    assert sum(p.numel() for p in shared.parameters()) == sum(p.numel() for p in own.parameters()) - size
    again = build(node)
    again.load_state_dict(shared.state_dict())
    assert again.extractors["stft_short"].backbone is again.extractors["raw_image"].backbone


def test_backbones_of_different_architectures_are_not_shared():
    said = "share_backbones: want two extractors with the same backbone, got stft_short, spectrogram"
    with pytest.raises(ConfigError, match=said):
        build(config("extractor=[stft_short,spectrogram]", "model.share_backbones=true")["model"])
    said = "want two extractors with the same backbone, got stft_short, wavenet_short"  # whose grids differ
    with pytest.raises(ConfigError, match=said):
        build(config("extractor=[stft_short,wavenet_short]", "model.share_backbones=true")["model"])
    names = [f"test_efficientnet{trained_on}" for trained_on in ("", ".r160_in1k")]
    one, other = (stft(backbone=timm_backbone(name=name)) for name in names)
    with pytest.raises(ValueError, match="got one, other"):
        Model(preprocess(), {"one": one, "other": other}, Concat, auxiliary_heads=False, share_backbones=True)


def test_a_lone_extractor_and_a_model_without_auxiliary_heads_have_none():
    for network in (model("stft"), model(auxiliary_heads=False)):
        assert network.classify(network.preprocess(batch())).by_extractor == {}


def test_the_spectrogram_is_read_if_an_extractor_needs_it():
    assert [model(name).reads_spectrogram for name in extractors()] == [False, False, True]
    assert model("stft", "spectrogram").reads_spectrogram


def test_attention_tells_all_pairs_of_the_montage_apart():
    words = ("extractor=[stft_short,spectrogram]", "fusion=attention", "montage=pairs24")
    where = build(config(*words)["model"]).fusion.where
    assert {kind: len(places) for kind, places in where.items()} == {"image": 10, "pair": 24}


def test_a_model_needs_an_extractor():
    with pytest.raises(ValueError, match="extractors: want at least one, got none"):
        Model(preprocess(), {}, Concat, auxiliary_heads=True, share_backbones=False)
