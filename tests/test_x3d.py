"""What is specific to the three-dimensional network; test_contracts tests what all extractors share."""

from pathlib import Path

import pytest
import torch
from material import config, signals
from torch import Tensor, nn

from hms.config.build import build
from hms.errors import UserError
from hms.extractor.stft import Stft
from hms.extractor.stft_x3d import StftX3d
from hms.network.x3d import X3d, _Stage
from hms.runs.checkpoint import without_pretrained

SMALL = {"width_factor": 0.5, "depth_factor": 0.5, "bottleneck_factor": 2.25, "features": 16}
FEATURES = """
    0 0.0048676 0.0242358 0.0230924 0.0024048 0 0 0 0.0148872 0.0266729 0.0158843 0 0 0 0.0011869 0.0224568
""".split()
"""What pytorchvideo 0.1.5 computes before its classifier, with weights `by_formula` and three equal colours:
`create_x3d(width_factor=0.5, depth_factor=0.5, head_dim_out=16)`, pooled over all frames."""


def network(**options) -> X3d:
    torch.manual_seed(0)
    return X3d(**{**SMALL, "pretrained": True, "weights": None, "grad_checkpointing": False, **options})


def by_formula(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Weights that another program can have, too: cosines, as large as random ones."""
    state = {}
    for number, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        wave = torch.cos(torch.arange(shape.numel(), dtype=torch.float64) * (1 + number / 7)).float().reshape(shape)
        fan_in = shape[1:].numel()
        around_1 = len(shape) == 1 and not name.endswith(("bias", "running_mean"))
        state[name] = 1 + wave / 2 if around_1 else wave * (2 / fan_in) ** 0.5 if len(shape) > 1 else wave / 10
    return state


def video() -> Tensor:
    return torch.sin(torch.arange(6 * 40 * 70, dtype=torch.float64) ** 1.1).float().reshape(1, 6, 40, 70)


def theirs(of: X3d) -> dict[str, Tensor]:
    """A state as in a file of pytorchvideo, with three colours and a classifier."""
    shapes = {name: value.shape for name, value in of.state_dict().items() if value.ndim}
    shapes["blocks.0.conv.conv_t.weight"] = torch.Size([8, 3, 1, 3, 3])
    counts = {name: value for name, value in of.state_dict().items() if not value.ndim}
    return by_formula(shapes) | counts | {"blocks.5.proj.weight": torch.ones(400, 16)}


def settled(**options) -> X3d:
    """In eval mode, with norms as after a training: those of a new network let next to nothing through."""
    model = network(**options).train()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm3d):
            part.momentum = 1.0
    model(noise())
    return model.eval()


def noise(rows: int = 2) -> Tensor:
    return torch.randn(rows, 6, 33, 48, generator=torch.Generator().manual_seed(0))


def extractor(**options) -> StftX3d:
    torch.manual_seed(0)
    (node,) = config("extractor=stft_x3d_short")["extractor"].values()
    return build(node | SMALL | {"span_s": 4, "dropout": 0.0} | options)


@pytest.mark.parametrize("key", ["model_state", None])
def test_pytorchvideos_weights_give_its_features(key: str | None, tmp_path: Path):
    state = theirs(network())
    torch.save({key: state} if key else state, tmp_path / "X3D.pyth")
    with torch.no_grad():
        _, vector = network(weights=str(tmp_path / "X3D.pyth")).eval()(video())
    torch.testing.assert_close(vector[0], torch.tensor([*map(float, FEATURES)]), atol=1e-6, rtol=0)


def test_x3d_l_is_as_deep_wide_and_large_as_it_should_be():
    model = X3d(2.0, 5.0, 2.25, 2048, pretrained=True, weights=None, grad_checkpointing=False)
    stages = [part.res_blocks for part in model.blocks if isinstance(part, _Stage)]
    assert [len(blocks) for blocks in stages] == [5, 10, 25, 15]
    assert [blocks[-1].branch2.conv_c.weight.shape[:2] for blocks in stages] == [
        (24, 54),
        (48, 108),
        (96, 216),
        (192, 432),
    ]
    assert (
        sum(p.numel() for p in model.parameters()) == 5_333_352
    )  # with colours and classifier 6.15 M, in the paper 6.1


def test_weights_are_read_from_a_file_of_ours_too_unless_they_come_later(tmp_path: Path):
    file, model = tmp_path / "own.pt", settled()
    torch.save(model.state_dict(), file)
    node = config("extractor=stft_x3d_short", f"extractor.stft_x3d_short.weights={file}")["extractor"]["stft_x3d_short"]
    loaded = build(node | SMALL)
    torch.testing.assert_close(loaded.network.eval()(noise())[1], model(noise())[1])
    file.unlink()
    build(without_pretrained(node))  # as for a trained model, whose file is elsewhere
    with pytest.raises(UserError, match=rf"weights: want a file, got '{file}' \(no such file\)"):
        build(node)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path):
    file = tmp_path / "X3D.pyth"
    for content in ({}, theirs(network()), network(features=8).state_dict(), [1]):
        torch.save(content, file)
        with pytest.raises(
            UserError, match=r"weights: want a file of those of an X3D with these factors .* got '.*pyth' \("
        ):
            network(weights=str(file), depth_factor=1)
    file.write_text("not weights")
    with pytest.raises(UserError, match=r"weights: want a file of those of an X3D"):
        network(weights=str(file))


def test_the_order_of_pairs_matters():
    model, pairs = settled(), noise()
    (_, one), (_, other) = model(pairs), model(pairs[:, [3, 1, 2, 0, 4, 5]])
    assert (other - one).norm() > 0.05 * one.norm()


def test_checkpointing_changes_neither_gradients_nor_running_statistics():
    plain, checkpointed = (network(grad_checkpointing=on).train() for on in (False, True))
    for model in (plain, checkpointed):
        model(noise())[1].square().sum().backward()
    for one, other in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    statistics = [{n: b for n, b in m.named_buffers() if "running" in n} for m in (plain, checkpointed)]
    torch.testing.assert_close(statistics[1], statistics[0])


def test_convolutions_stay_channels_last():
    strides, model = [], network()
    for name, part in model.named_modules():
        if isinstance(part, nn.Conv3d) and "block." not in name:  # those of squeeze and excitation see single points
            part.register_forward_hook(lambda _, given, made: strides.append((given[0].stride(1), made.stride(1))))
    with torch.no_grad():
        model(torch.randn(16, 16, 33, 200))  # in one thread torch computes smaller batches another way
    assert {*strides} == {(1, 1)}


def test_half_precision_changes_little():
    model = settled()
    with torch.autocast("cpu", torch.bfloat16):
        half = model(noise())
    for found, wanted in zip(half, model(noise()), strict=True):
        assert (found - wanted).norm() < 0.1 * wanted.norm()


def test_it_sees_the_spectrograms_of_the_stft():
    own = ("n_fft", "win_length", "hop_length", "window", "fmax_hz", "span_s", "trainable")
    words = ("extractor=[stft_x3d_short,stft_short]", "extractor.stft_short.span_s=20")
    of_x3d, of_stft = config(*words)["extractor"].values()
    assert {key: of_x3d[key] for key in own} == {key: of_stft[key] for key in own}
    one, other = build(of_x3d), build(of_stft)
    assert isinstance(other, Stft)
    assert torch.equal(one.transform(signals().pairs), other.transform(signals().pairs))


def test_it_reads_its_span_only():
    model, outside = extractor().eval(), signals().pairs.clone()
    outside[..., :4600] = outside[..., 5400:] = 7
    assert torch.equal(model(signals()._replace(pairs=outside)).vector, model(signals()).vector)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth_factor": 0}, "depth_factor: want more than 0, got 0"),
        ({"features": 0}, "features: want at least 1, got 0"),
        ({"n_fft": 1000}, "n_fft: want less than the 800 samples of span_s, got 1000"),
        ({"win_length": 65}, "win_length: want 1 to n_fft = 64, got 65"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(Exception, match=message):
        extractor(**options)
