"""Parts of the model that learn faster or more slowly than others, or not at all (`lr_scale`)."""

from pathlib import Path

import polars as pl
import pytest
import torch
from material import config
from trainings import composed, interrupted_and_straight, only_fold, same_weights

from hms.config.build import build
from hms.errors import UserError
from hms.runs.checkpoint import load_model
from hms.runs.folder import fold_folder
from hms.training.fit import fit
from hms.training.learning_rates import parameter_groups, scale, scale_schedule
from hms.training.parts import model_and_trainer
from hms.training.rules import mistakes_in_values
from hms.training.without_effect import without_effect

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")

TWO = ("extractor=[stft_short,spectrogram]", "trainer=cpu")
PARTS = {"extractor": {"stft_short": {"backbone": 0.1}, "spectrogram": 0}, "fusion": 3}


class Module(torch.nn.Module):
    """Has its model where a Lightning module has it."""

    def __init__(self):
        super().__init__()
        self.model = build(config(*TWO)["model"])


def test_each_part_has_its_learning_rate_and_a_frozen_one_no_gradient():
    module = Module()
    optimizer = torch.optim.AdamW(parameter_groups(module, PARTS), lr=0.02)
    scale(optimizer)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rate_of) == sum(len(group["params"]) for group in optimizer.param_groups)
    for name, parameter in module.model.named_parameters():
        factor = 1.0
        if name.startswith("extractors.spectrogram."):
            factor = None
        elif name.startswith("fusion."):
            factor = 3
        elif name.startswith("extractors.stft_short.backbone."):
            factor = 0.1
        assert parameter.requires_grad == (factor is not None)
        assert rate_of.get(id(parameter)) == (factor and pytest.approx(0.02 * factor)), name
    assert optimizer.param_groups[0]["lr"] == 0.02, "the rate that is logged"


def test_a_schedule_with_rates_of_its_own_is_scaled_or_refused():
    optimizer = torch.optim.SGD(parameter_groups(Module(), {"fusion": 0.1}), lr=1.0, momentum=0.9)
    scale(optimizer)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2.0, total_steps=5)
    scale_schedule(optimizer, schedule)
    for _ in range(4):
        first, fusion = (group["lr"] for group in optimizer.param_groups)
        assert fusion == pytest.approx(0.1 * first)
        optimizer.step()
        schedule.step()
    optimizer = torch.optim.SGD(parameter_groups(Module(), {"fusion": 0.1}), lr=1.0, momentum=0.9)
    scale(optimizer)
    cyclic = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.1, max_lr=1.0)
    wish = r"^lr_scale: want a schedule that follows the optimizer's learning rates, or OneCycleLR, got CyclicLR$"
    with pytest.raises(UserError, match=wish):
        scale_schedule(optimizer, cyclic)


def test_a_factor_of_1_names_no_run_and_a_frozen_part_with_random_weights_is_told():
    plain = config()
    same = [plain | {"lr_scale": given} for given in ({}, {"fusion": 1}, {"extractor": {"stft": 1.0}}, {"fusion": {}})]
    assert len({fold_folder(one, "corpus") for one in same}) == 1
    frozen = plain | {"lr_scale": {"extractor": {"stft": 0}}}
    assert fold_folder(frozen, "corpus") != fold_folder(plain, "corpus")
    said = "lr_scale.extractor.stft=0 freezes weights that are random: start_from= or pretrained ones would be of use"
    assert said in without_effect(frozen, reads_spectrogram=False)
    assert said not in without_effect(frozen | {"start_from": "runs/a"}, reads_spectrogram=False)


def test_without_factors_all_parameters_are_one_group_in_their_order():
    module = Module()
    (group,) = parameter_groups(module, {})
    assert [*map(id, group["params"])] == [*map(id, module.parameters())]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"extractor": {"sftf_short": 0.1}}, "extractor.sftf_short: WISH; did you mean 'extractor.stft_short'?"),
        ({"fusion": {"linaer": 0}}, "fusion.linaer: WISH; did you mean 'fusion.linear'?"),
        ({"backbone": 0.1}, "backbone: WISH; did you mean BACKBONES?"),
        ({"preprocess": 0.1}, "preprocess: WISH; there are PARTS"),
    ],
)
def test_a_part_that_does_not_exist_is_named_with_the_nearest(given: dict, message: str):
    with pytest.raises(UserError) as raised:
        parameter_groups(Module(), given)
    wish = "want a part with weights of its own, got none of this name"
    backbones = "'extractor.spectrogram.backbone', 'extractor.stft_short.backbone'"
    names = "extractor, extractor.spectrogram, extractor.stft_short, fusion, fusion.linear"
    parts = f"{names}, heads, heads.spectrogram, heads.stft_short"
    for word, meant in (("WISH", wish), ("BACKBONES", backbones), ("PARTS", parts)):
        message = message.replace(word, meant)
    assert str(raised.value) == f"lr_scale.{message}"


def test_all_frozen_is_refused():
    with pytest.raises(UserError, match=r"^lr_scale: want a part that learns, got 0 for all of them$"):
        parameter_groups(Module(), {"extractor": 0, "fusion": 0, "heads": 0.0})


def test_mistakes_show_before_a_corpus_is_read():
    given = {"fusion": -1, "extractor": {"stft": {"backbone": "fast"}}, "heads": True}
    assert [*mistakes_in_values(config() | {"lr_scale": given})] == [
        "lr_scale.fusion: want a number of 0 or more, got -1",
        "lr_scale.extractor.stft.backbone: want a number of 0 or more, got fast",
        "lr_scale.heads: want a number of 0 or more, got true",
    ]
    with pytest.raises(
        UserError, match=r"^lr_scale\.extractor\.wavenet: want a part with weights of its own, got none"
    ):
        model_and_trainer(config("+lr_scale.extractor.wavenet=0", "trainer=cpu"))


def test_training_goes_on_from_frozen_extractors_and_resumes_to_the_same_bytes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fit(composed(corpus, tmp_path, "epochs=1", "name=first"))
    first = only_fold(tmp_path / "runs")
    words = ["+lr_scale.extractor=0", "+lr_scale.fusion=0.5", "schedule=cosine", f"start_from={first}"]
    straight, resumed = interrupted_and_straight(composed(corpus, tmp_path, *words), tmp_path, monkeypatch, at=[2])
    assert same_weights(straight, resumed)
    before, after = (dict(load_model(fold).named_parameters()) for fold in (first, straight))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"fusion"}
    rates = pl.read_csv(straight / "metrics.csv")["learning_rate"]
    base = composed(corpus, tmp_path)["optimizer"]["lr"]
    assert rates[0] == pytest.approx(0.5 * base), "of the first part that learns"
    assert rates.is_sorted(descending=True)
