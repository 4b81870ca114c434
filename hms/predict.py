"""`python -m hms.predict`: make a submission for the test part of a folder, or a timeline of any recording.

A model predicts, or the mean of several, or an ensemble. No training data, network or account is needed: model.ckpt
and scores.json of each fold are enough.
"""

from collections.abc import Iterator
from typing import Any, Literal

from hms.config.command import entry_point
from hms.config.keys import Node
from hms.prediction.keys import COMBINATION_KEYS, Predicting, neither_or_both
from hms.recording.keys import Reading, no_such_electrodes
from hms.system.shards import Sharded, no_such_shard, shard_of


class Predict(Sharded, Predicting, Reading):
    """The keys of conf/predict.yaml; their values live there."""

    runs: str | list[str] | None
    data: Node
    recording: str | list[str] | None
    out: str | None
    on_bad: Literal["raise", "skip"]
    step_s: float
    threshold: float
    windows: int
    edf: bool


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that conflicts with another, and for a channel that measures nothing known."""
    yield from neither_or_both(config)
    yield from no_such_shard(config)
    yield from no_such_electrodes(config)


@entry_point("predict", Predict, positional="runs", mistakes_in_values=mistakes_in_values)
def main(config: dict[str, Any]) -> None:
    """Predict the recordings that `config["recording"]` names, or else every EEG of test.csv."""
    from hms.prediction.inference import Compute, best_device  # slow to import; mistakes in the config surface first
    from hms.prediction.predictors import read_predictors
    from hms.timeline.options import TimelineOptions

    options = TimelineOptions(*(config[key] for key in TimelineOptions._fields)).checked()
    shard = shard_of(config)
    predictors = read_predictors(config["runs"], **{key: config[key] for key in COMBINATION_KEYS})
    compute = Compute(best_device(config["accelerator"]), config["flips"], config["precision"])
    if config["recording"] is None:
        from hms.prediction.submit import submit

        submit(config | {"channels": options.channels}, predictors, compute, shard)
    else:
        from hms.timeline.recordings import timelines  # needs libraries that Kaggle's image lacks

        timelines(config, predictors, options, compute, shard)


if __name__ == "__main__":
    main()
