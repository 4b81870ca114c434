"""Keep a corpus as memory-mapped float16 samples instead of thousands of parquet files: a batch is one gather.

Layout of the folder:

    eeg.f16            samples x 20 channels, µV, all EEGs one after another
    spectrogram.f16    rows x 4 regions x 100 frequencies, µV²/Hz
    rows.parquet       train.csv plus `eeg_start`, `spectrogram_start`: where each row's windows begin in the two files
    store.json         format, fingerprint of the corpus, shapes, which files and channels were left out, flaws;
                       written last
"""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float16

from hms.data.corpus import BadFile, CompetitionFolder, Folder, bad_file_table, eeg_files
from hms.data.flaws import Flaws
from hms.data.identity import Identity, fingerprint, identify
from hms.data.tables import read_labels
from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.errors import DataError, first_line
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS, STEP_S
from hms.system.atomic import locked, scratch_folder
from hms.system.console import counted, say, track
from hms.system.shards import Shard, make_shard

FORMAT = 4
_SKIPPING = "leaves their EEGs out, or only the channels without samples"


class Store(NamedTuple):
    """An open store; the arrays are read-only memory maps."""

    path: Path
    fingerprint: str
    rows: pl.DataFrame
    """Columns of train.csv, then `line`, `eeg_start`, `spectrogram_start`."""
    eeg: Float16[np.ndarray, "time electrode"]
    spectrogram: Float16[np.ndarray, "row region frequency"]
    left_out: list[str]
    """The problem of each bad file whose EEGs were left out."""
    lacking: list[str]
    """The problem of each EEG file with scalp channels without a single sample; it is kept without these."""
    flaws: Flaws
    """How many rows have each flaw."""


def prepare_store(folder: Folder, stores: str | Path, on_bad: Literal["raise", "skip"]) -> Store:
    """The store of a corpus in `stores`; creates the corpus and builds the store unless they exist."""
    folder.make()
    identity = identify(folder.root)
    path = path_of(folder, stores, identity)
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, f"preparing {path}"):
            if not path.is_dir():
                build_store(folder.root, path, on_bad)
    store = open_store(path)
    if isinstance(folder, CompetitionFolder) and identity.changed_since(path / "store.json"):
        say(f"{folder.root} has files newer than {path}: if their content changed, delete that folder")
    if on_bad == "raise" and (problems := [*store.left_out, *store.lacking]):
        then = f"{_SKIPPING}; read when {path} was built: if they were mended since, delete it"
        raise DataError(bad_file_table(folder.root, problems, then))
    if store.left_out:
        say(f"{path} was built without the EEGs of {counted(len(store.left_out), 'bad file')}:")
        say("\n".join(store.left_out))
    if store.lacking:
        say(f"{path} was built without channels of {counted(len(store.lacking), 'EEG file')}:")
        say("\n".join(store.lacking))
    return store


def path_of(folder: Folder, stores: str | Path, identity: Identity) -> Path:
    """Where the store of a corpus is, or will be."""
    return Path(stores) / f"{folder.root.resolve().name}-{identity.fingerprint}"


def open_store(path: Path) -> Store:
    """Map a store into memory. Raises DataError if the folder holds no complete store of this format."""
    try:
        about = json.loads((path / "store.json").read_text())
        if about["format"] != FORMAT:
            raise ValueError(f"another version made it: want format {FORMAT}, got {about['format']}")
        eeg = np.memmap(path / "eeg.f16", np.float16, "r", shape=(about["samples"], len(ELECTRODES)))
        shape = (about["spectrogram_rows"], len(REGIONS), len(FREQUENCIES_HZ))
        spectrogram = np.memmap(path / "spectrogram.f16", np.float16, "r", shape=shape)
        rows = pl.read_parquet(path / "rows.parquet", glob=False)
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a complete store ({first_line(error)}); delete it and prepare again") from None
    left_out, lacking, flaws = about["left_out"], about["lacking"], Flaws(**about["flaws"])
    return Store(path, about["fingerprint"], rows, eeg, spectrogram, left_out=left_out, lacking=lacking, flaws=flaws)


def build_store(root: Path, path: Path, on_bad: Literal["raise", "skip"] = "raise") -> Store:
    """Read and check the corpus at `root` in one pass and publish its store at `path`.

    Raises DataError with a line for every bad file, and leaves nothing behind; with `on_bad="skip"` it leaves out the
    EEGs of bad files instead, but keeps those that only lack channels, NaN there, as in predictions.
    """
    identity = fingerprint(root)
    labels = read_labels(root / "train.csv")
    with scratch_folder(path) as temporary:
        written = _write_signals(root, labels, temporary, on_bad)
        _write_rows(root, labels, written, identity, temporary)
        os.replace(temporary, path)
    return open_store(path)


