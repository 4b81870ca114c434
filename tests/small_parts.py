"""Parts of a model, small and untrained, and what they read: noise, shorter than that of material.py."""

import torch
import yaml
from conftest import ROOT
from material import config
from torch import nn

from hms.backbone import TimmBackbone, TinyBackbone
from hms.batch import Batch, Features, Signals
from hms.config.build import build
from hms.extractor.stft import Stft
from hms.montage import Montage
from hms.preprocess import Preprocess
from hms.spectrogram_images import SpectrogramImages

SMALL = {"n_fft": 64, "win_length": 64, "hop_length": 32, "blocks": 3, "channels": 6, "layers": 4, "span_s": 5}
STEADY = {"dropout": 0.0, "attention_dropout": 0.0}


def resolved(name: str) -> dict:
    return config(f"extractor={name}")["extractor"][name]


def extractor(name: str, **options):
    """The extractor of a YAML, but small and without dropout."""
    torch.manual_seed(0)
    node = resolved(name)
    return build(node | {key: value for key, value in (SMALL | STEADY).items() if key in node} | options)


def stft(**options) -> Stft:
    node = yaml.safe_load((ROOT / "conf/extractor/stft.yaml").read_text())["stft"]
    del node["_target_"]
    return Stft(**{**node, "backbone": TinyBackbone([8, 16], [1, 1], 0.0, False), **options})


def timm_backbone(**options) -> TimmBackbone:
    return TimmBackbone(
        **{
            **{"name": "test_efficientnet", "pretrained": False, "weights": None, "drop_path_rate": 0.0},
            **{"stem_stride": None, "grad_checkpointing": False, **options},
        }
    )


def preprocess(option: str = "original", **options) -> Preprocess:
    montage = Montage({"all": ["Fp1-F7", "O1-T3"]}, "listed")
    node = yaml.safe_load((ROOT / f"conf/preprocess/{option}.yaml").read_text())
    del node["_target_"]
    return Preprocess(**{**node, "montage": montage, "images": SpectrogramImages("power"), **options})


def batch(rows: int = 3, samples: int = 2000) -> Batch:
    torch.manual_seed(0)
    eeg, power = torch.randn(rows, 20, samples) * 30, torch.rand(rows, 4, 40, 20)
    return Batch(eeg, power, torch.full((rows, 6), 1 / 6), torch.ones(rows), torch.arange(rows))


def signals(rows: int = 3, samples: int = 2000) -> Signals:
    torch.manual_seed(0)
    images = torch.randn(rows, 10, 300, 100)
    return Signals(torch.randn(rows, 8, samples), images, torch.full((rows, 6), 1 / 6), torch.ones(rows))


class Plain(nn.Module):
    """An extractor without batch statistics and without dropout."""

    reads_spectrogram, token_kind, out_features, token_features = False, "pair", 16, 50

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(400, 16), nn.GELU())

    def forward(self, signals: Signals) -> Features:
        tokens = signals.pairs.unflatten(2, (50, -1)).std(dim=-1)
        return Features(self.net(tokens.flatten(1)), tokens)
