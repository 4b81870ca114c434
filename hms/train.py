"""`python -m hms.train`: train one fold of a run, or with `-m` a sweep of them."""

from typing import Any

from hms.config.command import entry_point
from hms.config.failures import SweptJob, print_failed
from hms.training.keys import Train
from hms.training.rules import mistakes_in_values


def lacking(config: dict[str, Any]) -> list[str]:
    """What the training of a config needs and this machine lacks."""
    from hms.training.lacking import lacking as lacking_here  # slow to import; mistakes should surface first

    return lacking_here(config)


def compare_all(jobs: list[SweptJob]) -> None:
    """Print the scores of a sweep's runs, unless its jobs only show parts, and which jobs did not finish."""
    if any(job.config["show"] for job in jobs):
        print_failed(jobs)
    else:
        from hms.results.sweep import print_sweep  # slow to import; mistakes in the config should surface first

        print_sweep(jobs)


@entry_point("train", Train, mistakes_in_values=mistakes_in_values, lacking=lacking, after_sweep=compare_all)
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
