"""Names and the contents of files stay text: whatever they are, a page has the same elements, and data that parses."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest

from hms.labels import CLASSES, VOTE_COLUMNS
from hms.recording.source import Annotation
from hms.report.page import page as report
from hms.report.subject import Subject
from hms.scoring.scores import predictions
from hms.timeline.page import page as timeline_page
from hms.timeline.timeline import Timeline

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></style></textarea><!--<script>",
    "]]><svg onload=alert(1)>",
    "\" onmouseover=\"alert(1)\" x=\"",
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% raw %}{# ${7*7}",
    "javascript:alert(1)",
    "<a href=\"javascript:alert(1)\">x</a>",
    "&lt;script&gt;&#x3c;b>&quot;",
    "\u202egnp.exe\u2066\u200f",
    "\u2028\u2029\x00\x1b[31m\\u003cb\\",
    "%{x}<extra>" + "a" * 300,
]  # fmt: skip


class Outline(HTMLParser):
    """The elements of a page with the names of their attributes, their links, and the embedded data."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.data: list[Any] = []
        self.text = ""
        self._is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "content")]
        self._is_data = ("type", "application/json") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data.append(json.loads(data))
        elif self.cdata_elem is None:
            self.text += data


@cache
def of_run(word: str) -> str:
    """A page about an ensemble whose every name is `word`."""
    rows = pl.DataFrame({name: range(1, 9) for name in ("label_id", "eeg_id", "patient_id", *VOTE_COLUMNS)})
    table = predictions(rows, 0, np.full((8, len(CLASSES)), 1 / 6)).with_columns(predicted_by=pl.lit(word))
    square = [[0.0, 0.1], [0.1, 0.0]]
    held = {
        "members": [word, f"runs/{word}"],
        "weights": [0.7, 0.3],
        "kl": {"members": [1.1, 1.3], "mean": 1.0, "nested": 0.9},
        "interval": {"members": [[1.0, 1.2], [1.2, 1.4]], "mean": [0.9, 1.1], "nested": [0.8, 1.0]},
        "diversity": {"js": square, "loss_correlation": square},
        "weights_se": [0.1, 0.1],
        "folds": 2,
        "prior_effect": None,
    }
    about = {"extractors": word, "trained on": word, word: word}
    with TemporaryDirectory() as folder:
        fold = Path(folder)
        (fold / "metrics.csv").write_text("epoch,train_loss,val_kl\n0,2,1.5\n1,1,1.2\n")
        return report(Subject(word, fold, word, about, table, [fold], None, None, word, held, [word]), 2, "cpu")


def of_recording(word: str) -> str:
    shares = {name: [1 / 6] * 4 for name in CLASSES}
    table = pl.DataFrame({"onset_s": [0.0, 10.0, 20.0, 30.0], "duration_s": [10.0] * 4, **shares})
    power = np.full((4, 20, 100), 1.0, np.float32)
    notes = [word, f"Interpolated: {word}."]
    noted = [Annotation(1.0, 2.0, word)]
    made_by = {"models": [], "predicted_by": word, "unit": word}
    shown = Timeline(Path(word), None, 40.0, 256.0, table, power, 0.1, (word,), notes, noted, made_by, float)
    return timeline_page(shown, [])


@pytest.mark.parametrize("made", [of_run, of_recording])
def test_hostile_words_anywhere_stay_text(made: Any):
    plain = Outline(made("plain"))
    assert "plain" in plain.text
    assert len(plain.data) >= 1
    for word in HOSTILE:
        page = made(word)
        found = Outline(page)
        assert found.elements == plain.elements, word
        assert found.links == plain.links, word
        assert len(found.data) == len(plain.data)
        assert not any(name.startswith("on") for _, names in found.elements for name in names)
        shown = word.replace("\x00", "\ufffd")
        assert shown in found.text or word in found.text or "/" in word, word
        page.encode()


def test_a_chart_reads_no_tags_in_names():
    for word in HOSTILE:
        for text in texts(Outline(of_run(word)).data):
            rest = re.sub(r"</?(b|br|extra|span( style='color:#[0-9a-f]+')?)>", "", text)  # without our own tags
            assert "<" not in rest, (word, text)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []
