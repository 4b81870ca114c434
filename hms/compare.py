"""`python -m hms.compare runs/*`: the differences between runs, and their scores, best first.

Two runs are compared by their out-of-fold predictions for the same rows, on the same draws of a bootstrap over
patients: the interval says how large the difference might be with other patients, for all pairs of runs at once. Runs
validated on different rows are ranked by the rows they share; those that share none, such as runs on different corpora,
are not ranked. A folder that `hms.evaluate` wrote is compared as a run is: a model before fine-tuning with the folds of
the run that began with it.
"""

from pathlib import Path
from typing import Any, TypedDict

from hms.config.command import entry_point


class Compare(TypedDict):
    """The keys of conf/compare.yaml; their values live there."""

    runs: list[str]
    csv: str | None
    seed: int
    draws: int


@entry_point("compare", Compare, positional="runs")
def main(config: dict[str, Any]) -> None:
    """Compare the runs that match the patterns."""
    from hms.results.comparison import compare  # slow to import; a mistake in the config should not wait for it
    from hms.results.table import print_results, write_csv
    from hms.runs.named import scored_runs

    results = compare(scored_runs(config["runs"], or_evaluations=True), config["draws"], config["seed"])
    print_results(results)
    if config["csv"] is not None:
        write_csv(results, Path(config["csv"]))


if __name__ == "__main__":
    main()
