"""Put the page about a run or an ensemble together."""

import json

import polars as pl
from plotly.offline import get_plotlyjs

from hms.report import figures, head, summary
from hms.report.document import document
from hms.report.members import members_of, scores, weights
from hms.report.palette import in_the_dark
from hms.report.subject import Subject, learning_curves
from hms.report.windows import views
from hms.scores import scored

CURVES = {"val_kl": "validation KL", "train_loss": "training loss"}
"""Columns of metrics.csv that are drawn, and what they are."""


def page(subject: Subject, windows: int, device: str) -> str:
    """The page about a subject, with this many of the most wrong and as many of the most right windows."""
    rows = scored(subject.table, subject.truth)
    whole = summary.headline(rows)
    parts = {
        "fold": ("By fold", summary.by_fold(rows)),
        "class": ("By the class that leads", summary.by_class(rows)),
        "votes": ("By number of votes", summary.by_votes(rows)),
    }
    calibrated = summary.reliability(rows)
    curves = learning_curves(subject.folds)
    charts = {"ruler": figures.ruler(whole)}
    top = 1.05 * max(max(one.prior, one.kl, *(one.ends or ())) for _, groups in parts.values() for one in groups)
    charts |= {key: figures.dots(groups, whole.all, top) for key, (_, groups) in parts.items()}
    charts |= {f"reliability-{one.name}": figures.calibration(one) for one in calibrated}
    charts |= {name: figures.curves(curves, name) for name in CURVES if curves}
    members = members_of(subject.ensemble) if subject.ensemble else []
    if members:
        charts |= {"scores": scores(members), "weights": weights(members)}
    wrong, right = summary.most_wrong(rows, windows), summary.most_right(rows, windows)
    shown, decibels = views(subject, pl.concat([wrong, right]), device)
    return document(
        "hms.report",
        "page",
        [get_plotlyjs()],
        figures={name: json.loads(figure.to_json()) for name, figure in charts.items()},
        dark=in_the_dark(),
        electrodes=list(head.DOTS.values()),
        name=subject.name,
        kind=subject.kind,
        about=subject.about,
        head=whole,
        known=whole.all.oracle is not None,
        several_seeds=len(rows) < len(subject.table),
        members=members,
        ensemble=subject.ensemble,
        parts=[(key, title, groups) for key, (title, groups) in parts.items()],
        reliability=calibrated,
        confusion=summary.confusion(rows),
        soft_confusion=summary.soft_confusion(rows),
        curves=CURVES if curves else {},
        missing=subject.missing,
        views=[(view, *_rank(i, len(wrong))) for i, view in enumerate(shown)],
        shades=decibels,
    )


def _rank(place: int, wrong: int) -> tuple[str, str]:
    return ("wrong", f"Most wrong {place + 1}") if place < wrong else ("right", f"Most right {place - wrong + 1}")
