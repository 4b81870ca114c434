"""`python -m hms.train`: train one fold of a run, or with `-m` a sweep of them."""

from typing import Any, Literal

from hms.config.command import entry_point
from hms.config.keys import Corpus, Node
from hms.training.rules import Pretrain, mistakes_in_values


class Train(Corpus):
    """The keys of conf/train.yaml; their values live there."""

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
    show: bool
    compile: bool


def compare_all(jobs: list[tuple[list[str], dict[str, Any]]]) -> None:
    """Print the scores of a sweep's runs, unless its jobs only show parts."""
    if not any(config["show"] for _, config in jobs):
        from hms.results.sweep import print_sweep  # slow to import; mistakes in the config should surface first

        print_sweep(jobs)


@entry_point("train", Train, mistakes_in_values=mistakes_in_values, after_sweep=compare_all)
def main(config: dict[str, Any]) -> float | None:
    """Train the fold; return its out-of-fold KL, which Hydra's sweepers minimise."""
    if config["show"]:
        from hms.model_summary import print_summary  # slow to import; mistakes in the config should surface first
        from hms.training.parts import want_buildable

        want_buildable(config)
        print_summary(config["model"], config["batch_size"], config["trainer"])
        return None
    from hms.training.fit import fit

    return fit(config)


if __name__ == "__main__":
    main()
