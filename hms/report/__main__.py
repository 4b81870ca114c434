"""`python -m hms.report`: write a self-contained HTML page about a run or an ensemble."""

from pathlib import Path
from typing import Any, TypedDict

from hms.config.command import entry_point
from hms.errors import UserError


class Report(TypedDict):
    """The keys of conf/report.yaml; their values live there."""

    run: str | None
    ensemble: str | None
    out: str | None
    windows: int
    stores: str
    accelerator: str


@entry_point("report", Report)
def main(config: dict[str, Any]) -> None:
    """Write the page and print its path."""
    from hms.prediction.inference import best_device
    from hms.report.page import page
    from hms.report.subject import subject_of_ensemble, subject_of_run
    from hms.system.atomic import (
        replacing,  # these are slow to import; a mistake in the config should not wait for them
    )

    run, ensemble, stores = config["run"], config["ensemble"], Path(config["stores"])
    if (run is None) == (ensemble is None):
        raise UserError(f"run, ensemble: want one of the two, got run={run or 'null'} ensemble={ensemble or 'null'}")
    if config["windows"] < 0:
        raise UserError(f"windows: want 0 or more, got {config['windows']}")
    device = best_device(config["accelerator"])
    subject = subject_of_run(Path(run), stores) if run else subject_of_ensemble(Path(ensemble), stores)
    out = Path(config["out"]) if config["out"] else subject.folder / "report.html"
    text = page(subject, config["windows"], device)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
