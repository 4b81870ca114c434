"""`python -m hms.collect`: make a corpus in the competition's layout from your own recordings and their labels.

`hms.evaluate`, `hms.train` and all else then take it as `data=competition data.root=<out>`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hms.config.command import entry_point
from hms.errors import UserError
from hms.recording.keys import Reading, no_such_electrodes


class Collect(Reading):
    """The keys of conf/collect.yaml; their values live there."""

    recording: str | list[str]
    labels: str | None
    terms: dict[str, str] | None
    patients: str | None
    out: str
    on_bad: Literal["raise", "skip"]


def _wrong_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each mistake in `channels` and `terms`."""
    yield from no_such_electrodes(config)
    terms = config["terms"] or {}
    if terms and all(isinstance(name, str) for name in terms.values()):
        from hms.collected.own_terms import Terms  # imports NumPy; other mistakes should not wait for it

        try:
            Terms(terms)
        except UserError as error:
            yield from str(error).split("\n")


@entry_point("collect", Collect, positional="recording", mistakes_in_values=_wrong_values)
def main(config: dict[str, Any]) -> None:
    """Make the corpus unless it is there, and say what it holds and what to do with it."""
    from hms.collected.corpus import collect  # slow to import; mistakes in the config should surface first
    from hms.collected.own_terms import Terms
    from hms.collected.summary import summary
    from hms.recording.options import ReadingOptions

    out = Path(config["out"])
    reading = ReadingOptions(unit=config["unit"], channels=config["channels"])
    labels, patients = (Path(config[key]) if config[key] else None for key in ("labels", "patients"))
    collect(config["recording"], labels, patients, out, reading, Terms(config["terms"]), config["on_bad"])
    print("\n".join(summary(out)))


if __name__ == "__main__":
    main()
