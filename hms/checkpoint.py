"""model.ckpt, or a bundle: plain config and weights, from which alone a model is rebuilt, wherever `conf/` is."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hms.atomic import replacing
from hms.bundle import is_member, model_node
from hms.config.build import build, refuse_foreign_targets
from hms.config.check import mistakes_in_node
from hms.config.signature import OURS
from hms.errors import ConfigError, DataError, first_line
from hms.model import Model


def save_model(folder: Path, model: Model, config: dict[str, Any]) -> None:
    """Write a fold's model.ckpt: what `load_model` needs and nothing else."""
    write_checkpoint(folder / "model.ckpt", {"config": config, "weights": model.state_dict()})


def write_checkpoint(path: Path, held: dict[str, Any]) -> None:
    """Write with `torch.save`, whole or not at all. Raises UserError where that cannot be done."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(held, file)
        except RuntimeError as error:  # which hides what the file said
            raise error.__context__ or error from None


def save_weights(path: Path, model: Model) -> None:
    """Write weights as a member of a bundle has them; the file's metadata name those that are others, too."""
    written = deepcopy(model).to(memory_format=torch.contiguous_format)  # it takes no shared weights in another layout
    try:
        safetensors.torch.save_model(written, str(path))
    except SafetensorError as error:
        raise OSError(first_line(error)) from None


def load_model(path: Path) -> Model:
    """The trained model of a fold, by its folder, or of a member of a bundle, by its file; no code of the file runs.

    Raises DataError when the file is not whole, or of a model that this version builds otherwise, ConfigError when it
    is of none that a config may name.
    """
    if is_member(path):
        return rebuilt(path, model_node(path), _read_weights(path))
    return rebuilt(path / "model.ckpt", *read_checkpoint(path))


def read_checkpoint(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """The config of a fold's model, which nobody has looked at, and its weights. Raises DataError as `load_model`."""
    path = folder / "model.ckpt"
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return checkpoint["config"]["model"], checkpoint["weights"]
    except Exception as error:
        raise DataError(f"{path}: not a checkpoint of hms ({first_line(error)})") from None


def rebuilt(path: Path, node: Any, weights: dict[str, Tensor]) -> Model:
    """The model that was read from `path`. Raises DataError and ConfigError as `load_model`."""
    try:
        refuse_foreign_targets(node, OURS)
        if wrong := mistakes_in_node(node, "model") if isinstance(node, dict) else []:
            raise ConfigError(wrong[0])
        model = build(without_pretrained(node), allowed=OURS) if isinstance(node, dict) else node  # whoever wrote it
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(model, Model):
        raise ConfigError(f"{path}: want a config of hms.model.Model, got one of {type(model).__name__}")
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        wish = "want weights of the model that its config describes"
        raise DataError(f"{path}: {wish}, got others: written by another version of hms?") from None
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise DataError(f"{path}: has weights that are no numbers; its training diverged")
    return model.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as held:
            weights = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  it is no mapping
            return weights | {also: weights[name] for also, name in (held.metadata() or {}).items()}
    except (SafetensorError, KeyError) as error:
        raise DataError(f"{path}: not a file of weights ({first_line(error)})") from None


def without_pretrained(node: Any) -> Any:
    """A copy of a config that looks for no pretrained weights: they would be overwritten, or are not wanted."""
    if isinstance(node, dict):
        return {key: False if key == "pretrained" else without_pretrained(value) for key, value in node.items()}
    return [without_pretrained(value) for value in node] if isinstance(node, list) else node
