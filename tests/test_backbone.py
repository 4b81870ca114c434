"""Backbones: weights, sizes of features, memory formats, norms, and which networks of timm can serve."""

import subprocess
from collections.abc import Callable
from textwrap import dedent

import pytest
import torch
from conftest import python
from material import config
from safetensors.torch import save_file
from small_parts import timm_backbone
from torch import nn

from hms.backbone import TimmBackbone, TinyBackbone
from hms.batch import unlabelled
from hms.config.build import build
from hms.errors import UserError


@pytest.mark.parametrize("as_folder", [True, False])
def test_weights_are_read_from_a_file_or_a_folder(as_folder: bool, tmp_path):
    trained = timm_backbone()
    file = tmp_path / "test_efficientnet.safetensors"
    save_file({name: value.contiguous() for name, value in trained.network.state_dict().items()}, file)
    loaded = timm_backbone(pretrained=True, weights=str(tmp_path if as_folder else file))
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], value, rtol=0, atol=0)


def test_weights_of_a_colour_classifier_fit_a_grey_backbone(tmp_path):
    import timm

    colour = timm.create_model("test_efficientnet", num_classes=10)
    save_file(colour.state_dict(), tmp_path / "weights.safetensors")
    loaded = timm_backbone(pretrained=True, weights=str(tmp_path / "weights.safetensors"))
    stem = colour.state_dict()["conv_stem.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(loaded.network.state_dict()["conv_stem.weight"], stem)


@pytest.mark.parametrize("spoil", ["prefix", "other", "part"])
def test_weights_of_another_network_are_refused(spoil: str, tmp_path):
    state = timm_backbone().network.state_dict()
    files = {
        "prefix": {f"backbone.{name}": value for name, value in state.items()},
        "other": timm_backbone(name="repghostnet_050").network.state_dict(),
        "part": {name: value for name, value in state.items() if "blocks.1" not in name},
    }
    save_file({name: value.contiguous() for name, value in files[spoil].items()}, tmp_path / "w.safetensors")
    reason = "inconsistent with" if spoil == "other" else "they are another network's"  # as far as timm sees it
    with pytest.raises(UserError, match=rf"no pretrained weights for 'test_efficientnet' from .* \(.*{reason}"):
        timm_backbone(pretrained=True, weights=str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("name", ["hgnetv2_b0", "tf_efficientnetv2_b0", "caformer_s18", "regnetx_002"])
def test_a_file_of_any_network_with_its_classifier_fits(name: str, tmp_path):
    import timm

    whole = timm.create_model(name)
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, tmp_path / f"{name}.safetensors")
    network = timm_backbone(name=name, pretrained=True, weights=str(tmp_path)).network
    found, wanted = network.state_dict(), whole.state_dict()
    assert [key for key in found if found[key].shape == wanted[key].shape and not found[key].equal(wanted[key])] == []
    assert not network.pretrained_cfg.get("state_dict")


def test_missing_weights_are_reported_in_one_line_with_a_remedy(tmp_path, monkeypatch):
    with pytest.raises(
        UserError, match=r"backbone.weights: want a file or a folder .* got '.*efficientnet.safetensors'"
    ):
        timm_backbone(pretrained=True, weights=str(tmp_path))
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"no pretrained weights for 'test_efficientnet' from .*bad.safetensors"):
        timm_backbone(pretrained=True, weights=str(tmp_path / "bad.safetensors"))
    monkeypatch.setenv("HF_ENDPOINT", "https://nowhere.invalid")
    with pytest.raises(UserError) as caught:
        timm_backbone(name="hgnetv2_b0.ssld_stage2_ft_in1k", pretrained=True)
    assert (
        "give a file or folder with backbone.weights=/path, or start from random with backbone.pretrained=false"
        in str(caught.value)
    )
    assert len(str(caught.value).splitlines()) == 1


def test_a_timm_model_without_drop_path_is_built_at_a_rate_of_0_alone():
    assert timm_backbone(name="repghostnet_050").out_features == 1280
    for name in ("repghostnet_050", "hrnet_w18_small"):  # timm says so in different words
        with pytest.raises(ValueError, match=rf"^drop_path_rate: want 0 for '{name}', which has none, got 0\.2$"):
            timm_backbone(name=name, drop_path_rate=0.2)
    assert max(drop_rates(timm_backbone(drop_path_rate=0.2))) == pytest.approx(0.16)
    assert drop_rates(timm_backbone(name="fasternet_t0")) == []  # whose default is 0.1


