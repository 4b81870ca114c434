"""What is specific to the one-dimensional EfficientNet; test_contracts tests what all extractors share."""

import pytest
import torch
from material import config, without_gradient
from torch import Tensor, nn

from hms.batch import Signals
from hms.electrodes import ELECTRODES, LEFT_RIGHT
from hms.extractor.efficientnet1d import EfficientNet1d, _Block
from hms.montage import Montage

SMALL = {"span_s": 4, "every": 5, "limit": None, "stem_stride": 2, "channels": [6, 8, 8], "depths": [1, 2]}
STEADY = {"kernels": [3, 5], "expand": 2, "drop_path_rate": 0.0, "dropout": 0.0, "grad_checkpointing": False}


def montage(name: str) -> Montage:
    return Montage(config(f"montage={name}")["montage"]["groups"], "listed")


def extractor(of: str = "pairs8", compare_sides: bool = True, **options) -> EfficientNet1d:
    torch.manual_seed(0)
    return EfficientNet1d(montage(of), compare_sides=compare_sides, **{**SMALL, **STEADY, **options})


def settled(*args, **options) -> EfficientNet1d:
    """In eval mode, with norms as after a training: those of a new network let next to nothing through."""
    model = extractor(*args, **options).train()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    model(signals(noise(len(montage(args[0] if args else "pairs8").pairs))))
    return model.eval()


def signals(pairs: Tensor) -> Signals:
    return Signals(pairs, None, torch.full((len(pairs), 6), 1 / 6), torch.ones(len(pairs)))


def noise(pairs: int = 8, rows: int = 3) -> Tensor:
    return torch.randn(rows, pairs, 1200, generator=torch.Generator().manual_seed(0))


def on_a_head(mirrored: bool) -> Tensor:
    eeg = torch.randn(2, len(ELECTRODES), 1200, generator=torch.Generator().manual_seed(0))
    return eeg[:, [*LEFT_RIGHT]] if mirrored else eeg


@pytest.mark.parametrize("name", ["pairs8", "pairs24", "banana18"])
def test_a_montage_knows_the_partner_of_each_pair_and_its_sign(name: str):
    given = montage(name)
    places, signs = (torch.tensor(column) for column in zip(*given.counterparts(LEFT_RIGHT), strict=True))
    torch.testing.assert_close(given(on_a_head(True)), given(on_a_head(False))[:, places] * signs[:, None])
    assert (signs < 0).any() == (name == "pairs24")  # P3-P4 and F3-F4