def build_shard(root: Path, path: Path, on_bad: Literal["raise", "skip"], shard: Shard) -> bool:
    """Build one shard of a store; the last one merges them at `path`. Returns whether the store is complete.

    Raises DataError as `build_store` does, for the files of this shard.
    """
    if path.is_dir():
        for part in path.parent.glob(f".{path.name}.*of{shard.of}"):  # left by a merge that was killed
            shutil.rmtree(part, ignore_errors=True)
        return True
    identity, labels = fingerprint(root), read_labels(root / "train.csv")
    rows = labels.filter(
        pl.col("spectrogram_id").is_in(shard.part(labels["spectrogram_id"].unique(maintain_order=True).to_list()))
    )

    def make(into: Path) -> None:
        written = _write_signals(root, rows, into, on_bad)
        written.lengths.write_parquet(into / "lengths.parquet")
        (into / "bad.json").write_text(json.dumps([written.left_out, written.lacking]))

    def merge(parts: list[Path]) -> None:
        with locked(path, f"preparing {path}"), scratch_folder(path) as store:
            for name in ("eeg.f16", "spectrogram.f16"):
                with (store / name).open("wb") as whole:
                    for part in parts:
                        with (part / name).open("rb") as file:
                            shutil.copyfileobj(file, whole, 2**24)
            lengths = pl.concat(pl.read_parquet(part / "lengths.parquet", glob=False) for part in parts)
            bad = zip(*(json.loads((part / "bad.json").read_text()) for part in parts), strict=True)
            left_out, lacking = ([*dict.fromkeys(itertools.chain(*problems))] for problems in bad)
            _write_rows(root, labels, _Written(lengths, left_out, lacking), identity, store)
            os.replace(store, path)

    return make_shard(shard, path, path.is_dir, make, merge)


class _Written(NamedTuple):
    """What the written samples are of: lengths and flaws of each EEG, and the problems of a `Store`."""

    lengths: pl.DataFrame
    left_out: list[str]
    lacking: list[str]


def _write_signals(root: Path, labels: pl.DataFrame, into: Path, on_bad: Literal["raise", "skip"]) -> _Written:
    """Write the samples of all usable EEG files."""
    lengths: list[tuple[int, ...]] = []
    bad: dict[str, None] = {}  # an ordered set: a bad spectrogram file is reported once per EEG
    lacking: list[str] = []
    files = eeg_files(root, labels, "train")
    with open(into / "eeg.f16", "wb") as eeg, open(into / "spectrogram.f16", "wb") as spectrogram:
        for found in track(files, labels["eeg_id"].n_unique(), f"prepare {root.name}"):
            if isinstance(found, BadFile):
                bad[found.problem] = None
                continue
            if found.lacking:
                lacking.append(found.lacking)
            first_row = int(found.spectrogram_start_s) // STEP_S
            lengths.append((found.eeg_id, len(found.eeg), len(found.spectrogram), first_row, *found.flaws))
            eeg.write(np.ascontiguousarray(found.eeg).data)
            spectrogram.write(np.ascontiguousarray(found.spectrogram).data)
    if on_bad == "raise":
        _want_none(root, [*bad], lacking)
    names = ("eeg_id", "samples", "spectrogram_rows", "first_row", *Flaws._fields)
    return _Written(pl.DataFrame(lengths, dict.fromkeys(names, pl.Int64), orient="row"), [*bad], lacking)


def _want_none(root: Path, left_out: list[str], lacking: list[str]) -> None:
    if problems := [*left_out, *lacking]:
        raise DataError(bad_file_table(root, problems, _SKIPPING))


def _write_rows(root: Path, labels: pl.DataFrame, written: _Written, identity: str, into: Path) -> None:
    """Write rows.parquet and store.json. Raises DataError if no EEG is left."""
    lengths = written.lengths
    if lengths.is_empty():
        raise DataError(bad_file_table(root, written.left_out, "leaves their EEGs out, and then none is left"))
    where = lengths.select(
        "eeg_id",
        eeg_start=pl.col("samples").cum_sum() - pl.col("samples"),
        spectrogram_start=pl.col("spectrogram_rows").cum_sum() - pl.col("spectrogram_rows") - pl.col("first_row"),
    )
    # Without spectrogram files each EEG has its own spectrogram, on the EEG's clock.
    offset = "spectrogram" if (root / "train_spectrograms").is_dir() else "eeg"
    rows = labels.join(where, on="eeg_id", how="inner", maintain_order="left").with_columns(
        pl.col("eeg_start") + (pl.col("eeg_label_offset_seconds") * SFREQ_HZ).round().cast(pl.Int64),
        pl.col("spectrogram_start") + (pl.col(f"{offset}_label_offset_seconds") // STEP_S).cast(pl.Int64),
    )
    rows.write_parquet(into / "rows.parquet")
    about: dict[str, object] = {name: int(lengths[name].sum()) for name in ("samples", "spectrogram_rows")}
    about |= {"format": FORMAT, "fingerprint": identity, "folder": root.name}
    about |= {"left_out": written.left_out, "lacking": written.lacking}
    about["flaws"] = {name: int(lengths[name].sum()) for name in Flaws._fields}
    (into / "store.json").write_text(json.dumps(about, indent=1))
