import functools
import itertools
import subprocess
from collections.abc import Callable
from textwrap import dedent

import pytest
import torch
import yaml
from conftest import ROOT, python
from material import config
from safetensors.torch import save_file
from torch import nn

from hms.backbone import TimmBackbone, TinyBackbone
from hms.batch import Batch, Signals
from hms.config.build import build
from hms.electrodes import SCALP
from hms.errors import ConfigError, UserError
from hms.extractor import restack
from hms.extractor.spectrogram import Spectrogram
from hms.extractor.stft import Stft
from hms.extractor.wavenet import Wavenet
from hms.fusion import Concat
from hms.loss import VoteWeightedKl
from hms.model import Model
from hms.montage import Montage
from hms.preprocess import Preprocess, ZeroPhase
from hms.spectrogram_images import SpectrogramImages


def stft(**options) -> Stft:
    node = yaml.safe_load((ROOT / "conf/extractor/stft.yaml").read_text())["stft"]
    del node["_target_"]
    return Stft(**{**node, "backbone": TinyBackbone([8, 16], [1, 1], 0.0, False), **options})


def preprocess(option: str = "original", **options) -> Preprocess:
    montage = Montage({"all": ["Fp1-F7", "O1-T3"]}, "listed")
    node = yaml.safe_load((ROOT / f"conf/preprocess/{option}.yaml").read_text())
    del node["_target_"]
    return Preprocess(**{**node, "montage": montage, "images": SpectrogramImages("power"), **options})


def batch(rows: int = 3, samples: int = 2000) -> Batch:
    torch.manual_seed(0)
    eeg, power = torch.randn(rows, 20, samples) * 30, torch.rand(rows, 4, 40, 20)
    return Batch(eeg, power, torch.full((rows, 6), 1 / 6), torch.ones(rows), torch.arange(rows))


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


def of_pairs(count: int, *words: str) -> Model:
    """A model of so many pairs, the first of all that the 19 electrodes make."""
    node = config(*words)["model"]
    pairs = [f"{one}-{other}" for one, other in itertools.combinations(SCALP, 2)][:count]
    montage = {"montage": node["preprocess"]["montage"] | {"groups": {"many": pairs}}}
    return build(node | {"preprocess": node["preprocess"] | montage})


def test_attention_refuses_more_pairs_than_it_can_tell_apart():
    words = ("extractor=stft_short", "fusion=attention")
    assert len(of_pairs(64, *words).preprocess.montage.pairs) == 64
    with pytest.raises(ConfigError, match=r"Model: fusion: want fusion=concat for more than 64 pairs, got 65$"):
        of_pairs(65, *words)
    of_pairs(65, "extractor=stft_short", "fusion=concat")
    of_pairs(65, "extractor=spectrogram", "fusion=attention")  # its tokens are images


def test_a_model_needs_an_extractor():
    with pytest.raises(ValueError, match="extractors: want at least one, got none"):
        Model(preprocess(), {}, Concat, auxiliary_heads=True, share_backbones=False)


