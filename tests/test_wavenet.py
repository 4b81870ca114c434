"""What is specific to the WaveNet; test_contracts tests what all extractors share."""

import pytest
import torch
from small_parts import extractor, signals
from torch.nn import functional as F

from hms.errors import ConfigError
from hms.extractor.wavenet import Wavenet, stack


def wavenet(**options) -> Wavenet:
    return extractor("wavenet", **options)


def plain_block(network, x: torch.Tensor, improved: bool) -> torch.Tensor:
    """The block of a WaveNet, layer by layer and gate by gate, as published."""
    start = total = x = network.widen(x)
    for layer in network.layers:
        reach = layer.dilation
        weight, bias = layer.dilated.weight.split(x.shape[1]), layer.dilated.bias.split(x.shape[1])
        convolved = [F.conv1d(x, w, b, padding=reach, dilation=reach) for w, b in zip(weight, bias, strict=True)]
        gated = convolved[0].sigmoid() * convolved[1].tanh()
        x = layer.mix(gated * F.mish(convolved[2])) + start if improved else layer.mix(gated)
        total = total + x
    return x if improved else total


@pytest.mark.parametrize("block", ["improved", "classic"])
@pytest.mark.parametrize("samples", [7, 300])  # a dilation of 2^3 exceeds the first
def test_the_fast_block_has_the_output_and_gradients_of_the_plain_one(block: str, samples: int):
    network = wavenet(block=block).networks["long"].blocks[0].double()
    x = torch.randn(4, 1, samples, dtype=torch.float64)
    gradients = []
    for made in (network(x), plain_block(network, x, block == "improved")):
        gradients.append([made, *torch.autograd.grad(made.square().sum(), list(network.parameters()))])
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain)


def test_the_outer_taps_get_zero_gradients_if_the_dilation_exceeds_the_signal():
    network = wavenet().networks["long"]
    network(torch.randn(1, 1, 7)).sum().backward()
    gradient = network.blocks[0].layers[3].dilated.weight.grad
    assert gradient[..., [0, 2]].abs().max() == 0
    assert gradient[..., 1].abs().max() > 0


def test_each_pair_goes_through_the_network_of_its_group():
    montage = {
        "_target_": "hms.montage.Montage",
        "groups": {"a": ["Fp1-F7", "F7-T3"], "b": ["O1-T5"]},
        "order": "listed",
    }
    module = wavenet(montage=montage).eval()
    pairs = torch.randn(1, 1, 1000).expand(1, 3, 1000)
    tokens = module(signals(1)._replace(pairs=pairs)).tokens[0]
    torch.testing.assert_close(tokens[0], tokens[1])
    assert (tokens[0] - tokens[2]).abs().max() > 1e-4
    torch.testing.assert_close(tokens[2], module.networks["b"](pairs[:, 2:])[0, 0].mean(dim=1))


def test_the_stack_holds_all_but_two_channels_of_each_pair_then_the_last_two():
    found = torch.arange(2 * 5 * 3.0).reshape(1, 2, 5, 3)  # pair channel time
    assert stack(found)[0, 0, 0].tolist() == [0, 3, 6, 15, 18, 21, 9, 12, 24, 27]
    assert stack(found).shape == (1, 1, 3, 10)


def test_the_wavenet_reads_its_span_only():
    given = signals(1)
    outside = given.pairs.clone()
    outside[..., :500] = outside[..., 1500:] = 7
    module = wavenet(span_s=5).eval()
    assert torch.equal(module(given).vector, module(given._replace(pairs=outside)).vector)


def test_checkpointing_changes_no_gradient(monkeypatch):
    # As on a device without a fast implementation.
    for where in ("hms.network.wavenet_layer", "hms.extractor.wavenet"):
        monkeypatch.setattr(f"{where}.fast_implementation", lambda x: None)
    gradients = []
    for grad_checkpointing in (False, True):
        module = wavenet(grad_checkpointing=grad_checkpointing)
        module(signals()).vector.square().sum().backward()
        gradients.append([p.grad for p in module.networks.parameters()])
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "blocks: want at least 1, got 0"),
        ({"layers": 0}, "layers: want at least 1, got 0"),
        ({"channels": 2}, "channels: want at least 3, got 2"),
        ({"stride": 0}, "stride: want 1 up to the 1000 samples of span_s, got 0"),
        ({"stride": 1001}, "stride: want 1 up to the 1000 samples of span_s, got 1001"),
    ],
)
def test_the_wavenet_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        wavenet(**options)


def test_a_limit_bounds_the_effect_of_an_artefact_on_the_wavenet():
    given = signals(1)
    artefact = given._replace(pairs=torch.where(torch.arange(2000) // 50 == 20, 60.0, given.pairs))
    free, bound = extractor("wavenet").eval(), extractor("wavenet", limit=4).eval()
    grown = [(one(artefact).tokens - one(given).tokens).norm() for one in (free, bound)]
    assert grown[0] > 3 * grown[1]
    small = given._replace(pairs=0.01 * given.pairs)
    torch.testing.assert_close(free(small).vector, bound(small).vector, atol=1e-4, rtol=1e-3)
    with pytest.raises(ConfigError, match="limit: want more than 0, or null, got 0"):
        extractor("wavenet", limit=0)
