"""The baseline that `hms` is benchmarked against: plain code for the same numbers, one sample and one layer at a time.

Written as a competitor would: windows as NumPy files, SciPy's filter, one pair after another; the WaveNet of the
15th-place solution with one convolution per gate. `tests/test_bench.py` checks that both give the same numbers.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from hms.electrodes import ELECTRODES, SFREQ_HZ


class PlainWindows(Dataset[Tensor]):
    """Scaled, filtered pairs (pair, time) with noise, from files `<label_id>.npy` of (time, electrode) in µV."""

    def __init__(self, folder: Path, label_ids: list[int], pairs: tuple[str, ...], sigma: float):
        self.folder, self.label_ids, self.sigma = folder, label_ids, sigma
        self.pairs = [tuple(ELECTRODES.index(name) for name in pair.split("-")) for pair in pairs]
        self.b, self.a = signal.butter(4, 50, fs=SFREQ_HZ)

    def __len__(self) -> int:
        return len(self.label_ids)

    def __getitem__(self, item: int) -> Tensor:
        eeg = np.load(self.folder / f"{self.label_ids[item]}.npy")
        eeg = np.nan_to_num(np.clip(eeg, -1024, 1024)) / 32
        eeg = signal.lfilter(self.b, self.a, eeg, axis=0)
        pairs = np.stack([eeg[:, one] - eeg[:, other] for one, other in self.pairs])
        if self.sigma:
            t = np.arange(pairs.shape[1]) - pairs.shape[1] / 2
            edge = 1 - np.exp(-(t**2) / (2 * 3000**2))
            pairs = pairs + np.random.normal(0, self.sigma / 3, pairs.shape)  # noqa: NPY002
            pairs = pairs + np.random.normal(0, self.sigma, pairs.shape) * edge  # noqa: NPY002
        return torch.from_numpy(pairs.astype(np.float32))


class PlainWavenet(nn.Module):
    """(batch, pair, time) -> (batch * pair, channel, time / 5), with the weights of one network of hms's WaveNet."""

    def __init__(self, network: Any):
        super().__init__()
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks)
        self.down = network.down

    def forward(self, pairs: Tensor) -> Tensor:
        x = pairs.flatten(0, 1).unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        return self.down(x)


class _Block(nn.Module):
    def __init__(self, block: Any):
        super().__init__()
        self.widen = block.widen
        self.sigmoids, self.tanhs, self.mishes, self.mixes = (nn.ModuleList() for _ in range(4))
        for layer in block.layers:
            gates = zip(layer.dilated.weight.chunk(3), layer.dilated.bias.chunk(3), strict=True)
            for convolutions, (weight, bias) in zip((self.sigmoids, self.tanhs, self.mishes), gates, strict=True):
                outputs, inputs, size = weight.shape
                convolution = nn.Conv1d(inputs, outputs, size, padding=layer.dilation, dilation=layer.dilation)
                convolution.load_state_dict({"weight": weight, "bias": bias})
                convolutions.append(convolution)
            self.mixes.append(layer.mix)

    def forward(self, x: Tensor) -> Tensor:
        start = x = self.widen(x)
        for sigmoid, tanh, mish, mix in zip(self.sigmoids, self.tanhs, self.mishes, self.mixes, strict=True):
            x = torch.sigmoid(sigmoid(x)) * torch.tanh(tanh(x)) * F.mish(mish(x))
            x = mix(x) + start
        return x
