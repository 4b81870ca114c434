"""Put the page together: one HTML file with charts, drawings, style and script inside.

Whatever comes from files (names of runs, members and columns) is escaped by Jinja. The page also forbids itself, by
its Content-Security-Policy, to load anything and to run any script but its own two, which it names by their hashes.
"""

import base64
import hashlib
import json
from importlib.metadata import version
from typing import Any

import jinja2
import plotly.graph_objects as go
import polars as pl
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from hms.labels import CLASSES, CONSENSUS_NAMES
from hms.report import figures, head, regions, summary
from hms.report.members import members_of, scores, weights
from hms.report.palette import CLASS_COLOURS, COLOURS, in_the_dark
from hms.report.subject import Subject, learning_curves
from hms.report.traces import ROW
from hms.report.windows import views

SHOWN = dict(zip(CLASSES, CONSENSUS_NAMES, strict=True))
CURVES = {"val_kl": "validation KL", "train_loss": "training loss"}
"""Columns of metrics.csv that are drawn, and what they are."""


def page(subject: Subject, windows: int, device: str) -> str:
    """The page about a subject, with this many of the most wrong and as many of the most right windows."""
    rows = summary.scored(subject.table, subject.truth)
    whole = summary.headline(rows)
    parts = {
        "fold": ("By fold", summary.by_fold(rows)),
        "class": ("By the class that leads", summary.by_class(rows)),
        "votes": ("By number of votes", summary.by_votes(rows)),
    }
    calibrated = summary.reliability(rows)
    curves = learning_curves(subject.folds)
    charts = {"ruler": figures.ruler(whole)}
    top = 1.05 * max(max(one.high, one.prior) for _, groups in parts.values() for one in groups)
    charts |= {key: figures.dots(groups, whole.all, top) for key, (_, groups) in parts.items()}
    charts |= {f"reliability-{one.name}": figures.calibration(one) for one in calibrated}
    charts |= {name: figures.curves(curves, name) for name in CURVES if curves}
    members = members_of(subject.ensemble) if subject.ensemble else []
    if members:
        charts |= {"scores": scores(members), "weights": weights(members)}
    wrong, right = summary.most_wrong(rows, windows), summary.most_right(rows, windows)
    shown, decibels = views(subject, pl.concat([wrong, right]), device)
    return _filled(
        charts,
        name=subject.name,
        kind=subject.kind,
        about=subject.about,
        head=whole,
        known=whole.all.oracle is not None,
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


def _filled(charts: dict[str, go.Figure], **content: Any) -> str:
    """The template with everything that does not depend on the subject."""
    plain = jinja2.Environment(loader=jinja2.PackageLoader("hms.report", "."), undefined=jinja2.StrictUndefined)
    environment = plain.overlay(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    style = plain.get_template("page.css").render(ramp=", ".join(regions.gradient()))
    scripts = {"plotly": get_plotlyjs(), "script": plain.get_template("page.js").render()}
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts.values()]
    return environment.get_template("page.html").render(
        **content,
        **{name: Markup(text) for name, text in scripts.items()},
        style=Markup(style),
        hashes=Markup(" ".join(f"'sha256-{one}'" for one in hashes)),
        figures={name: json.loads(figure.to_json()) for name, figure in charts.items()},
        dark=in_the_dark(),
        colours=COLOURS | CLASS_COLOURS,
        classes=CLASSES,
        shown=SHOWN,
        regions=regions.NAMES,
        ticks=regions.ticks(),
        electrodes=list(head.DOTS.values()),
        row=ROW,
        version=version("hms"),
    )
