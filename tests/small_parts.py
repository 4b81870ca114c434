"""Parts of a model, small and untrained, and what they read: noise, shorter than that of material.py."""

import functools

import torch
import yaml
from conftest import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hms.backbone import TimmBackbone, TinyBackbone
from hms.batch import Batch, Signals
from hms.config.build import build
from hms.config.command import CONF
from hms.extractor.stft import Stft
from hms.montage import Montage
from hms.preprocess import Preprocess
from hms.spectrogram_images import SpectrogramImages

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