@pytest.mark.parametrize("name", ["pairs8", "pairs24", "banana18"])
def test_a_mirrored_head_has_the_same_vector_and_mirrored_tokens(name: str):
    given, model = montage(name), settled(name)
    found, mirrored = (model(signals(given(on_a_head(flip)))) for flip in (False, True))
    torch.testing.assert_close(mirrored.vector, found.vector, atol=1e-5, rtol=1e-4)
    kept = [i for i, (_, sign) in enumerate(given.counterparts(LEFT_RIGHT)) if sign > 0]
    partners = [place for place, sign in given.counterparts(LEFT_RIGHT) if sign > 0]
    torch.testing.assert_close(mirrored.tokens[:, kept], found.tokens[:, partners], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(mirrored.tokens, found.tokens, atol=1e-3)


def test_a_difference_between_the_sides_changes_the_vector_only_if_they_are_compared():
    same = noise()
    same[:, 4:] = same[:, :4]  # O2-T4 like O1-T3, and so on
    swapped = same[:, [0, 1, 2, 3, 7, 6, 5, 4]]  # the same pairs at other places, which are no longer alike
    for compare_sides in (True, False):
        model = settled(compare_sides=compare_sides)
        one, other = (model(signals(pairs)).vector for pairs in (same, swapped))
        assert torch.allclose(one, other, atol=1e-5) != compare_sides


def test_equal_sides_differ_by_nothing_and_are_alike():
    same = noise()
    same[:, 4:] = same[:, :4]
    mean, maximum = settled()(signals(same)).vector.chunk(2, dim=1)
    for pooled in (mean, maximum):
        assert not pooled[:, 8:16].any()  # absolute differences
        torch.testing.assert_close(pooled[:, 16], torch.ones(3))  # cosine similarity


def test_without_a_comparison_any_number_of_pairs_will_do():
    model = settled("pairs8", compare_sides=False)
    assert model(signals(noise(24))).vector.shape == (3, model.out_features)
    assert model(signals(noise(24))).tokens.shape == (3, 24, model.token_features)


@pytest.mark.parametrize("compare_sides", [True, False])
def test_a_reversed_pair_gives_every_parameter_a_gradient_too(compare_sides: bool):
    model = extractor("pairs24", compare_sides).train()
    vector = model(signals(noise(24))).vector
    (vector * torch.randn_like(vector)).sum().backward()
    assert without_gradient(model) == []


def test_it_reads_its_span_only_and_squeezes_artefacts():
    outside, spike = noise(), noise()
    outside[..., :200] = outside[..., 1000:] = 7
    spike[:, 2, 600:620] = 1e4
    model = settled()
    assert torch.equal(model(signals(outside)).vector, model(signals(noise())).vector)
    free, limited = (settled(limit=limit)(signals(spike)).tokens.norm() for limit in (None, 8))
    assert free > 10 * limited


def test_checkpointing_changes_neither_gradients_nor_running_statistics():
    plain, checkpointed = (extractor(grad_checkpointing=on).train() for on in (False, True))
    for model in (plain, checkpointed):
        model(signals(noise())).vector.square().sum().backward()
    for one, other in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    statistics = [{n: b for n, b in m.named_buffers() if "running" in n} for m in (plain, checkpointed)]
    torch.testing.assert_close(statistics[1], statistics[0])


def test_a_block_is_skipped_or_made_up_for():
    torch.manual_seed(0)
    block = _Block(4, 4, kernel=3, stride=1, expand=2, drop_path_rate=0.25).eval()
    x = torch.randn(400, 4, 1, 6)
    whole = block(x) - x
    block.training = True  # its norms stay in eval mode
    made = block(x) - x
    skipped = made.flatten(1).abs().sum(dim=1) == 0
    assert 0.15 < skipped.float().mean() < 0.35
    torch.testing.assert_close(made[~skipped], whole[~skipped] / 0.75, atol=1e-5, rtol=1e-4)


def test_the_rate_of_skipping_rises_from_block_to_block():
    blocks = extractor(depths=[2, 3], drop_path_rate=0.4).network.blocks
    assert [1 - block.kept for block in blocks] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [block.residual for block in blocks] == [False, True, False, True, True]


def test_convolutions_stay_channels_last():
    strides = []
    model = extractor()
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(lambda _, given, made: strides.append((given[0].stride(1), made.stride(1))))
    model(signals(noise()))
    assert {*strides} == {(1, 1)}


def test_half_precision_changes_little():
    model, given = settled(), signals(noise())
    with torch.autocast("cpu", torch.bfloat16):
        half = model(given)
    for found, wanted in zip(half, model(given), strict=True):
        assert (found - wanted).norm() < 0.03 * wanted.norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every: want 1 up to the 800 samples of span_s, got 0"),
        ({"every": 801}, "every: want 1 up to the 800 samples of span_s, got 801"),
        ({"limit": 0}, "limit: want more than 0, or null, got 0"),
        ({"depths": [1]}, r"channels, depths, kernels: want n \+ 1, n and n values, n at least 1, got 3, 1 and 2"),
        ({"channels": [6], "depths": [], "kernels": []}, "n at least 1, got 1, 0 and 0"),
        ({"depths": [1, 0]}, "depths: want at least 1, got 0"),
        ({"stem_stride": 0}, "stem_stride: want at least 1, got 0"),
        ({"kernels": [3, 4]}, r"kernels: want odd numbers, got \[3, 4\]"),
        ({"drop_path_rate": 1.0}, "drop_path_rate: want 0 up to less than 1, got 1.0"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        extractor(**options)


def test_sides_are_compared_only_if_each_pair_has_a_mirror_image():
    lone = Montage({"all": ["Fp1-F7", "Fp2-F8", "F3-C3"]}, "listed")
    with pytest.raises(ValueError, match="groups: want each pair's mirror image, got none of F3-C3, which is F4-C4"):
        EfficientNet1d(lone, compare_sides=True, **SMALL, **STEADY)
    assert EfficientNet1d(lone, compare_sides=False, **SMALL, **STEADY)(signals(noise(3))).tokens.shape == (3, 3, 8)
