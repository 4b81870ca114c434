"""Find what the rows of a table of labels name: which recordings, and which ten seconds of them."""

from collections.abc import Iterator, Sequence
from os.path import commonpath
from pathlib import Path, PurePath

import polars as pl

from hms.data.tables import at_line
from hms.electrodes import SFREQ_HZ
from hms.errors import did_you_mean
from hms.labels import VOTE_COLUMNS
from hms.system.console import counted
from hms.window_lengths import CENTRE_S


def with_paths(labels: pl.DataFrame, paths: Sequence[Path]) -> tuple[pl.DataFrame, list[str]]:
    """Labels with the `path` of each row's recording, null where none is meant; a line for each name that is at fault.

    A name is a file's, with or without its ending, after as many of its folders as the writer likes.
    """
    known = [(path, path.absolute().parts) for path in paths]
    found: dict[str, str | None] = {}
    problems = []
    for name, rows in labels.filter(pl.col("recording").is_not_null()).group_by("recording", maintain_order=True):
        meant = [path for path, parts in known if _is_end_of(PurePath(name[0]), parts)]
        found[name[0]] = str(meant[0]) if len(meant) == 1 else None
        if len(meant) != 1:
            problems.append(at_line(rows["line"][0], "recording", _wish(name[0], meant, paths)))
    path = pl.col("recording").replace_strict(found, default=None, return_dtype=pl.String)
    return labels.with_columns(path=path), problems


def _is_end_of(name: PurePath, parts: tuple[str, ...]) -> bool:
    end = parts[-len(name.parts) :] if name.parts else ()
    return name.parts in (end, (*end[:-1], PurePath(end[-1]).stem) if end else ())


def _wish(name: str, meant: list[Path], paths: Sequence[Path]) -> str:
    if meant:
        both = " and ".join(f"'{path}'" for path in meant[:2])
        return f"want one recording, got {name!r}, which is {both}: name it with its folder or ending"
    near = did_you_mean(name, [path.name for path in paths] if PurePath(name).suffix else [p.stem for p in paths])
    of = f"one of {len(paths)} recordings" if len(paths) > 1 else f"'{paths[0].stem}'"
    return f"want {of}, got {name!r}{near}"


def patient_problems(labels: pl.DataFrame) -> Iterator[str]:
    """A line for each recording of several patients."""
    by_path = labels.drop_nulls(["path", "patient_id"]).group_by("path", maintain_order=True)
    for path, rows in by_path:
        first, *others = rows.unique("patient_id", keep="first", maintain_order=True).rows(named=True)
        if others:
            wish = f"want one patient for '{path[0]}', got {first['patient_id']!r} and {others[0]['patient_id']!r}"
            yield at_line(others[0]["line"], "patient_id", wish)


def beyond_end(labels: pl.DataFrame, path: str, end_s: float) -> Iterator[str]:
    """A line if labels of the recording at `path`, which ends at `end_s`, lie after that."""
    beyond = labels.filter((pl.col("path") == path) & (pl.col("time_s") > end_s))
    if len(beyond):
        more = f" (and {counted(len(beyond) - 1, 'more row')})" if len(beyond) > 1 else ""
        wish = f"want up to {end_s:g} s, the end of '{path}', got {beyond['time_s'][0]:g}{more}"
        yield at_line(beyond["line"][0], "time_s", wish)


def added_up(labels: pl.DataFrame) -> pl.DataFrame:
    """One row for each ten seconds of a `path`, in order, with the sum of their votes.

    `onset_s` is where the ten seconds begin, at a sample; `recording` is the path within the folder of all, and serves
    as the `patient` if none is given.
    """
    paths = labels["path"].unique().to_list()
    folder = commonpath([str(Path(path).absolute().parent) for path in paths])
    short = {path: Path(path).absolute().relative_to(folder).as_posix() for path in paths}
    onset = ((pl.col("time_s") - CENTRE_S / 2) * SFREQ_HZ).round() / SFREQ_HZ
    return (
        labels.with_columns(onset_s=onset, recording=pl.col("path").replace_strict(short))
        .group_by("recording", "path", "onset_s")
        .agg(pl.col("patient_id").first().alias("patient"), pl.col(VOTE_COLUMNS).sum())
        .with_columns(pl.col("patient").fill_null(pl.col("recording")))
        .sort("recording", "onset_s")
    )
