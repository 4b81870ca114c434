"""Learning rates by part of the model: `lr_scale` of conf/train.yaml, such as `lr_scale.extractor.stft.backbone=0.1`.

To go on from a trained or pretrained network, its layers may learn more slowly than those that begin anew, or not at
all (Howard and Ruder 2018, arXiv 1801.06146: discriminative fine-tuning). The names are those of config keys, down to
any module of an extractor; a nested mapping follows them, so no parameter has two factors.
"""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from hms.config.type_check import leaves
from hms.errors import UserError, did_you_mean

_KEY = "lr_scale"
"""Of a parameter group, as timm calls it."""


def parameter_groups(module: nn.Module, lr_scale: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of a Lightning module, `model.` in front of the model's, as groups for an optimizer.

    The first group has those that `lr_scale` does not name, if there are any. Those with the factor 0 are in none, and
    no longer take a gradient. Raises UserError for a part without parameters, and if nothing is left to learn.
    """
    factors = dict(leaves(lr_scale))
    named = {_on_command_line(name): parameter for name, parameter in module.named_parameters()}
    for place in factors:
        if not any(_is_in(name, place) for name in named):
            parts = {".".join(name.split(".")[: place.count(".") + 1]) for name in named}
            wish = f"{_KEY}.{place}: want a part with weights of its own"
            raise UserError(f"{wish}, got none of this name{did_you_mean(place, sorted(parts))}")
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in named.items():
        factor = next((float(factor) for place, factor in factors.items() if _is_in(name, place)), 1.0)
        if factor:
            groups.setdefault(factor, []).append(parameter)
        else:
            parameter.requires_grad_(False)
    if not any(groups.values()):
        raise UserError(f"{_KEY}: want a part that learns, got 0 for all of them")
    return [{"params": parameters, _KEY: factor} for factor, parameters in groups.items() if parameters]


def scale(optimizer: Optimizer) -> None:
    """Multiply the learning rate of each group by its factor, before a schedule reads them."""
    for group in optimizer.param_groups:
        if group[_KEY] != 1:  # an optimizer may have no learning rate to multiply
            group["lr"] = group["lr"] * group[_KEY]


def _on_command_line(name: str) -> str:
    name = name.removeprefix("model.")
    return f"extractor.{name.removeprefix('extractors.')}" if name.startswith("extractors.") else name


def _is_in(name: str, place: str) -> bool:
    return f"{name}.".startswith(f"{place}.")
