"""Save and load models: model.ckpt or a bundle holds a plain node and weights, enough to rebuild one without conf/."""

import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hms.config.build import build_foreign, want_safe
from hms.config.check import mistakes_in_node
from hms.errors import ConfigError, DataError, first_line
from hms.model import Model
from hms.preprocess import Preprocess
from hms.run_folders import is_member, model_file
from hms.runs.bundle import model_node
from hms.system.atomic import replacing


def save_model(fold: Path, model: Model, node: dict[str, Any]) -> None:
    """Write a fold's model.ckpt: its node and its weights, so that equal models have equal bytes."""
    write_checkpoint(model_file(fold), {"model": node, "weights": model.state_dict()})


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a file with `torch.save`, completely or not at all. Raises UserError if that fails."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # hides the error of the file system
            raise error.__context__ or error from None


def save_weights(path: Path, model: Model) -> None:
    """Write the weights of a bundle's member, shared ones once; the file's metadata map their other names to them."""
    contiguous = deepcopy(model).to(memory_format=torch.contiguous_format)  # else save_model rejects shared weights
    try:
        safetensors.torch.save_model(contiguous, str(path))
    except SafetensorError as error:
        raise OSError(first_line(error)) from None


def load_model(path: str | Path) -> Model:
    """Load the trained model of a fold, given its folder, or of a bundle's member, given its file.

    No code from the file is run. Raises DataError if the file is incomplete or the weights do not fit the model that
    this version builds, ConfigError if the config describes anything but a model of hms.
    """
    path = Path(path)
    return rebuild(model_file(path), *read_trained(path))


def load_models(paths: Iterable[Path]) -> list[Model]:
    """Load several models as `load_model` does; those whose preprocessing has the same settings share one."""
    models, shared = [], dict[str, Preprocess]()
    for path in paths:
        node, weights = read_trained(path)
        models.append(model := rebuild(model_file(path), node, weights))
        if not model.preprocess.state_dict():  # else settings, and their order, do not determine it
            model.preprocess = shared.setdefault(json.dumps(node["preprocess"]), model.preprocess)
    return models


def read_trained(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """The unchecked config and the weights of the model that `load_model` would load. Raises DataError as it does."""
    return (model_node(path), _read_weights(path)) if is_member(path) else read_checkpoint(path)


def read_checkpoint(fold: Path) -> tuple[Any, dict[str, Tensor]]:
    """The unchecked config of a fold's model, and its weights. Raises DataError as `load_model` does."""
    path = model_file(fold)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return checkpoint["model"], checkpoint["weights"]
    except Exception as error:
        raise DataError(f"{path}: not a checkpoint of hms ({first_line(error)})") from None


def rebuild(path: Path, node: Any, weights: dict[str, Tensor]) -> Model:
    """Build the model whose config and weights were read from `path`. Raises errors as `load_model` does."""
    try:
        want_safe(node)
        if wrong := mistakes_in_node(node, "model") if isinstance(node, dict) else []:
            raise ConfigError(wrong[0])
        model = build_foreign(without_pretrained(node)) if isinstance(node, dict) else node
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(model, Model):
        raise ConfigError(f"{path}: want a config of hms.model.Model, got one of {type(model).__name__}")
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        wish = "want weights of the model that its config describes"
        raise DataError(f"{path}: {wish}, got different ones: written by another version of hms?") from None
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise DataError(f"{path}: has weights that are not finite; its training diverged")
    return model.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            return weights | {alias: weights[name] for alias, name in (file.metadata() or {}).items()}
    except (SafetensorError, KeyError) as error:
        raise DataError(f"{path}: not a file of weights ({first_line(error)})") from None


def without_pretrained(node: Any) -> Any:
    """Copy a config with pretrained weights disabled, as they would be overwritten, or are not wanted."""
    if isinstance(node, dict):
        return {key: False if key == "pretrained" else without_pretrained(value) for key, value in node.items()}
    return [without_pretrained(value) for value in node] if isinstance(node, list) else node