def drop_rates(backbone: TimmBackbone) -> list[float]:
    return [part.drop_prob for part in backbone.modules() if type(part).__name__ == "DropPath"]


def test_an_unknown_timm_model_is_refused():
    with pytest.raises(
        ValueError, match=r"^name: want a network that timm can build \(.*hgnet_v9.*\), got 'hgnet_v9'$"
    ):
        timm_backbone(name="hgnet_v9", pretrained=False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mambaout_femto", r"want feature maps of batch, channel, height, width, got \[1, 4, 5, 288\]"),
        ("coatnet_nano_rw_224", "The size of tensor a .* must match .*"),
    ],
)
def test_a_timm_model_that_takes_no_images_of_any_size_or_gives_no_maps_is_refused(name: str, reason: str):
    with pytest.raises(ValueError, match=rf"^name: want a network that can serve here \({reason}\), got '{name}'$"):
        timm_backbone(name=name)


def test_a_stem_with_a_strided_convolution_of_one_pixel_trains_on_a_large_image():
    code = """
    import torch
    from hms.backbone import TimmBackbone
    backbone = TimmBackbone("mobileone_s0", False, None, 0.0, None, False)
    for _ in range(2):  # torch may write past the gradient of a channels-last image without crashing at once
        backbone(torch.randn(2, 1, 256, 256)).sum().backward()
    """
    subprocess.run(python("-c", dedent(code)), check=True)


@pytest.mark.parametrize("size", [(33, 41), (64, 200)])
def test_backbones_declare_the_sizes_of_their_features(size: tuple[int, int]):
    for backbone in (*(TinyBackbone([8, 16, 24], [2, 3], share, False) for share in (0.0, 0.5, 1.0)), timm_backbone()):
        found = backbone.features(torch.randn(2, 1, *size))
        assert found.shape[:2] == (2, backbone.map_features)
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert backbone.pool(found).shape == (2, backbone.out_features)
        image = torch.randn(1, 1, *size)
        assert torch.equal(backbone.eval()(image), backbone.pool(backbone.features(image)))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("extractor=spectrogram extractor.spectrogram.span_min=0.05", "2 x 100"),
        ("extractor=wavenet_short extractor.wavenet_short.stride=700", "2 x 48"),
    ],
)
def test_an_image_smaller_than_a_patch_is_refused_in_one_line(options: str, size: str):
    model = build(config("experiment=smoke", *options.split())["model"])
    eeg, images = torch.randn(2, 20, 10000), torch.rand(2, 4, 300, 100)
    with pytest.raises(UserError, match=f"^backbone: want images of at least 4 x 4 pixels, got {size}; give the .*$"):
        model(unlabelled(eeg, images, torch.arange(2)))


def test_an_image_of_one_patch_is_enough():
    assert TinyBackbone([8, 16], [1, 1], 0.0, False).eval()(torch.randn(2, 1, 4, 5)).shape == (2, 16)


def test_weights_and_gradients_have_the_memory_format_of_the_feature_maps():
    for backbone in (TinyBackbone([8, 16, 24], [2, 3], 0.5, False), timm_backbone()):
        backbone(torch.randn(2, 1, 64, 64)).square().sum().backward()
        for weight in (one for one in backbone.parameters() if one.ndim == 4):
            assert weight.is_contiguous(memory_format=torch.channels_last)
            assert weight.grad.stride() == weight.stride()
        as_before = {
            name: value.clone(memory_format=torch.contiguous_format) for name, value in backbone.state_dict().items()
        }
        backbone.load_state_dict(as_before)
        assert all(
            one.is_contiguous(memory_format=torch.channels_last) for one in backbone.parameters() if one.ndim == 4
        )


def test_instance_norms_ignore_brightness_and_contrast():
    torch.manual_seed(0)
    image = torch.randn(2, 1, 64, 80)
    for share, blind in ((0.0, False), (0.5, False), (1.0, True)):
        backbone = TinyBackbone([8, 16, 24], [2, 3], share, False).eval()
        found, changed = backbone(image), backbone(3 * image + 7)
        assert torch.allclose(found, changed, atol=1e-3) == blind


