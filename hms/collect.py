"""`python -m hms.collect`: make a corpus in the competition's layout from your own recordings and their labels.

`hms.evaluate`, `hms.train` and all else then take it as `data=competition data.root=<out>`.
"""

from pathlib import Path
from typing import Any, Literal

from hms.config.command import entry_point
from hms.recording.keys import Reading, no_such_electrodes


class Collect(Reading):
    """The keys of conf/collect.yaml; their values live there."""

    recording: str | list[str]
    labels: str | None
    patients: str | None
    out: str
    on_bad: Literal["raise", "skip"]


@entry_point("collect", Collect, positional="recording", mistakes_in_values=no_such_electrodes)
def main(config: dict[str, Any]) -> None:
    """Make the corpus unless it is there, and say what it holds and what to do with it."""
    from hms.collected.corpus import collect  # slow to import; mistakes in the config should surface first
    from hms.collected.summary import summary
    from hms.recording.options import ReadingOptions

    out = Path(config["out"])
    reading = ReadingOptions(unit=config["unit"], channels=config["channels"])
    labels, patients = (Path(config[key]) if config[key] else None for key in ("labels", "patients"))
    collect(config["recording"], labels, patients, out, reading, config["on_bad"])
    print("\n".join(summary(out)))


if __name__ == "__main__":
    main()