def test_preprocess_is_causal_and_its_scale_is_32_microvolts():
    step = torch.zeros(1, 20, 2000)
    step[:, 0, 1000:] = 64.0  # Fp1
    given = Batch(step, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    pairs = preprocess()(given).pairs[0, 0]
    assert pairs[:1000].abs().max() == 0
    assert pairs[-1] == pytest.approx(2.0, abs=1e-4)


def test_preprocess_clips_impossible_amplitudes():
    spike = torch.zeros(1, 20, 2000)
    spike[:, 0] = 1e6
    given = Batch(spike, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    assert preprocess()(given).pairs.abs().max() < 1.2 * 1024 / 32


def clinical_pairs(uv: torch.Tensor) -> torch.Tensor:
    """The pair Fp1-F7 after clinical preprocessing of a signal (µV) at Fp1, before scaling."""
    eeg = torch.zeros(1, 20, 10000)
    eeg[0, 0] = uv
    given = Batch(eeg, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    return preprocess("clinical", scale="fixed", scale_uv=1.0, lowpass_hz=99, lowpass_order=1)(given).pairs[
        0, 0, 500:-500
    ]


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(0.1, 0, 0.05), (1.5, 0.95, 1.05), (10, 0.98, 1.02), (50, 0, 0.05), (60, 0, 0.05)]
)
def test_clinical_preprocessing_removes_drift_and_mains_and_keeps_the_rest(hz: float, low: float, high: float):
    wave = 100 * torch.sin(2 * torch.pi * hz * torch.arange(10000) / 200)
    assert low <= clinical_pairs(wave).std() / wave.std() <= high


def test_mains_of_millivolts_leave_the_slow_wave_under_them():
    seconds = torch.arange(10000) / 200
    slow = 50 * torch.sin(2 * torch.pi * 2 * seconds)
    found = clinical_pairs(slow + 3000 * torch.sin(2 * torch.pi * 60 * seconds))
    assert torch.corrcoef(torch.stack([found, slow[500:-500]]))[0, 1] > 0.98


def test_clinical_preprocessing_removes_offsets_and_moves_nothing_in_time():
    pulse = 80 + 100 * torch.exp(-0.5 * ((torch.arange(10000) - 6000) / 10) ** 2)
    pairs = clinical_pairs(pulse)
    assert pairs.argmax() + 500 == pytest.approx(6000, abs=1)
    assert pairs[:4000].abs().max() < 1


@pytest.mark.parametrize("highpass_hz", [0.5, 0.3, 0.1, 0.05])
def test_the_end_of_a_window_does_not_leak_into_its_start(highpass_hz: float):
    pairs = torch.zeros(1, 1, 10000)
    pairs[..., -400:] = 100.0  # µV, for the last 2 s
    assert ZeroPhase(highpass_hz, [])(pairs)[..., :200].abs().max() < 0.01


@pytest.mark.parametrize("option", ["clinical", "original"])
def test_mixed_precision_starts_after_preprocessing(option: str):
    given = batch(samples=10000)
    given = given._replace(spectrogram=torch.rand(3, 4, 300, 100).half())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = preprocess(option)(given)
    assert torch.equal(mixed.pairs, preprocess(option)(given).pairs)
    assert torch.equal(mixed.images, preprocess(option)(given).images)


def test_a_compressed_scale_keeps_half_of_the_ratio_between_a_loud_window_and_a_quiet_one():
    torch.manual_seed(0)
    noise = torch.randn(1, 20, 10000) * torch.tensor([4.0, 100.0])[:, None, None]
    given = Batch(noise, None, torch.full((2, 6), 1 / 6), torch.ones(2), torch.arange(2))
    quiet, loud = preprocess("clinical", scale="compressed")(given).pairs.std(dim=(1, 2))
    assert loud / quiet == pytest.approx(5.0, rel=0.05)


def with_offsets(rows: int) -> Batch:
    """Noise of 30 µV on the electrodes' offsets, at full length."""
    offsets = torch.linspace(-100, 100, 20)[:, None]
    return batch(rows, 10000)._replace(spectrogram=None, eeg=batch(rows, 10000).eeg + offsets)


@pytest.mark.parametrize("missing", ["mirror", "zero"])
@pytest.mark.parametrize("scale", ["window", "compressed"])
def test_what_is_missing_changes_neither_the_scale_nor_the_filtered_signal_elsewhere(scale: str, missing: str):
    whole = with_offsets(4)
    eeg = whole.eeg.clone()
    eeg[0, :, :4000] = eeg[1, :, :3500] = eeg[1, :, 6500:] = torch.nan  # the first window of a recording; one of 15 s
    eeg[2, 0] = torch.nan  # an electrode of the first pair
    options = {"scale": scale, "missing": missing}
    found, want = (preprocess("clinical", **options)(whole._replace(eeg=one)).pairs for one in (eeg, whole.eeg))
    for row, pair, there in ((0, slice(2), slice(4600, None)), (1, slice(2), slice(4100, 5900)), (2, 1, slice(None))):
        ratio = found[row, pair, there].std() / want[row, pair, there].std()
        assert ratio == pytest.approx(1, abs=0.1)
        both = torch.stack([found[row, pair, there].flatten(), want[row, pair, there].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.98
    assert torch.equal(found[3], want[3])


def test_a_window_is_scaled_to_unit_spread_unless_it_is_silent():
    torch.manual_seed(0)
    noise = torch.randn(3, 20, 10000) * torch.tensor([5.0, 50.0, 0.01])[:, None, None]
    given = Batch(noise, None, torch.full((3, 6), 1 / 6), torch.ones(3), torch.arange(3))
    spread = preprocess("clinical")(given).pairs.std(dim=(1, 2))
    assert spread[:2].tolist() == pytest.approx([1, 1], abs=0.1)
    assert spread[2] < 0.01


def test_the_montage_subtracts_cathode_from_anode():
    eeg = torch.arange(20.0)[None, :, None].expand(1, 20, 5)
    montage = Montage({"a": ["Fp1-F3"], "b": ["O2-T6"]}, "listed")
    assert montage(eeg)[0, :, 0].tolist() == [0 - 1, 18 - 17]
    assert torch.equal(montage(eeg.clone().requires_grad_()), montage(eeg))


def test_a_montage_may_put_each_pair_next_to_its_mirror_image():
    listed = ["O1-T3", "C3-Fp1", "Fz-Cz", "P3-P4", "O2-T4", "C4-Fp2", "F7-T3"]
    mirrored = ("O1-T3", "O2-T4", "C3-Fp1", "C4-Fp2", "Fz-Cz", "P3-P4", "F7-T3")
    assert Montage({"a": listed, "b": ["O2-T6"]}, "mirrored").pairs == (*mirrored, "O2-T6")
    assert Montage({"a": listed}, "listed").pairs == tuple(listed)
    banana = config("montage=banana18")["montage"]["groups"]
    assert Montage(banana, "mirrored").pairs == Montage(banana, "listed").pairs


@pytest.mark.parametrize("pair", ["Fp1-Fp1", "Fp1F3", "Fp1-EKG", "Fp1-A1", "Fp1-F3-C3"])
def test_the_montage_refuses_invalid_pairs(pair: str):
    with pytest.raises(ValueError, match=f"groups: want two of Fp1 .* joined by '-', got '{pair}'"):
        Montage({"a": [pair]}, "listed")


def test_restacking_deals_rows_out_to_columns():
    image = torch.arange(2 * 4 * 3.0).reshape(1, 2, 4, 3)
    assert torch.equal(restack(image, 1)[0, 0], image.reshape(8, 3))
    assert restack(image[:, :1, :3], 2).shape == (1, 1, 2, 6)
    assert torch.equal(restack(image, 2)[0, 0, 1], torch.cat([image[0, 0, 2], image[0, 0, 3]]))


def test_a_span_shows_the_centre_of_the_window_only():
    pairs = torch.randn(1, 8, 10000)
    elsewhere = pairs.clone()
    elsewhere[..., :3999] = elsewhere[..., 6001:] = 0
    extractor = stft(span_s=10)
    assert torch.equal(extractor.spectrogram(pairs), extractor.spectrogram(elsewhere))
    assert extractor.spectrogram(pairs).shape[-1] == (2000 - 190) // 24 + 1


@pytest.mark.parametrize("trainable", [True, False])
def test_the_stft_is_trained_only_when_asked(trainable: bool):
    learned = {name for name, p in stft(trainable=trainable).named_parameters() if name.startswith("transform")}
    assert bool(learned) == trainable


def test_a_sine_shows_in_the_row_of_its_frequency():
    pairs = torch.sin(2 * torch.pi * 10 * torch.arange(4000) / 200).expand(1, 8, 4000)
    spectrogram = stft().spectrogram(pairs)
    assert spectrogram[0, 0].mean(dim=1).argmax() * 40 / 96 == pytest.approx(10, abs=0.5)
    signals = Signals(pairs, None, torch.ones(1, 6) / 6, torch.ones(1))
    found = stft()(signals)
    assert found.vector.shape == (1, 16)
    assert found.tokens.shape == (1, 8, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"win_length": 191}, "win_length: want 1 to n_fft = 190, got 191"),
        ({"hop_length": 0}, "hop_length: want at least 1, got 0"),
        ({"span_s": 0.95}, r"span_s: want more than n_fft's 0\.95 s up to 50, got 0\.95"),
        ({"fmax_hz": 101}, "fmax_hz: want more than 0 up to 100, got 101"),
    ],
)
def test_the_stft_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        stft(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_uv": 0}, "clip_uv, scale_uv: want more than 0, got 0, 32"),
        ({"lowpass_hz": 100}, "lowpass_hz: want between 0 and 100, got 100"),
        ({"notch_hz": [50, 120]}, "notch_hz: want between 0 and 100, got 120"),
        ({"highpass_hz": -1}, "highpass_hz: want between 0 and 100, got -1"),
        ({"highpass_hz": 0.04}, "highpass_hz: want at least 0.05 or null, got 0.04"),
        ({"lowpass_order": 0}, "lowpass_order: want at least 1, got 0"),
    ],
)
def test_preprocess_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        preprocess(**options)


def timm_backbone(**options) -> TimmBackbone:
    return TimmBackbone(
        **{
            **{"name": "test_efficientnet", "pretrained": False, "weights": None, "drop_path_rate": 0.0},
            **{"stem_stride": None, "grad_checkpointing": False, **options},
        }
    )


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
    with pytest.raises(ValueError, match="name: timm cannot build 'hgnet_v9'"):
        timm_backbone(name="hgnet_v9", pretrained=False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mambaout_femto", r"want feature maps of batch, channel, height, width, got \[1, 4, 5, 288\]"),
        ("coatnet_nano_rw_224", "The size of tensor a .* must match .*"),
    ],
)
def test_a_timm_model_that_takes_no_images_of_any_size_or_gives_no_maps_is_refused(name: str, reason: str):
    with pytest.raises(ValueError, match=rf"^name: '{name}' cannot serve here \({reason}\)$"):
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


def test_a_network_with_a_fixed_image_size_is_refused():
    with pytest.raises(ValueError, match=r"name: 'vit_tiny_patch16_224' cannot serve here \(Input height \(97\)"):
        timm_backbone(name="vit_tiny_patch16_224")
