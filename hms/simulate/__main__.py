"""`python -m hms.simulate`: make a simulated corpus."""

from typing import Any

from hms.build import build
from hms.config import entry_point


@entry_point("simulate")
def main(config: dict[str, Any]) -> None:
    """Make the folder that `data` describes, unless it is there."""
    folder = build(config["data"])
    folder.make()
    print(folder.root)


if __name__ == "__main__":
    main()
