"""`python -m hms.report`: write a self-contained HTML page about a run or an ensemble."""

from pathlib import Path
from typing import Any, TypedDict

from hms.config.command import entry_point
from hms.prediction.keys import neither_or_both


class Report(TypedDict):
    """The keys of conf/report.yaml; their values live there."""

    runs: str | list[str] | None
    ensemble: str | None
    out: str | None
    windows: int
    stores: str
    accelerator: str


@entry_point("report", Report, positional="runs", mistakes_in_values=neither_or_both)
def main(config: dict[str, Any]) -> None:
    """Write the page and print its path."""
    from hms.report.page import page
    from hms.report.subject import subject_of_ensemble, subject_of_run
    from hms.runs.named import one_run
    from hms.system.atomic import write_text
    from hms.system.device import best_device  # slow to import; a mistake in the config should not wait for it

    runs, ensemble, stores = config["runs"], config["ensemble"], Path(config["stores"])
    device = best_device(config["accelerator"])
    subject = subject_of_ensemble(Path(ensemble), stores) if runs is None else subject_of_run(one_run(runs), stores)
    out = Path(config["out"]) if config["out"] else subject.folder / "report.html"
    text = page(subject, config["windows"], device)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    print(out)


if __name__ == "__main__":
    main()
