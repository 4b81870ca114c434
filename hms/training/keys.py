"""The config keys of `hms.train`, which the command checks, and `fit` when it is called from Python."""

from typing import Any, Literal, NotRequired, TypedDict

from hms.config.keys import Corpus, Node


class Pretrain(TypedDict, total=False):
    """The keys of a first stage; if empty, there is none."""

    subset: Node
    weighting: Node
    epochs: int
    optimizer: Node
    schedule: Node


class Train(Corpus):
    """The keys of conf/train.yaml, where their values live, and `choices`, by which a run is described."""

    live: dict[str, Node]
    subset: Node
    montage: Node
    preprocess: Node
    backbone: dict[str, Any]
    extractor: dict[str, Node]
    fusion: Node
    augmentation: dict[str, Node]
    trainer: Node
    logger: dict[str, Node]
    name: str | None
    runs: str
    folds: int
    folds_from: str | None
    fold: int | Literal["all"]
    seed: int
    epochs: int
    batch_size: int
    measure_norms: bool
    flips: bool
    model: Node
    loss: Node
    optimizer: Node
    weighting: Node
    schedule: Node
    pretrain: Pretrain
    averaging: dict[str, Node]
    callbacks: dict[str, Node]
    start_from: str | None
    lr_scale: dict[str, float | dict[str, Any]]
    show: bool
    compile: bool
    choices: NotRequired[dict[str, str]]
    """The option chosen from each group; added to what Hydra composes, so that no command line sets it."""
