"""Render one HTML file that contains its style and scripts, for a light and a dark colour scheme.

Jinja escapes everything that comes from files. The page's Content-Security-Policy also forbids it to load anything, and
to run any script but its own, which are listed by their hashes.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import jinja2
from markupsafe import Markup

from hms.labels import CLASSES, CONSENSUS_NAMES
from hms.page import regions
from hms.page.palette import CLASS_COLOURS, COLOURS
from hms.page.traces import ROW

SHOWN = dict(zip(CLASSES, CONSENSUS_NAMES, strict=True))


def document(package: str, template: str, libraries: Sequence[str] = (), **content: Any) -> str:
    """Render `<template>.html` of a package, which extends document.html, with `content`.

    `<template>.css` follows document.css, and `<template>.js` precedes eeg.js, which every page has; `libraries` are
    the texts of scripts to put first.
    """
    loaders = [jinja2.PackageLoader(name, ".") for name in dict.fromkeys((package, "hms.page"))]
    plain = jinja2.Environment(loader=jinja2.ChoiceLoader(loaders), undefined=jinja2.StrictUndefined)
    environment = plain.overlay(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    ramp = ", ".join(regions.gradient())
    style = "".join(plain.get_template(f"{name}.css").render(ramp=ramp) for name in ("document", template))
    scripts = [*libraries, *(plain.get_template(f"{name}.js").render() for name in (template, "eeg"))]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return environment.get_template(f"{template}.html").render(
        **content,
        style=Markup(style),
        scripts=[Markup(text) for text in scripts],
        hashes=Markup(" ".join(f"'sha256-{digest}'" for digest in hashes)),
        colours=COLOURS | CLASS_COLOURS,
        classes=CLASSES,
        shown=SHOWN,
        regions=regions.NAMES,
        ticks=regions.ticks(),
        row=ROW,
        version=version("hms"),
    )
