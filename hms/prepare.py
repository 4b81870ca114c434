"""`python -m hms.prepare`: read and check a corpus once and write its store."""

from pathlib import Path
from typing import Any, Literal, TypedDict

from hms.build import build
from hms.config import entry_point
from hms.signature import Node


class Prepare(TypedDict):
    """The keys of conf/prepare.yaml; their values live there."""

    data: Node
    stores: str
    on_bad: Literal["raise", "skip"]


@entry_point("prepare", Prepare)
def main(config: dict[str, Any]) -> None:
    """Build the store unless it is there, and say what is in it."""
    from hms.electrodes import SFREQ_HZ
    from hms.store import prepared  # slow to import; a mistake in the config should not wait for it

    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    rows, eegs, patients = len(store.rows), store.rows["eeg_id"].n_unique(), store.rows["patient_id"].n_unique()
    hours = len(store.eeg) / SFREQ_HZ / 3600
    print(f"{folder.root}: {rows:,} rows, {eegs:,} EEGs, {patients:,} patients, {hours:.1f} h -> {store.path}")


if __name__ == "__main__":
    main()
