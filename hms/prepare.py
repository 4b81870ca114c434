"""`python -m hms.prepare`: read and check a corpus once and write its store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from hms.build import build
from hms.config import entry_point
from hms.signature import Node

if TYPE_CHECKING:  # slow to import; a mistake in the config should not wait for them
    import hms.corpus
    import hms.store


class Prepare(TypedDict):
    """The keys of conf/prepare.yaml; their values live there."""

    data: Node
    stores: str
    on_bad: Literal["raise", "skip"]


def prepared(folder: "hms.corpus.Folder", stores: Path, on_bad: Literal["raise", "skip"]) -> "hms.store.Store":
    """The store of a corpus; makes the corpus and builds the store where they are not there yet."""
    from hms.console import say
    from hms.corpus import fingerprint
    from hms.store import build_store, open_store

    folder.make()
    path = stores / f"{folder.root.name}-{fingerprint(folder.root)}"
    store = open_store(path) if path.is_dir() else build_store(folder.root, path, on_bad)
    if store.left_out:
        say(f"{path} was built without the EEGs of {len(store.left_out)} bad file(s):")
        say("\n".join(store.left_out))
    return store


@entry_point("prepare", Prepare)
def main(config: dict[str, Any]) -> None:
    """Build the store unless it is there, and say what is in it."""
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    rows, eegs, patients = len(store.rows), store.rows["eeg_id"].n_unique(), store.rows["patient_id"].n_unique()
    hours = len(store.eeg) / 200 / 3600
    print(f"{folder.root}: {rows:,} rows, {eegs:,} EEGs, {patients:,} patients, {hours:.1f} h -> {store.path}")


if __name__ == "__main__":
    main()
