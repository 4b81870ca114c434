"""`python -m hms.simulate`: make a simulated corpus."""

from typing import Any, TypedDict

from hms.build import build
from hms.config import entry_point
from hms.signature import Node


class Simulate(TypedDict):
    """The keys of conf/simulate.yaml; their values live there."""

    data: Node


@entry_point("simulate", Simulate)
def main(config: dict[str, Any]) -> None:
    """Make the folder that `data` describes, unless it is there."""
    folder = build(config["data"])
    folder.make()
    print(folder.root)


if __name__ == "__main__":
    main()
