"""`python -m hms.submit`: write submission.csv for the test part of a folder.

A model predicts, or the mean of several, or an ensemble. No training data, network or account is needed: model.ckpt
and scores.json of each fold are enough.
"""

from collections.abc import Iterator
from typing import Any, Literal

from hms.config.command import entry_point
from hms.config.keys import Node
from hms.prediction.keys import Predicting, neither_or_both
from hms.system.shards import Sharded, no_such_shard, shard_of


class Submit(Sharded, Predicting):
    """The keys of conf/submit.yaml; their values live there."""

    runs: str | list[str] | None
    data: Node
    out: str
    on_bad: Literal["raise", "skip"]


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that conflicts with another."""
    yield from neither_or_both(config)
    yield from no_such_shard(config)


@entry_point("submit", Submit, positional="runs", mistakes_in_values=mistakes_in_values)
def main(config: dict[str, Any]) -> None:
    """Predict every EEG of test.csv."""
    from hms.prediction.inference import compute_of  # slow to import; mistakes in the config should surface first
    from hms.prediction.predictors import predictors_of
    from hms.prediction.sharded_submission import submit

    submit(config, predictors_of(config), compute_of(config), shard_of(config))


if __name__ == "__main__":
    main()
