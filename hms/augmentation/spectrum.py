"""What augmentations that filter share: a window's frequencies, and gains applied to them without a shift in time."""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.cached_tensor import cached_tensor
from hms.electrodes import SFREQ_HZ


@cached_tensor
def frequencies_hz(time: int, device: torch.device) -> Float[Tensor, " frequency"]:
    """The frequencies of the Fourier transform of `time` samples."""
    return torch.fft.rfftfreq(time, 1 / SFREQ_HZ, device=device)


def filtered(
    pairs: Float[Tensor, "batch pair time"], gain: Float[Tensor, "batch 1 frequency"]
) -> Float[Tensor, "batch pair time"]:
    """Multiply the frequencies of each window by its gain, the same for all pairs."""
    waves = torch.fft.rfft(pairs.float()) * gain
    return torch.fft.irfft(waves, pairs.shape[-1]).to(pairs.dtype)
