"""`python -m hms.report`: one HTML page about a run, with everything it needs inside."""

from pathlib import Path
from typing import Any, TypedDict

from hms.config import entry_point
from hms.errors import UserError


class Report(TypedDict):
    """The keys of conf/report.yaml; their values live there."""

    run: str | None
    out: str | None
    windows: int
    stores: str
    accelerator: str


@entry_point("report", Report)
def main(config: dict[str, Any]) -> None:
    """Write the page and print where it is."""
    from hms.files import replacing  # these are slow to import; a mistake in the config should not wait for them
    from hms.predict import best_device
    from hms.report.page import page
    from hms.report.subject import of_run

    device = best_device(config["accelerator"])
    subject = of_run(Path(config["run"]), Path(config["stores"]))
    out = Path(config["out"] or f"{config['run']}/report.html")
    text = page(subject, config["windows"], device)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
