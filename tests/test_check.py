"""Every kind of mistake in a config is reported in a line, all in one message, and without importing anything heavy."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import get_type_hints

import pytest
from configs import CONF, by_hydra, options
from conftest import python
from omegaconf import OmegaConf

from hms.config.check import mistakes
from hms.config.signature import signature
from hms.config.source import find
from hms.errors import ConfigError, nearest_word
from hms.evaluate import Evaluate
from hms.prepare import Prepare
from hms.simulate.__main__ import Simulate
from hms.submit import Submit
from hms.train import Train

SCHEMAS = {"train": Train, "prepare": Prepare, "simulate": Simulate, "evaluate": Evaluate, "submit": Submit}


def complaint(name: str, *overrides: str) -> str:
    """Return what the check reports about a command line; empty if there is no mistake."""
    return "\n".join(f"  {line}" for line in mistakes(by_hydra(name, *overrides), name, SCHEMAS[name]))


def choices() -> list[tuple[str, str]]:
    """Return every option of every group of the entry points but train, as an override.

    Those of train are composed, checked in the same way, and then built, in test_contracts.py.
    """
    found = []
    for name in (command for command in SCHEMAS if command != "train"):
        defaults = OmegaConf.load(CONF / f"{name}.yaml").defaults
        groups = {str(key) for entry in defaults if OmegaConf.is_config(entry) for key in entry}
        found += [(name, f"{group}={option}") for group in sorted(groups) for option in options(group)]
    return found


@pytest.mark.parametrize(("name", "choice"), choices())
def test_every_option_of_every_group_passes(name, choice):
    needed = ["data.root=x"] * (choice == "data=competition")
    assert complaint(name, choice, *needed) == ""


def test_the_classes_of_libraries_take_an_empty_text():
    assert complaint("train", "logger=wandb", "+logger.wandb.prefix=''") == ""


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("runs=", "runs: want str, list of str or null"),
        ("runs=[runs/a,'']", "runs[1]: want str"),
        ("stores=", "stores: want str"),
        ("out=", "out: want str or null"),
        ("ensemble=", "ensemble: want str or null"),
    ],
)
def test_an_empty_text_is_no_path(words: str, wish: str):
    assert complaint("evaluate", words) == f"  {wish}, got '' (empty, like a variable that is not set)"


def test_no_augmentation_passes():
    assert complaint("train", "augmentation=[]") == ""


def test_several_extractors_and_a_sweepers_numbers_pass():
    numbers = ["optimizer.lr=1", "trainer.precision=32", "subset.spacing_s=2.5", "name=null"]
    assert complaint("train", "extractor=[stft,stft_cosine]", "augmentation=brain_flip", *numbers) == ""
    member = ["extractor=[wavenet_deep,stft_cosine,spectrogram]", "montage=pairs24"]
    for backbone in options("backbone"):
        assert complaint("train", f"backbone={backbone}", *member) == ""


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_has_the_keys_of_its_yaml(name):
    assert set(by_hydra(name)) == SCHEMAS[name].__required_keys__


TARGETS = (
    "hms., torch.optim., timm.optim., lightning.Trainer or lightning.pytorch. "
    "(HMS_ALLOW, set before Python starts, adds a package of yours)"
)


def test_a_module_that_only_a_finder_of_its_own_knows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As that of a package installed in editable mode."""
    (tmp_path / "band.py").write_text("class Power:\n    def __init__(self, low_hz: float): ...\n")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return spec_from_file_location(name, tmp_path / "band.py") if name == "edited_band" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert find("edited_band.Power")[0] == "edited_band"
    with pytest.raises(ConfigError, match=r"want the module of 'no_band.Power' to be installed, or on PYTHONPATH"):
        find("no_band.Power")
    with pytest.raises(ConfigError, match=r"want a class or a function whose source can be found, got 'math.sqrt'"):
        find("math.sqrt")


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        ("++extractor.stf.n_fft=3", "extractor.stf: nothing of this name is chosen; did you mean 'stft'?"),
        # keys of the entry point
        ("+tpyo=1", "tpyo: train takes no 'tpyo'"),
        ("+epoch=1", "epoch: train takes no 'epoch'; did you mean 'epochs'?"),
        (
            "+n_fft=3 +extractor.n_fft=3",
            (
                "extractor.n_fft: want a mapping with _target_, got 3\n  "
                "n_fft: train takes no 'n_fft'; did you mean 'extractor.stft.n_fft'?"
            ),
        ),
        ("+lr=1e-3", "lr: train takes no 'lr'; did you mean 'optimizer.lr'?"),
        (
            "+backbone.channels=[1]",
            (
                "backbone.channels: backbone takes no 'channels'; did you mean 'backbone.image.channels' or "
                "'backbone.wavenet.channels' or 'backbone.spectrogram.channels'?"
            ),
        ),
        ("~fold", "train needs 'fold'"),
        ("fold=abc", "fold: want int or 'all', got 'abc'"),
        ("fold=null", "fold: want int or 'all', got null"),
        ("fold=true", "fold: want int or 'all', got True"),
        ("folds=2.5", "folds: want int, got 2.5"),
        ("name=[a]", "name: want str or null, got ['a']"),
        ("start_from=", "start_from: want str or null, got '' (empty, like a variable that is not set)"),
        ("data.root=", "data.root: SimulatedFolder wants str, got '' (empty, like a variable that is not set)"),
        ("fold=", "fold: want int or 'all', got '' (empty, like a variable that is not set)"),
        ("on_bad=rase", "on_bad: want 'raise' or 'skip', got 'rase'; did you mean 'raise'?"),
        ("data=competition", "data.root: want a value, got none (data.root=...)"),
        ("name=${nmae}", "name: Interpolation key 'nmae' not found in '${nmae}'"),
        ("model=3", "model: want a mapping with _target_, got 3"),
        ("+extractor.new=3", "extractor.new: want a mapping with _target_, got 3"),
        ("+backbone.imge=3", "backbone.imge: backbone takes no 'imge'; did you mean 'image'?"),
        # arguments
        ("~extractor.stft.n_fft", "extractor.stft: Stft needs 'n_fft'"),
        ("+extractor.stft.nfft=3", "extractor.stft.nfft: Stft takes no 'nfft'; did you mean 'n_fft'?"),
        ("+loss.alpha=3", "loss.alpha: VoteWeightedKl takes no 'alpha'"),
        ("+optimizer.fusd=true", "optimizer.fusd: AdamW takes no 'fusd'; did you mean 'fused'?"),
        ("+trainer.max_epoch=3", "trainer.max_epoch: Trainer takes no 'max_epoch'; did you mean 'max_epochs'?"),
        # types
        ("extractor.stft.n_fft=abc", "extractor.stft.n_fft: Stft wants int, got 'abc'"),
        (
            "extractor.stft.window=hamming",
            "extractor.stft.window: Stft wants 'hann' or 'cosine', got 'hamming'",
        ),
        ("extractor.stft.columns=3", "extractor.stft.columns: Stft wants 1 or 2, got 3"),
        ("extractor.stft.columns=true", "extractor.stft.columns: Stft wants 1 or 2, got True"),
        ("extractor.stft.trainable=1", "extractor.stft.trainable: Stft wants bool, got 1"),
        (
            "extractor.stft.backbone=tiny",
            "extractor.stft.backbone: Stft wants Backbone (a mapping with _target_), got 'tiny'",
        ),
        (
            "data.size=smal",  # an alias of a Literal
            "data.size: SimulatedFolder wants 'tiny', 'small', 'medium' or 'large', got 'smal'; did you mean 'small'?",
        ),
        ("preprocess.notch_hz=50", "preprocess.notch_hz: Preprocess wants list of float, got 50"),
        ("preprocess.notch_hz=[50,x]", "preprocess.notch_hz[1]: Preprocess wants float, got 'x'"),
        (
            "+montage.groups.a=O1-T3",
            "montage.groups.a: Montage wants list of str, got 'O1-T3'; did you mean montage.groups.a=[O1-T3]?",
        ),
        (
            "extractor=wavenet extractor.wavenet.block=classical",
            "extractor.wavenet.block: Wavenet wants 'improved' or 'classic', got 'classical'; did you mean 'classic'?",
        ),
        (
            "extractor=wavenet extractor.wavenet.montage=pairs8",
            "extractor.wavenet.montage: Wavenet wants Montage (a mapping with _target_), got 'pairs8'",
        ),
        (
            "backbone=efficientnetv2 backbone.wavenet.stem_stride=2",
            "backbone.wavenet.stem_stride: TimmBackbone wants list of int or null, got 2",
        ),
        (
            "preprocess.images.difference=logs",
            "preprocess.images.difference: SpectrogramImages wants 'power' or 'log', got 'logs'; did you mean 'log'?",
        ),
        ("loss.auxiliary_of.wavenet=x", "loss.auxiliary_of.wavenet: VoteWeightedKl wants float, got 'x'"),
        ("optimizer.weight_decay=no", "optimizer.weight_decay: AdamW wants float, got 'no'"),
        (
            "optimizer.lr={x: 1}",
            "optimizer.lr: AdamW wants float or Tensor (a mapping with _target_), got a mapping",
        ),
        (
            "++extractor.stft.backbone.grid=[4,2]",
            (
                "extractor.stft.backbone: Stft wants Backbone (a mapping with _target_), got a mapping without one; "
                "to change a key of a node that a YAML file refers to by ${...}, set it where it is defined"
            ),
        ),
        ("logger=wandb logger.wandb.offline=maybe", "logger.wandb.offline: WandbLogger wants bool, got 'maybe'"),
        # written once, used in several places: said once, where it is written
        ("epochs=two", "epochs: want int, got 'two'"),
        (
            "backbone=hgnetv2 backbone.pretrained=often",
            "backbone.pretrained: TimmBackbone wants bool, got 'often'",
        ),
        (
            "extractor=[stft,stft_cosine] +backbone.image.chanels=3",
            "backbone.image.chanels: TinyBackbone takes no 'chanels'; did you mean 'channels'?",
        ),
        # targets
        ("loss._target_=os.system", f"loss._target_: want a name that starts with {TARGETS}, got 'os.system'"),
        (
            "loss._target_=hms.network.log_stft.STFT",
            f"loss._target_: want a name that starts with {TARGETS}, got 'nnAudio.features.stft.STFT'",
        ),
        (
            "loss._target_=hms.runs.versions.subprocess.run",
            f"loss._target_: want a name that starts with {TARGETS}, got 'subprocess.run'",
        ),
        ("loss._target_=hms.loss", "loss._target_: want a class or a function, got the module hms.loss"),
        (
            "loss._target_=hms.loss.VoteWeightedKL",
            "loss._target_: no 'VoteWeightedKL' in hms.loss; did you mean 'VoteWeightedKl'?",
        ),
        ("loss._target_=hms.los.X", "loss._target_: no 'los' in hms; did you mean 'loss'?"),
        (
            "optimizer._target_=torch.optim.Adamw",
            "optimizer._target_: no 'Adamw' in torch.optim; did you mean 'AdamW'?",
        ),
        (
            "schedule._target_=torch.optim.lr_scheduler.LinearLR ~schedule.warmup_epochs ~schedule.lr_min",
            "schedule.epochs: LinearLR takes no 'epochs'",
        ),
        (
            "trainer._target_=lightning.pytorch.Trainr",
            "trainer._target_: no 'Trainr' in lightning.pytorch; did you mean 'Trainer'?",
        ),
    ],
)
def test_each_mistake_is_reported_in_one_line(overrides: str, lines: str):
    arguments = [overrides] if "{" in overrides else overrides.split()
    assert complaint("train", *arguments) == f"  {lines}"


