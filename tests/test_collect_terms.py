"""Texts that stand for a class, by the option `terms`: in annotations, which cannot be edited, and in tables."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from annotated_edf import annotated_edf
from commands import contents, hms
from guide import GUIDE, blocks

from hms.collect import main
from hms.collected.near_misses import hint, near_misses
from hms.collected.own_terms import Terms
from hms.data.tables import read_labels
from hms.errors import UserError
from hms.recording.source import Annotation

CLASSES = "Seizure, LPD, GPD, LRDA, GRDA, Other"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings with annotations as people write them; do not write to it."""
    folder = tmp_path_factory.mktemp("terms") / "ward"
    folder.mkdir()
    annotated_edf(folder / "day.edf", 1, (0, 20, "LPDs"), (20, 10, "GPD"), (40, 3, "esz"))
    annotated_edf(folder / "night.edf", 2, (10, 10, "ESz"), (30, 10, "LPDS"), (50, 10, "light off"))
    return folder


def collect(ward: Path, out: Path, *words: str, code: int = 0) -> tuple[str, str]:
    return hms("collect", f"recording={ward}", f"out={out}", *words, code=code)


def votes(corpus: Path) -> dict[str, int]:
    rows = read_labels(corpus / "train.csv")
    return {name: rows[f"{name}_vote"].sum() for name in ("seizure", "lpd", "gpd", "lrda", "grda", "other")}


def test_annotations_count_as_the_classes_that_their_texts_stand_for(ward: Path, tmp_path: Path):
    out, err = collect(ward, tmp_path / "corpus", "terms={LPDs: LPD, Esz: seizure, Light Off: Other}")
    assert "6 labels, 2 EEGs, 2 recordings, 2 patients; next:" in out
    assert votes(tmp_path / "corpus") == {"seizure": 1, "lpd": 3, "gpd": 1, "lrda": 0, "grda": 0, "other": 1}
    assert err.splitlines()[-1].startswith("1 annotation ignored, which looked like labels: 1 'esz' (too short)")


def test_what_the_hint_says_to_add_makes_labels_of_all_that_it_names(ward: Path, tmp_path: Path):
    err = collect(ward, tmp_path / "few")[1]
    (word,) = shlex.split(re.search(r"add ('terms=.*')$", err, re.MULTILINE)[1])
    assert word == "terms={LPDs: LPD, ESz: Seizure}"
    collect(ward, tmp_path / "corpus", word)
    assert votes(tmp_path / "corpus") | {"gpd": 0} == {
        **dict.fromkeys(votes(tmp_path / "corpus"), 0),
        "seizure": 1,
        "lpd": 3,
    }


@pytest.mark.parametrize(
    "text",
    [
        *("LPDs", "seizure: left", "LPD (R), F3", "GRDA+F", "LRDA?", "50% LPDs", "[GPD] = {x}", "Sz @ 3-4 Hz"),
        *("LPD  left.", "-LPD_left*", "LPDs|R", "$LPDs", "${LPDs}", "2 LPDs", "LPD/GPDs 2"),
        *("LPDs & sharp", "LPD's", "LPDs, left ä", "LPD \\\\ F3"),
    ],
)  # fmt: skip
def test_what_the_hint_says_to_add_is_what_the_command_reads(text: str):
    said = hint(near_misses([Annotation(0.0, 10.0, text), Annotation(0.0, 10.0, "Szs")], Terms(None)), Terms(None))
    (word,) = shlex.split(re.search("add ('terms=.*')$", said, re.MULTILINE)[1])
    read = main.config(word, "recording=x")["terms"]
    if any(letter in text for letter in "&'ä\\"):
        assert said.endswith(f"only in Python can terms= map {text!r}")
        assert read == {"Szs": "Seizure"}
    elif "LPD/GPD" in text:
        assert said.endswith(f"which class is meant is for you to say: {text!r} (LPD or GPD)")
    else:
        assert [*read] == [text, "Szs"]


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"LPDs": "LDP"}, [f"terms.LPDs: want {CLASSES}, got 'LDP'; did you mean 'LPD'?"]),
        ({"sz": "LPDs", "x": "noise"}, [f"terms.sz: want {CLASSES}, got 'LPDs'; did you mean 'LPD'?",
         f"terms.x: want {CLASSES}, got 'noise'"]),
        ({" lpd": "GPD"}, ["terms.lpd: want LPD, whose name it is, got 'GPD'"]),
        ({"LPDs": "LPD", "lpds ": "lpd"}, ["terms: want each text once, in any case, got 'LPDs' and 'lpds'"]),
        ({"1": "LPD", 1: "LPD"}, ["terms: want each text once, in any case, got '1' and '1'"]),
        ({"LPDs": None}, [f"terms.LPDs: want {CLASSES}, got None"]),
        (["LPD"], ["terms: want a dict such as {'LPDs': 'LPD'}, got ['LPD']"]),
    ],
)  # fmt: skip
def test_terms_that_name_no_class_are_told_in_python(terms: Any, said: list[str]):
    with pytest.raises(UserError) as refused:
        Terms(terms)
    assert str(refused.value).split("\n") == said


