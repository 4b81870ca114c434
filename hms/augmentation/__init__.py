"""Random changes to whole training batches, on the batch's device: a module for each, and a YAML of the same name.

`mixing` and `spectrum` hold the code that several of them share.
"""


def want_probability(**options: float) -> None:
    """Raise ValueError for an option that is not a probability."""
    for name, p in options.items():
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: want a probability, got {p}")