TYPOS = {
    "epoch": "epochs",
    "seeed": "seed",
    "fld": "fold",
    "flod": "fold",
    "batch": "batch_size",
    "batchsizes": "batch_size",
    "optimiser": "optimizer",
    "optim": "optimizer",
    "scheduler": "schedule",
    "sched": "schedule",
    "augmentations": "augmentation",
    "extractors": "extractor",
    "preproc": "preprocess",
    "average": "averaging",
    "weight": "weighting",
    "loss_fn": "loss",
    "store": "stores",
    "onbad": "on_bad",
    "Logger": "logger",
}


def test_a_typo_is_corrected_and_an_unrelated_word_is_not():
    keys = get_type_hints(Train)
    assert {typo: nearest_word(typo, keys) for typo in TYPOS} == TYPOS
    unrelated = "foo bar tpyo alpha gpus patience workers device dropout precision path verbose l".split()
    assert [word for word in unrelated if nearest_word(word, keys)] == []
    extractors = options("extractor")
    assert [nearest_word(word, extractors) for word in ("sftf", "spec", "lstm")] == ["stft", "spectrogram", None]
    assert nearest_word("hop", signature("hms.extractor.stft.Stft").types) == "hop_length"


def test_a_missing_value_is_reported_once_however_often_it_is_used():
    assert complaint("evaluate", "data=competition") == "  data.root: want a value, got none (data.root=...)"


