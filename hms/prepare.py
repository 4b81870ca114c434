"""`python -m hms.prepare`: read and check a corpus, and write its store."""

from pathlib import Path
from typing import Any

from hms.config.build import build
from hms.config.command import entry_point
from hms.config.keys import Corpus
from hms.system.console import counted, say
from hms.system.shards import Sharded, no_such_shard, shard_of


class Prepare(Corpus, Sharded):
    """The keys of conf/prepare.yaml; their values live there."""


@entry_point("prepare", Prepare, mistakes_in_values=no_such_shard)
def main(config: dict[str, Any]) -> None:
    """Build the store unless it exists, and print what it holds."""
    from hms.data.identity import identify, unnamed_eegs
    from hms.data.store import build_shard, path_of, prepare_store  # slow to import; mistakes should surface first
    from hms.electrodes import SFREQ_HZ

    shard, folder, stores = shard_of(config), build(config["data"]), Path(config["stores"])
    if shard.of > 1:
        folder.make()
        if not build_shard(folder.root, path_of(folder, stores, identify(folder.root)), config["on_bad"], shard):
            return
    store = prepare_store(folder, stores, config["on_bad"])
    if not (folder.root / "train_spectrograms").is_dir():
        say(f"{folder.root}: has no train_spectrograms: spectrograms are computed from the EEG, as far as it reaches")
    rows, eegs, patients = len(store.rows), store.rows["eeg_id"].n_unique(), store.rows["patient_id"].n_unique()
    hours = len(store.eeg) / SFREQ_HZ / 3600
    constant, missing = counted(store.flaws.constant, "row"), counted(store.flaws.missing, "row")
    unnamed = counted(unnamed_eegs(folder.root), "EEG file")
    print(
        f"{constant} with a constant scalp channel, {missing} with over a tenth of the samples missing, "
        f"{unnamed} that no row names"
    )
    print(f"{folder.root}: {rows:,} rows, {eegs:,} EEGs, {patients:,} patients, {hours:.1f} h -> {store.path}")


if __name__ == "__main__":
    main()
