"""`python -m hms.train`: train one fold of a run, or with `-m` a sweep of them."""

from typing import Any

from hms.config.command import entry_point
from hms.training.keys import Train
from hms.training.rules import mistakes_in_values


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
