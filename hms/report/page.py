"""Assemble the page about a run or an ensemble."""

import json

import polars as pl
from plotly.offline import get_plotlyjs

from hms.page import head
from hms.page.document import document
from hms.page.palette import dark_colours
from hms.report import figures, summary
from hms.report.members import members_of, scores, weights
from hms.report.subject import Subject, learning_curves
from hms.report.windows import drawn_windows
from hms.scoring.scores import scored

CURVES = {"val_kl": "Validation KL", "train_loss": "Training loss"}
"""Columns of metrics.csv to draw, and their titles."""


def page(subject: Subject, windows: int, device: str) -> str:
    """The page about a subject, with the `windows` most wrong and as many of the most right ones."""
    rows = scored(subject.table, subject.truth)
    whole = summary.headline(rows)
    # An ensemble's folds are those of hms.ensemble.nested, in which no member was trained.
    fold_name = "patient group" if subject.ensemble else "fold"
    parts = {
        "fold": (f"By {fold_name}", summary.by_fold(rows, fold_name)),
        "class": ("By leading class", summary.by_class(rows)),
        "votes": ("By number of votes", summary.by_votes(rows)),
    }
    reliability = summary.reliability(rows)
    curves = learning_curves(subject.folds)
    charts = {"ruler": figures.ruler(whole)}
    every_group = [group for _, groups in parts.values() for group in groups]
    top = 1.05 * max(max(group.prior, group.kl, *(group.interval or ())) for group in every_group)
    charts |= {key: figures.dots(groups, whole.all, top) for key, (_, groups) in parts.items()}
    charts |= {f"reliability-{bins.name}": figures.calibration(bins) for bins in reliability}
    charts |= {name: figures.curves(curves, name) for name in CURVES if curves}
    members = members_of(subject.ensemble) if subject.ensemble else []
    if members:
        charts |= {"scores": scores(members), "weights": weights(members)}
    wrong = summary.most_wrong(rows, windows)
    right = summary.most_right(rows, windows, wrong)
    drawn, spectrogram_range = drawn_windows(subject, pl.concat([wrong, right]), device)
    return document(
        "hms.report",
        "page",
        [get_plotlyjs()],
        figures={name: json.loads(figure.to_json()) for name, figure in charts.items()},
        dark=dark_colours(),
        electrodes=list(head.DOTS.values()),
        name=subject.name,
        kind=subject.kind,
        about=subject.about,
        head=whole,
        known=whole.all.oracle is not None,
        several_seeds=len(rows) < len(subject.table),
        members=members,
        ensemble=subject.ensemble,
        fold_name=fold_name,
        parts=[(key, title, groups) for key, (title, groups) in parts.items()],
        reliability=reliability,
        least_rows=summary.LEAST_ROWS,
        confusion=summary.confusion(rows),
        soft_confusion=summary.soft_confusion(rows),
        curves=CURVES if curves else {},
        missing=subject.missing,
        notes=subject.notes,
        windows=[(window, *_rank(i, len(wrong))) for i, window in enumerate(drawn)],
        spectrogram_range=spectrogram_range,
    )


def _rank(place: int, wrong: int) -> tuple[str, str]:
    return ("wrong", f"Most wrong {place + 1}") if place < wrong else ("right", f"Most right {place - wrong + 1}")
