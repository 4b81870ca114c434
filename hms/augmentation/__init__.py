"""Random changes to whole training batches, on the batch's device: a module for each, and a YAML of the same name.

`mixing` and `spectrum` hold the code that several of them share.
"""

from typing import Any, Literal, Protocol, runtime_checkable

from hms.errors import UserError


@runtime_checkable
class Augmentation(Protocol):
    """A random change to a batch: to raw electrodes before preprocessing, or to the signals after it.

    One that changes the images of the ten-minute spectrogram alone says so by `images_only = True`, one that changes
    the EEG alone by `eeg_only = True`.
    """

    acts_on: Literal["electrodes", "signals"]

    def __call__(self, batch: Any) -> Any:
        """A changed copy of a Batch (`electrodes`) or Signals (`signals`)."""


def want_applicable(augmentations: dict[str, Any]) -> None:
    """Raise UserError for an augmentation that would never be applied, because it does not say to what."""
    for name, augmentation in augmentations.items():
        if (acts_on := getattr(augmentation, "acts_on", None)) not in ("electrodes", "signals"):
            raise UserError(f"augmentation.{name}: want acts_on = 'electrodes' or 'signals', got {acts_on!r}")
