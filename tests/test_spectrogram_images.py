import pytest
import torch

from hms.spectrogram_images import SpectrogramImages


def regions(rows: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.exp(3 * torch.randn(rows, 4, 300, 100)) * torch.tensor([1.0, 3.0, 9.0, 27.0])[:, None, None]


@pytest.mark.parametrize("difference", ["power", "log"])
def test_the_ten_images_of_a_window_share_one_mean_and_one_sd(difference: str):
    images = SpectrogramImages(difference)(regions())
    assert images.shape == (2, 10, 300, 100)
    torch.testing.assert_close(images.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(images.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)
    assert images.mean(dim=(2, 3)).std() > 0.05


def test_differences_are_of_power_or_of_logarithms():
    power = torch.stack([torch.full((2, 3), level) for level in (1.0, 2.0, 4.0, 8.0)])[None]  # LL RL LP RP
    of_power, of_log = (SpectrogramImages(d).log_images(power)[0, :, 0, 0].tolist() for d in ("power", "log"))
    one, two, three = (torch.tensor(2.0**n).log().item() for n in (1, 2, 3))
    assert of_power == pytest.approx([0, one, three, two, *[-7] * 5, two])
    assert of_log == pytest.approx([0, one, three, two, -one, -three, -two, -two, -one, one], abs=1e-6)


def test_missing_parts_of_a_spectrogram_become_zero_and_nothing_else_does():
    power = regions()
    power[0, 2, 100:] = torch.nan
    images = SpectrogramImages("power")(power)[0]
    assert ((images == 0).all(dim=2).sum(dim=1) // 200).tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 1, 1]
    assert images[:, :100].std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("difference", ["power", "log"])
@pytest.mark.parametrize("level", [0.0, 0.1, 7.0, torch.inf, torch.nan])
def test_a_constant_or_missing_spectrogram_gives_finite_images(difference: str, level: float):
    images = SpectrogramImages(difference)(torch.full((2, 4, 30, 10), level))
    assert images.isfinite().all()
    assert images.abs().max() <= 16
