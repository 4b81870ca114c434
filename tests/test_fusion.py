"""Fusions combine several extractors; what all have in common is tested in test_contracts.py."""

import pytest
import torch
from material import config
from torch import nn

from hms.batch import Features
from hms.config.build import build
from hms.fusion import Attention, Concat


class Stub(nn.Module):
    """An extractor with sizes only."""

    def __init__(self, out_features: int, token_features: int, token_kind: str):
        super().__init__()
        self.out_features, self.token_features, self.token_kind = out_features, token_features, token_kind
        self.reads_spectrogram = token_kind == "image"


EXTRACTORS = {"stft": Stub(7, 5, "pair"), "wavenet": Stub(4, 3, "pair"), "spectrogram": Stub(6, 6, "image")}


def features(seed: int = 0) -> dict[str, Features]:
    torch.manual_seed(seed)
    return {
        "stft": Features(torch.randn(3, 7), torch.randn(3, 8, 5)),
        "wavenet": Features(torch.randn(3, 4), torch.randn(3, 8, 3)),
        "spectrogram": Features(torch.randn(3, 6), torch.randn(3, 10, 6)),
    }


def attention(**options) -> Attention:
    torch.manual_seed(1)
    montage = build(config()["montage"])  # of eight pairs
    settings = {"width": 16, "layers": 2, "heads": 4, "dropout": 0.0, **options}
    return Attention(EXTRACTORS, montage, **settings).eval()


def test_concat_is_one_linear_layer_over_all_vectors():
    fusion = Concat(EXTRACTORS)
    side_by_side = torch.cat([found.vector for found in features().values()], dim=1)
    torch.testing.assert_close(fusion(features()), fusion.linear(side_by_side))


@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("part", ["vector", "tokens"])
def test_attention_depends_on_every_vector_and_every_token(name: str, part: str):
    fusion, given = attention(), features()
    elsewhere = getattr(given[name], part).clone()
    elsewhere[:, -1] += 1.0 + torch.arange(elsewhere[:, -1].shape[-1] if part == "tokens" else 1)
    changed = {**given, name: given[name]._replace(**{part: elsewhere})}
    assert (fusion(changed) - fusion(given)).abs().min() > 0


def test_attention_knows_which_pair_a_token_is_about():
    fusion, given = attention(), features()
    turned = {**given, "stft": given["stft"]._replace(tokens=given["stft"].tokens.roll(1, dims=1))}
    assert (fusion(turned) - fusion(given)).abs().max() > 1e-4


def test_extractors_share_the_embeddings_of_pairs():
    fusion = attention()
    assert {kind: len(where) for kind, where in fusion.where.items()} == {"image": 10, "pair": 8}
    fusion(features()).sum().backward()
    assert (fusion.where["pair"].grad.abs().sum(dim=1) > 0).all()


def test_the_weights_of_attention_are_rolled_out_over_its_layers():
    fusion, given = attention(), features()
    x = fusion._sequence(given)
    rollout = one = torch.eye(x.shape[1])
    for layer in fusion.encoder.layers:
        normed = layer.norm1(x)
        rollout = (layer.self_attn(normed, normed, normed)[1] + one) / 2 @ rollout
        x = layer(x)
    want = rollout[:, 0, 1:] / rollout[:, 0, 1:].sum(dim=1, keepdim=True)
    weights = fusion.weights(given)
    assert {name: found.shape for name, found in weights.items()} == {
        "stft": (3, 9),
        "wavenet": (3, 9),
        "spectrogram": (3, 11),
    }
    torch.testing.assert_close(torch.cat([*weights.values()], dim=1), want)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 10}, "width: want a multiple of heads = 4, got 10"),
        ({"heads": 0}, "heads: want at least 1, got 0"),
        ({"layers": 0}, "layers: want at least 1, got 0"),
    ],
)
def test_attention_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        attention(**options)
