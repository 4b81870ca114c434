"""`python -m hms.train`: train one fold of one member; with `-m` a sweep of them."""

from typing import Any

from hms.config import entry_point


@entry_point("train")
def main(config: dict[str, Any]) -> float:
    """Give the fold's out-of-fold KL, which Hydra's sweepers minimise."""
    from hms.fit import fit  # torch is slow to import; a mistake in the config should not wait for it

    return fit(config)


if __name__ == "__main__":
    main()