def test_a_target_that_does_not_parse_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/__init__.py").write_text("class Loss:\n    def\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.config.signature.ALLOWED", ("broken.",))
    with pytest.raises(ConfigError, match=r"broken/__init__\.py, line 2: invalid syntax"):
        signature("broken.Loss")


def test_annotations_bases_and_defaults_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hmsish").mkdir()
    (tmp_path / "hmsish/__init__.py").write_text("from .base import Derived as Renamed, made\n")
    (tmp_path / "hmsish/base.py").write_text(
        "class Base:\n    def __init__(self, a: int, b: 'float' = None, *, c: bool = True, **more): ...\n"
        "class Derived(Base): ...\n"
        "def made(x, /, y: str = ''): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.config.signature.ALLOWED", ("hmsish.",))
    found = signature("hmsish.Renamed")
    assert found.types == {"a": int, "b": float | None, "c": bool}
    assert (found.required, found.takes_more) == (["a"], True)
    assert (signature("hmsish.made").required, signature("hmsish.made").takes_more) == (["x"], False)


WITHOUT_WEIGHT = """
import importlib, sys
main = importlib.import_module(sys.argv[1]).main
mistakes = ["tpyo=1", "extractor=x"], ["-m", "fold=0,a"], sys.argv[2:]
for arguments in (["--help"], ["--cfg", "job"], ["-sc", "query=bash"], *mistakes):
    sys.argv = ["hms", *arguments]
    try:
        main()
    except SystemExit:
        pass
print("imported:", *({"torch", "lightning", "timm", "polars", "numpy", "scipy"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("module", "word", "problem"),
    [
        ("prepare", "shards=0", "shards: want 1 or more (below 2^32), got 0"),
        ("train", "folds=1", "folds: want 2 or more (below 2^32), got 1"),
        ("evaluate", "draws=99", "draws: want 100 or more (below 2^32), got 99"),
        ("submit", "adapt=2", "adapt: want a share, 0 to 1, got 2"),
        ("predict", "threshold=nan", "threshold: want more than 0, up to 1, got nan"),
        ("collect", "unit=kV", "unit: want 'nV', 'uV', 'µV', 'μV', 'mV', 'V' or null, got 'kV'; did you mean 'V'?"),
        ("compare", "draws=0", "draws: want 100 or more (below 2^32), got 0"),
        ("simulate.__main__", "shard=1", "shard: want 0 to 0 (shards=1), got 1"),
        ("ensemble.__main__", "prior.lpd=1", "prior.lpd: want a share between 0 and 1, got 1"),
        ("report.__main__", "windows=-1", "windows: want 0 or more (below 2^32), got -1"),
    ],
)
def test_help_and_mistakes_import_nothing_heavy(module: str, word: str, problem: str):
    words = [f"hms.{module}", word]
    done = subprocess.run(python("-c", WITHOUT_WEIGHT, *words), capture_output=True, text=True, check=True)
    assert "takes no 'tpyo'" in done.stderr
    assert f"\n  {problem}\n" in done.stderr
    assert done.stdout.splitlines()[-1] == "imported:"