def test_terms_that_name_no_class_are_told_before_anything_is_read():
    wrong = "terms={LPDs: LDP, sz: Seizure, gpd: LPD, odd: 3}"
    said = hms(
        "collect", "recording=nowhere/", "terms={LPDs: LDP, sz: Seizure, gpd: LPD}", "channels={Q: Fq1}", code=1
    )[1]
    head, channel, first, second = said.splitlines()
    assert head == "3 problem(s) in the config:"
    assert channel.startswith("  channels.Q: want an electrode")
    assert first == f"  terms.LPDs: want {CLASSES}, got 'LDP'; did you mean 'LPD'?"
    assert second == "  terms.gpd: want GPD, whose name it is, got 'LPD'"
    said = hms("collect", "recording=nowhere/", wrong, code=1)[1]
    assert said.splitlines()[1:] == ["  terms.odd: want str, got 3"]
    assert "  terms: want dict of str or null, got 'LPD'" in hms("collect", "recording=x", "terms=LPD", code=1)[1]


def test_texts_are_the_same_in_any_case_with_any_spaces_and_accents_around():
    terms = Terms({" Anfa\u0308lle ": "SEIZURE", 3: "other"})
    assert [terms.class_of(text) for text in ("anfälle", "ANFÄLLE", " 3", "Gpd ", "x")] == [
        "seizure",
        "seizure",
        "other",
        "gpd",
        None,
    ]
    assert terms.by_text == Terms({"ANFÄLLE": "Seizure", "3": "Other"}).by_text == {"anfälle": "Seizure", "3": "Other"}


def test_a_term_that_no_annotation_has_is_refused(ward: Path, tmp_path: Path):
    said = collect(ward, tmp_path / "corpus", "terms={LPDs: LPD, LDPs: LPD, artefact: Other}", code=1)[1]
    has = "'LPDs', 'GPD', 'esz', 'light off'"
    assert said.splitlines() == [
        "terms: want a text of an annotation in 2 recordings, got 'LDPs'; did you mean 'LPDs'?",
        f"terms: want a text of an annotation in 2 recordings, got 'artefact' (there is {has})",
    ]
    assert not (tmp_path / "corpus").exists()


def test_another_mapping_makes_another_corpus(ward: Path, tmp_path: Path):
    words = "terms={LPDs: LPD, light off: Other}"
    first = collect(ward, tmp_path / "corpus", words)[0]
    assert collect(ward, tmp_path / "corpus", "terms={LIGHT OFF: other, lpds: LPD}")[0] == first
    for other in ("terms={LPDs: GPD, light off: Other}", "terms={LPDs: LPD, light off: Other, gpd: GPD}", "terms=null"):
        said = collect(ward, tmp_path / "corpus", other, code=1)[1]
        assert "which holds a corpus that was collected with other " in said
        assert "terms; delete it or choose another" in said
    about = tmp_path / "corpus/collected.json"
    assert json.loads(about.read_text())["terms"] == {"lpds": "LPD", "light off": "Other"}


def test_a_corpus_without_terms_is_that_of_an_earlier_version(ward: Path, tmp_path: Path):
    collect(ward, tmp_path / "corpus")
    about = tmp_path / "corpus/collected.json"
    held = json.loads(about.read_text())
    assert held.pop("terms") is None
    about.write_text(json.dumps(held))
    collect(ward, tmp_path / "corpus")


def test_labels_of_a_table_may_be_called_otherwise(ward: Path, tmp_path: Path):
    labels = tmp_path / "labels.csv"
    made = []
    for name, sz, terms in (("plain", "seizure", "null"), ("own", "Ictal, left", "{ictal\\, LEFT: Seizure}")):
        labels.write_text(f'recording,time_s,label\nday,15,"{sz}"\nnight,35,GPD\nday,15,LPD\n')
        collect(ward, tmp_path / name, f"labels={labels}", f"terms={terms}")
        made.append(contents(tmp_path / name))
    assert [name for name in made[0] if made[0][name] != made[1][name]] == ["collected.json"]
    said = collect(ward, tmp_path / "own", f"labels={labels}", "terms={ictal\\, left: LPD}", code=1)[1]
    assert "which holds a corpus that was collected with other terms; delete it or choose another" in said


def test_mistakes_in_terms_of_a_table_are_told_with_its_others(ward: Path, tmp_path: Path):
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,time_s,label\nday,-5,LPDs\nday,15,noise\n")
    said = collect(ward, tmp_path / "corpus", f"labels={labels}", "terms={LPDs: LPD, nosie: Other}", code=1)[1]
    assert said.replace(f"{labels}: ", "").splitlines() == [
        "line 2, column 'time_s': want 0 s or more, got -5",
        f"line 3, column 'label': want {CLASSES}, got 'noise'",
        "terms: want a text of the column 'label', got 'nosie'; did you mean 'noise'?",
    ]
    labels.write_text(
        "recording,time_s,seizure_vote,lpd_vote,gpd_vote,lrda_vote,grda_vote,other_vote\nday,15,1,0,0,0,0,0\n"
    )
    said = collect(ward, tmp_path / "corpus", f"labels={labels}", "terms={LPDs: LPD}", code=1)[1]
    assert said == f"{labels}: terms: want the column 'label', got the six of votes\n"


def test_texts_that_cannot_be_typed_are_mapped_in_python_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ward").mkdir()
    annotated_edf(tmp_path / "ward/x.edf", 3, (0, 20, "Krampfanfälle"))
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(GUIDE["docs/guide/recordings.md"], "python")
    exec(code, {})
    assert votes(tmp_path / "data/terms") == {"seizure": 2, "lpd": 0, "gpd": 0, "lrda": 0, "grda": 0, "other": 0}
