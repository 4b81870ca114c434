"""model.ckpt: plain config and weights, from which alone a trained model is rebuilt, wherever `conf/` is."""

from pathlib import Path
from typing import Any

import torch

from hms.build import build
from hms.errors import ConfigError, DataError
from hms.files import first_line, replacing
from hms.model import Model
from hms.signature import OURS


def save_model(folder: Path, model: Model, config: dict[str, Any]) -> None:
    """Write a fold's model.ckpt: what `load_model` needs and nothing else."""
    with replacing(folder / "model.ckpt") as temporary:
        torch.save({"config": config, "weights": model.state_dict()}, temporary)


def load_model(folder: Path) -> Model:
    """The trained model of a fold, from model.ckpt alone; loading runs no code from the file.

    Raises DataError when the file is not a whole checkpoint, or of a model that this version builds otherwise,
    ConfigError when it is of none that a config may name.
    """
    path = folder / "model.ckpt"
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        node, weights = checkpoint["config"]["model"], checkpoint["weights"]
    except Exception as error:
        raise DataError(f"{path}: not a checkpoint of hms ({first_line(error)})") from None
    try:
        model: Model = build(without_pretrained(node), allowed=OURS)  # whoever wrote the file
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        wish = "want weights of the model that its config describes"
        raise DataError(f"{path}: {wish}, got others: written by another version of hms?") from None
    return model.eval()


def without_pretrained(node: Any) -> Any:
    """A copy of a config that looks for no pretrained weights: they would be overwritten, or are not wanted."""
    if isinstance(node, dict):
        return {key: False if key == "pretrained" else without_pretrained(value) for key, value in node.items()}
    return node
