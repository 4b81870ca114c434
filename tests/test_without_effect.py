"""Settings without effect are named, and no experiment has one."""

from pathlib import Path

import material
import pytest
from configs import options
from hydra.utils import get_class
from trainings import chosen
from untrained_runs import teacher

from hms.config.command import CONF
from hms.runs.provenance import is_simulated
from hms.train import main as train_command
from hms.training.fit import fit
from hms.training.rules import mistakes_in_values
from hms.training.without_effect import without_effect

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


NO_IMAGES = "has no effect: no extractor reads the ten-minute spectrogram"
FADING = "weighting=fade_low_votes has no effect"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("augmentation=[head_scale]", ["augmentation.head_scale has hardly any effect with {}"]),
        ("augmentation=[head_scale] preprocess=original", []),
        ("augmentation=[head_scale] preprocess.scale=compressed", []),
        ("preprocess.scale_uv=16", ["preprocess.scale_uv has no effect with {}"]),
        ("preprocess.scale_uv=16 preprocess.scale=compressed", []),
        ("preprocess=original preprocess.highpass_hz=0.5 preprocess.scale=window", []),
        (
            "augmentation=[edge_dropout,spectrogram_mask]",
            [f"augmentation.{name} {NO_IMAGES}" for name in ("edge_dropout", "spectrogram_mask")],
        ),
        ("augmentation=[spectrogram_mask,edge_dropout] extractor=[stft_short,spectrogram]", []),
        ("preprocess.images.difference=log", [f"preprocess.images.difference {NO_IMAGES}"]),
        ("preprocess.images.difference=log extractor=spectrogram", []),
        (
            "extractor=spectrogram montage=pairs24 montage.order=mirrored",
            [f"{name} has no effect: no extractor reads the EEG" for name in ("montage=pairs24", "montage.order")],
        ),
        (
            "extractor=spectrogram preprocess=original preprocess.lowpass_hz=40 augmentation=[noise,polarity]",
            [
                f"{name} has no effect: no extractor reads the EEG"
                for name in (
                    "preprocess=original",
                    "preprocess.lowpass_hz",
                    "augmentation.noise",
                    "augmentation.polarity",
                )
            ],
        ),
        ("extractor=[spectrogram,stft_short] preprocess=original montage=pairs24 augmentation=[noise]", []),
        ("extractor=efficientnet1d backbone=hgnetv2", ["backbone=hgnetv2 has no effect: no extractor has a backbone"]),
        (
            "extractor=stft_x3d backbone.grad_checkpointing=true",
            ["backbone.grad_checkpointing has no effect: no extractor has a backbone"],
        ),
        ("extractor=[stft_x3d,wavenet] backbone=hgnetv2 backbone.drop_path_rate=0.1", []),
        (
            "extractor=stft backbone.image.grid=[4,4] backbone.wavenet.grid=[1,8]",
            ["backbone.wavenet.grid has no effect: no extractor has backbone.wavenet"],
        ),
        ("live=simulated weighting=fade_low_votes", [f"{FADING} with live, whose windows have 10 votes or more"]),
        ("live=simulated subset=low_votes_too", []),
        (
            "live=simulated subset.spacing_s=5 folds=3",
            [
                "folds has no effect with live, which learns from no fold",
                "subset.spacing_s has no effect with live, which trains on no row of the corpus",
            ],
        ),
        ("fold=all subset.validation_votes=1 folds=3", []),
        ("fold=all subset=all_votes", []),
        ("pretrain=low_votes pretrain.subset.spacing_s=5", []),
        (
            "pretrain=low_votes pretrain.subset.validation_votes=3",
            ["pretrain.subset.validation_votes has no effect: both stages validate on the rows that subset chooses"],
        ),
        ("fold=1 subset.validation_votes=1 subset.spacing_s=5 folds=3", []),
    ],
)
def test_a_setting_that_another_undoes_is_named(words: str, lines: list[str]):
    config = train_command.config(*words.split())
    by_itself = "preprocess.scale=window, which scales each window by its own spread"
    assert said_of(config) == [line.format(by_itself) for line in lines]


def said_of(config: dict) -> list[str]:
    """What is said about settings without effect; the model's classes tell what it reads, without building it."""
    kinds = [get_class(node["_target_"]) for node in config["extractor"].values()]
    return [*without_effect(config, any(kind.reads_spectrogram for kind in kinds))]


@pytest.mark.parametrize("name", sorted({path.stem for path in (CONF / "experiment").glob("*.yaml")} - {"original"}))
def test_no_experiment_has_a_setting_without_effect(name: str, tmp_path: Path):  # `original` leaves out the extractors
    run = teacher(tmp_path, {1: [1.0, 0, 0, 0, 0, 0]})
    more = [f"augmentation.teacher_labels.runs=[{run}]"] if name == "student" else []
    composed = material.config(f"experiment={name}", *more)
    assert [*mistakes_in_values(composed)] == []
    assert said_of(composed) == []


@pytest.mark.parametrize("extractor", options("extractor"))
def test_no_extractor_makes_a_default_one_without_effect(extractor: str):
    assert said_of(material.config(f"extractor={extractor}")) == []


def test_a_setting_without_effect_is_named(tmp_path: Path):
    fading = ["weighting=fade_low_votes"]
    (said,) = said_of(material.config(*fading))
    assert said == f"{FADING} on rows of 10 votes or more; try subset=low_votes_too"
    assert said_of(material.config(*fading, "subset=low_votes_too")) == []
    (said,) = said_of(material.config("loss.auxiliary=0.5"))
    assert said == "loss.auxiliary has no effect with a single extractor, which has no auxiliary head"
    two = ["loss.auxiliary=0.5", "extractor=[stft,stft_cosine]"]
    assert said_of(material.config(*two)) == []
    (said,) = said_of(material.config(*two, "model.auxiliary_heads=false"))
    assert said == "loss.auxiliary has no effect with model.auxiliary_heads=false"


def test_a_class_derived_from_ours_is_known_as_one(tmp_path: Path, monkeypatch):
    (tmp_path / "derived.py").write_text(
        "from hms.simulate.corpus import SimulatedFolder\nfrom hms.weighting import FadeLowVotes\n\n"
        "class Mine(FadeLowVotes): ...\n\nclass Ward(SimulatedFolder): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("signature", "build"):
        monkeypatch.setattr(f"hms.config.{module}.ALLOWED", ("hms.", "derived."))
    fading = material.config("weighting=fade_low_votes")
    fading["weighting"]["_target_"] = "derived.Mine"
    assert said_of(fading)[0].startswith(FADING)
    assert is_simulated(fading | {"data": {"_target_": "derived.Ward"}})
    assert not is_simulated(fading | {"data": {"_target_": "hms.data.corpus.CompetitionFolder"}})
    assert not is_simulated(fading | {"data": {"_target_": "elsewhere.Ward"}}), "a model predicts without that class"
    (tmp_path / "corpus.json").touch()
    node = {"_target_": "hms.data.corpus.CompetitionFolder", "root": str(tmp_path)}
    assert is_simulated(fading | {"data": node}), "by what is in the folder"


def test_a_training_says_which_setting_has_no_effect(config: dict, capsys):
    fit(chosen(config, "augmentation=[head_scale]", "epochs=1"))
    assert "\naugmentation.head_scale has hardly any effect with preprocess.scale=window" in capsys.readouterr().err
