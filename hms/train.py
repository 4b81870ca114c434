"""`python -m hms.train`: train one fold of one member; with `-m` a sweep of them."""

from typing import Any

from hms.config import entry_point
from hms.prepare import Prepare
from hms.signature import Node


class Train(Prepare):
    """The keys of conf/train.yaml; their values live there."""

    subset: Node
    montage: Node
    preprocess: Node
    backbone: dict[str, Any]
    extractor: dict[str, Node]
    augmentation: dict[str, Node]
    trainer: Node
    logger: dict[str, Node]
    name: str | None
    runs: str
    folds: int
    fold: int
    seed: int
    epochs: int
    batch_size: int
    model: Node
    loss: Node
    optimizer: Node
    schedule: Node


@entry_point("train", Train)
def main(config: dict[str, Any]) -> float:
    """Give the fold's out-of-fold KL, which Hydra's sweepers minimise."""
    from hms.fit import fit  # torch is slow to import; a mistake in the config should not wait for it

    return fit(config)


if __name__ == "__main__":
    main()
