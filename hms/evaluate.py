"""`python -m hms.evaluate`: score a trained run, the mean of several, or an ensemble on any labelled folder."""

from typing import Any

from hms.config.command import entry_point
from hms.config.keys import Corpus
from hms.prediction.keys import Predicting, neither_or_both


class Evaluate(Corpus, Predicting):
    """The keys of conf/evaluate.yaml; their values live there."""

    runs: str | list[str] | None
    out: str | None
    min_votes: int
    seed: int
    draws: int


@entry_point("evaluate", Evaluate, positional="runs", mistakes_in_values=neither_or_both)
def main(config: dict[str, Any]) -> float:
    """Score the runs; return their KL."""
    from hms.prediction.evaluation import evaluate  # slow to import; a mistake in the config should not wait for it

    kl: float = evaluate(config)["kl"]
    return kl


if __name__ == "__main__":
    main()
