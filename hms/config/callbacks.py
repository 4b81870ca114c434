"""Which callbacks of Lightning's a training can have, found out before Lightning is imported."""

from collections.abc import Iterator
from typing import Any

from hms.errors import did_you_mean

_SAVED = "hms saves every epoch to resume from, and keeps the last: the best one would flatter the score"
_SHOWN = "hms shows its own progress"
_UNSUITABLE = {
    "ModelCheckpoint": _SAVED,
    "OnExceptionCheckpoint": _SAVED,
    "TQDMProgressBar": _SHOWN,
    "RichProgressBar": _SHOWN,
    "StochasticWeightAveraging": "it trains for an epoch more, by a schedule of its own; want averaging=swa",
    "LearningRateFinder": "it trains before the training; sweep optimizer.lr instead",
    "BatchSizeFinder": "it trains before the training; show=true estimates the memory of a batch_size",
    "BackboneFinetuning": "it wants a model with one `backbone`; here each extractor has its own",
    "ModelPruning": "it cannot prune weights that are channels-last",
}


def wrong_callbacks(callbacks: dict[str, Any], averaging: dict[str, Any], all_patients: bool) -> Iterator[str]:
    """Yield a line for each callback that does not fit a training, and if several average its weights."""
    classes = {name: of_lightning(node) for name, node in callbacks.items()}
    for name, kind in classes.items():
        if why := _UNSUITABLE.get(kind):
            yield f"callbacks.{name}: want no {kind}: {why}"
    named = [f"callbacks.{name}" for name, kind in classes.items() if kind.endswith("WeightAveraging")]
    if len(averages := [*averaging, *named]) > 1:  # each would take another's average for the weights to go on with
        yield f"averaging: want one, got {', '.join(averages)}"
    yield from _wrong_monitors(callbacks, all_patients)


def of_lightning(node: Any) -> str:
    """The name of the class of a callback or a logger if it is one of Lightning's, else nothing."""
    target = str(node.get("_target_")) if isinstance(node, dict) else ""
    return target.rpartition(".")[2] if target.startswith("lightning.") else ""


def _wrong_monitors(callbacks: dict[str, Any], all_patients: bool) -> Iterator[str]:
    """Yield a line for each callback of Lightning's that would wait for a metric in vain."""
    known = ["train_loss"] if all_patients else ["train_loss", "val_kl"]
    wish = "want train_loss with fold=all, which validates on none," if all_patients else "want train_loss or val_kl,"
    if all(of_lightning(node) for node in callbacks.values() if isinstance(node, dict)):  # others may log more
        for name, node in callbacks.items():
            monitor = node.get("monitor") if isinstance(node, dict) else None
            if isinstance(monitor, str) and monitor not in known:
                yield f"callbacks.{name}.monitor: {wish} got '{monitor}'{did_you_mean(monitor, known)}"
