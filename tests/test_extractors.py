"""What is specific to each extractor; what all have in common is tested in test_contracts.py."""

import functools

import pytest
import torch
from hydra import compose, initialize_config_dir
from material import Launches
from omegaconf import OmegaConf
from torch.nn import functional as F

from hms.backbone import TinyBackbone
from hms.batch import Signals
from hms.config.build import build
from hms.config.command import CONF
from hms.errors import ConfigError
from hms.extractor.wavenet import Wavenet, stack
from hms.pool import AttentionPool, _shares, cell_means

SMALL = {"n_fft": 64, "win_length": 64, "hop_length": 32, "blocks": 3, "channels": 6, "layers": 4, "span_s": 5}
STEADY = {"dropout": 0.0, "attention_dropout": 0.0}


@functools.cache
def resolved(name: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"extractor={name}"])
    return OmegaConf.to_container(config.extractor[name], resolve=True)


def extractor(name: str, **options):
    """The extractor of a YAML, but small and without dropout."""
    torch.manual_seed(0)
    node = resolved(name)
    return build(node | {key: value for key, value in (SMALL | STEADY).items() if key in node} | options)


def signals(rows: int = 3, samples: int = 2000) -> Signals:
    torch.manual_seed(0)
    images = torch.randn(rows, 10, 300, 100)
    return Signals(torch.randn(rows, 8, samples), images, torch.full((rows, 6), 1 / 6), torch.ones(rows))


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
    for where in ("hms.wavenet_layer", "hms.extractor.wavenet"):  # as on a device without a fast implementation
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
        ({"blocks": 0}, "blocks, layers: want at least 1, got 0, 4"),
        ({"layers": 0}, "blocks, layers: want at least 1, got 3, 0"),
        ({"channels": 2}, "channels: want at least 3, got 2"),
        ({"stride": 0}, "stride, span_s: want 1 <= stride <= 200 span_s <= 10000, got 0, 5"),
        ({"stride": 1001}, "stride, span_s: want 1 <= stride <= 200 span_s <= 10000, got 1001, 5"),
        ({"span_s": 50.1}, r"stride, span_s: want 1 <= stride <= 200 span_s <= 10000, got 5, 50\.1"),
    ],
)
def test_the_wavenet_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        wavenet(**options)


@pytest.mark.parametrize("size", [(7, 13), (4, 9), (3, 2)])  # 4 x 3 cells: overlapping, even, of one point
def test_cell_means_by_matrix_products_equal_adaptive_pooling(size: tuple[int, int]):
    found = torch.randn(2, 5, *size, requires_grad=True)
    by_row, by_column = (_shares(*each, found.dtype, found.device) for each in zip(size, (4, 3), strict=True))
    made = by_row @ found @ by_column.mT
    wanted = F.adaptive_avg_pool2d(found, (4, 3))
    torch.testing.assert_close(made, wanted)
    for one, other in zip(*(torch.autograd.grad(each.square().sum(), found) for each in (made, wanted)), strict=True):
        torch.testing.assert_close(one, other)


def test_cell_weights_are_made_once_and_serve_training_after_a_prediction():
    with torch.inference_mode():
        cell_means(torch.randn(1, 5, 6, 11, device="meta"), 5, 3)  # not the CPU, which uses adaptive pooling
    with Launches() as counted:
        cell_means(torch.randn(2, 5, 6, 11, device="meta", requires_grad=True), 5, 3).sum().backward()
    assert len(counted.made) < 12, counted.made
    shares = _shares(6, 4, torch.float32, torch.device("cpu"))
    assert shares is _shares(6, 4, torch.float32, torch.device("cpu"))


def test_equal_images_pool_to_that_image():
    image = torch.randn(2, 1, 8)
    torch.testing.assert_close(AttentionPool(8, 16, 0.0)(image.expand(-1, 10, -1)), image[:, 0])


def test_attention_weights_sum_to_one_and_are_dropped_in_training_only():
    images = torch.randn(2, 10, 8)
    pool = AttentionPool(8, 16, 0.5)
    torch.testing.assert_close(pool.weights(images).sum(dim=1), torch.ones(2, 1))
    assert not torch.equal(pool(images), pool(images))
    pool.eval()
    torch.testing.assert_close(pool(images), (pool.weights(images) * images).sum(dim=1))


def test_an_attention_without_hidden_units_is_refused():
    with pytest.raises(ValueError, match="hidden: want at least 1, got 0"):
        AttentionPool(8, 0, 0.5)
    with pytest.raises(ConfigError, match="hidden: want at least 1, got 0"):
        extractor("spectrogram", attention_hidden=0)


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


def test_a_shorter_span_of_the_spectrogram_shows_its_centre_only():
    module, given = extractor("spectrogram", span_min=4).eval(), signals(1)
    elsewhere = given.images.clone()
    elsewhere[:, :, :90] = elsewhere[:, :, 210:] = 0
    assert torch.equal(module(given).tokens, module(given._replace(images=elsewhere)).tokens)
    elsewhere[:, :, 90] = 0
    assert not torch.equal(module(given).tokens, module(given._replace(images=elsewhere)).tokens)
    for span_min in (0, 11):
        with pytest.raises(ConfigError, match=f"span_min: want more than 0 up to 10, got {span_min}"):
            extractor("spectrogram", span_min=span_min)


def test_one_network_processes_every_image():
    module = extractor("spectrogram").eval()
    given = signals(1)
    same = given._replace(images=given.images[:, :1].expand(-1, 10, -1, -1))
    found = module(same)
    torch.testing.assert_close(found.tokens, found.tokens[:, :1].expand(-1, 10, -1))
    torch.testing.assert_close(found.vector, found.tokens[:, 0])
    assert isinstance(module.backbone, TinyBackbone)
