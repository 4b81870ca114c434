"""Learning rates by part of the model: `lr_scale` of conf/train.yaml, such as `lr_scale.extractor.stft.backbone=0.1`.

To go on from a trained or pretrained network, its layers may learn more slowly than those that begin anew, or not at
all (Howard and Ruder 2018, arXiv 1801.06146: discriminative fine-tuning). A part is named as a config key, such as
`extractor.stft` or `fusion`, down to any module of it; `heads` are the auxiliary ones.
"""

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from hms.config.type_check import leaves
from hms.errors import UserError, did_you_mean
from hms.system.console import some

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
            wish = f"{_KEY}.{place}: want a part with weights of its own"
            raise UserError(f"{wish}, got none of this name{_instead(place, [*named])}")
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


def scale_schedule(optimizer: Optimizer, schedule: Any) -> None:
    """Do the same if a schedule has just given the groups learning rates of its own.

    Raises UserError for one that keeps these in places of its own, as CyclicLR does.
    """
    groups = optimizer.param_groups
    if isinstance(schedule, OneCycleLR):
        for group in groups:
            group.update({key: group[key] * group[_KEY] for key in ("lr", "initial_lr", "max_lr", "min_lr")})
    elif len(groups) > 1 and not all(
        math.isclose(group["lr"] * groups[0][_KEY], groups[0]["lr"] * group[_KEY]) for group in groups
    ):
        kind = type(schedule).__name__
        raise UserError(
            f"{_KEY}: want a schedule that follows the optimizer's learning rates, or OneCycleLR, got {kind}"
        )


def _on_command_line(name: str) -> str:
    name = name.removeprefix("model.")
    return f"extractor.{name.removeprefix('extractors.')}" if name.startswith("extractors.") else name


def _is_in(name: str, place: str) -> bool:
    return f"{name}.".startswith(f"{place}.")


def _instead(place: str, names: list[str]) -> str:
    """The end of a message: the part that is meant, or those that there are."""
    parts = sorted({name.rpartition(".")[0][:end] for name in names for end in _ends(name)})
    if within := [part for part in parts if part.endswith(f".{place}")]:
        return f"; did you mean {some([*map(repr, within)], 3)}?"
    return did_you_mean(place, parts) or f"; there are {', '.join(part for part in parts if part.count('.') < 2)}"


def _ends(name: str) -> list[int]:
    """Where the names of the modules that hold a parameter end in its name."""
    return [place for place, letter in enumerate(name) if letter == "."]