def test_half_the_channels_have_instance_norm_and_the_others_batch_norm():
    norm = TinyBackbone([8, 16], [1, 1], 0.5, False).stem[1]
    image = torch.randn(3, 8, 9, 11)
    halves = [nn.InstanceNorm2d(4)(image[:, :4]), nn.BatchNorm2d(4)(image[:, 4:])]
    torch.testing.assert_close(norm(image), torch.cat(halves, dim=1), rtol=1e-4, atol=1e-5)
    assert isinstance(
        TinyBackbone([8, 16], [1, 1], 0.5, False).blocks[0].convolutions[1], nn.BatchNorm2d
    )  # the last stage


def test_a_share_of_instance_norms_above_1_is_refused():
    with pytest.raises(ValueError, match=r"instance: want a share, 0 to 1, got 1\.5"):
        TinyBackbone([8, 16], [1, 1], 1.5, False)


def test_a_stem_stride_may_keep_the_rows():
    image = torch.randn(1, 1, 64, 64)
    assert timm_backbone().features(image).shape[2:] == (2, 2)
    assert timm_backbone(stem_stride=[1, 2]).features(image).shape[2:] == (4, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda checkpointing: timm_backbone(grad_checkpointing=checkpointing),
        lambda checkpointing: TinyBackbone([8, 16, 24], [2, 3], 0.5, checkpointing),
    ],
    ids=["timm", "tiny"],
)
def test_checkpointing_a_backbone_changes_neither_gradients_nor_running_statistics(make: Callable[[bool], nn.Module]):
    found, kept = [], []
    for grad_checkpointing in (False, True):
        torch.manual_seed(0)
        backbone = make(grad_checkpointing)
        bytes_kept = 0

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal bytes_kept
            bytes_kept += tensor.nbytes
            return tensor

        for step in range(2):
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                loss = backbone(step + torch.randn(2, 1, 64, 64)).square().sum()
            kept.append(bytes_kept)
            loss.backward()
        statistics = [buffer for name, buffer in backbone.named_buffers() if "running" in name]
        found.append([*(p.grad for p in backbone.parameters()), *statistics])
    assert kept[2] < kept[0]
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(plain, checkpointed)


@pytest.mark.parametrize("momentum", [0.5, 0.0, None])
def test_a_momentum_that_is_set_between_two_steps_counts_with_checkpointing_too(momentum: float | None):
    means = []
    for grad_checkpointing in (False, True):
        torch.manual_seed(0)
        backbone = TinyBackbone([8, 16], [2, 3], 0.0, grad_checkpointing)
        norms = [part for part in backbone.modules() if isinstance(part, nn.BatchNorm2d)]
        backbone(torch.randn(2, 1, 64, 64)).sum().backward()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = momentum
        for _ in range(2):
            with torch.no_grad():
                backbone(1 + torch.randn(2, 1, 64, 64))
        means.append(torch.cat([norm.running_mean for norm in norms]))
    torch.testing.assert_close(*means)


def test_a_member_that_saves_memory_can_have_the_tiny_backbone():
    model = config("experiment=member_5", "backbone=tiny", "data.root=x")["model"]
    backbones = [node["backbone"] for node in model["extractors"].values()]
    assert [(one["_target_"], one["grad_checkpointing"]) for one in backbones] == [
        ("hms.backbone.TinyBackbone", True)
    ] * 3


@pytest.mark.parametrize("stride", [[2], [0, 1], [1, 2, 3]])
def test_a_stem_stride_needs_rows_and_columns(stride: list[int]):
    with pytest.raises(ValueError, match=r"stem_stride: want rows and columns, at least 1 each, got \["):
        timm_backbone(stem_stride=stride)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
def test_a_rate_at_which_every_layer_may_be_skipped_is_refused(rate: float):
    with pytest.raises(ValueError, match=f"drop_path_rate: want 0 up to less than 1, got {rate}"):
        timm_backbone(drop_path_rate=rate)


def test_a_network_with_a_fixed_image_size_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^name: want a network that can serve here \(Input height \(97\).*\), got 'vit_tiny_patch16_224'$",
    ):
        timm_backbone(name="vit_tiny_patch16_224")
