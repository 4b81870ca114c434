"""What a training needs and this machine lacks, as far as that is known before a model is built or a corpus read."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import torch

from hms.backbone import TimmBackbone
from hms.config.build import build, is_of
from hms.data.corpus import CompetitionFolder
from hms.data.identity import fingerprint
from hms.errors import DataError, UserError
from hms.network.timm_network import want_weights
from hms.run_folders import is_finished
from hms.runs.folder import fold_folder
from hms.runs.settings import files_read, nodes


def lacking(config: dict[str, Any]) -> list[str]:
    """A line each for the GPU, the corpus and the pretrained weights of a training, if missing.

    A finished fold needs none of them but its corpus, and `show=true` nothing.
    """
    if config["show"]:
        return []
    found = [*_corpus(config), *filter(None, [gpu_lacking(config["trainer"])]), *_weights(config)]
    return [] if found and _is_finished(config) else found


def gpu_lacking(node: dict[str, Any]) -> str | None:
    """What the trainer that `node` describes wants of a GPU that this machine, or its accelerator, is without."""
    accelerator, has_gpu = node.get("accelerator", "auto"), torch.accelerator.is_available()
    if str(node.get("precision")) in ("16-mixed", "16") and (
        accelerator == "cpu" or (accelerator == "auto" and not has_gpu)
    ):  # Lightning would take bf16
        elsewhere = "" if accelerator == "cpu" else "; for a machine with a GPU add trainer=gpu, also to show=true here"
        return f"trainer.precision: want 32-true or bf16-mixed on a CPU, got 16-mixed{elsewhere}"
    if accelerator in ("gpu", "cuda") and not has_gpu:
        return f"trainer.accelerator: want trainer=cpu or trainer=auto, as this machine has no GPU, got '{accelerator}'"
    return None


def _corpus(config: dict[str, Any]) -> Iterator[str]:
    folder = build(config["data"])
    if isinstance(folder, CompetitionFolder):
        try:
            folder.make()
        except DataError as error:
            yield str(error)


def _weights(config: dict[str, Any]) -> Iterator[str]:
    try:
        files_read(config)
        if not config["start_from"]:  # which replaces them
            built = [node for node in nodes(config["model"]) if "_target_" in node]
            from_hub = [node for node in built if node.get("pretrained") is True and not node.get("weights")]
            names = (node["name"] for node in from_hub if "name" in node and is_of(node, TimmBackbone))
            if line := _not_from_hub(tuple(names)):
                yield line
    except UserError as error:
        yield str(error)


@cache  # the jobs of a sweep want the same
def _not_from_hub(names: tuple[str, ...]) -> str | None:
    try:
        want_weights(names)
    except UserError as error:
        return str(error)
    return None


def _is_finished(config: dict[str, Any]) -> bool:
    with suppress(UserError):
        return is_finished(fold_folder(config, fingerprint(build(config["data"]).root)))
    return False
