"""`python -m hms.ensemble runs/member_*`: mix the out-of-fold predictions of several models, and score the mixture."""

from collections.abc import Iterator
from typing import Any, TypedDict

from hms.config.command import entry_point
from hms.ensemble.choices import Calibrate, Mixing, PerClass, Weigh


class Ensemble(TypedDict):
    """The keys of conf/ensemble.yaml; their values live there."""

    runs: list[str]
    oof: list[str]
    labels: str | None
    out: str
    min_votes: int
    mixing: Mixing
    calibrate: Calibrate
    bias_sd: float
    weigh: Weigh
    prior: PerClass
    folds: int
    seed: int
    draws: int


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for what gives no members."""
    if not config["runs"] and not config["oof"]:
        yield "runs: want run folders, or files as oof=[...], got neither"


@entry_point("ensemble", Ensemble, positional="runs", mistakes_in_values=mistakes_in_values)
def main(config: dict[str, Any]) -> float:
    """Fit and score an ensemble; return its KL on patients it was not fitted to."""
    from hms.ensemble.fitted import fit_ensemble  # slow to import; a mistake in the config should not wait for it

    kl: float = fit_ensemble(config)["kl"]["nested"]
    return kl


if __name__ == "__main__":
    main()
