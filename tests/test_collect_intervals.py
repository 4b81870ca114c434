"""Labels of stretches of time, in a table, vote as annotations do."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from annotated_edf import annotated_edf
from commands import contents, hms
from edf_files import write_edf
from recordings import noise

from hms.collected.covered import covered_s
from hms.data.tables import read_labels
from hms.electrodes import SCALP

HEAD = "recording,onset_s,duration_s,label"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of 100 s; do not write to it."""
    folder = tmp_path_factory.mktemp("intervals") / "ward"
    folder.mkdir()
    for number, name in enumerate(("day", "night")):
        write_edf(folder / f"{name}.edf", noise(100, 200, seed=number), SCALP, 200)
    return folder


def collect(ward: Path, at: Path, *lines: str, words: tuple[str, ...] = (), code: int = 0) -> tuple[str, str]:
    """Run `hms.collect` into `at`/corpus with a table of these lines; its path is left out of what is said."""
    at.mkdir(exist_ok=True)
    labels = at / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    out, err = hms("collect", f"recording={ward}", f"labels={labels}", f"out={at / 'corpus'}", *words, code=code)
    return out, err.replace(f"{labels}: ", "").replace(f"{ward}/", "")


@pytest.mark.parametrize("seed", range(20))
def test_a_stretch_votes_on_each_ten_seconds_that_it_covers_by_half(seed: int):
    draw = np.random.default_rng(seed)
    onset_s, duration_s = (draw.uniform(0, limit) for limit in (40, 60))
    if seed % 2:
        onset_s, duration_s = round(onset_s), round(duration_s)  # which cover exactly half of some
    shares_s = [min(onset_s + duration_s, begin + 10) - max(onset_s, begin) for begin in range(0, 200, 10)]
    assert covered_s(onset_s, duration_s) == [10.0 * n + 5 for n, share_s in enumerate(shares_s) if share_s > 5 - 1e-6]


@pytest.mark.parametrize(
    ("onset_s", "duration_s", "middles_s"),
    [
        *((0, 5, [5]), (5, 5, [5]), (5, 10, [5, 15]), (4, 4.9, []), (7, 5, []), (8, 9, [15]), (0, 4.999, [])),
        *((0.1 + 0.2, 4.7, []), (0.3 * 3, 5, [5]), (35.1, 4.9, []), (1.1, 8.9, [5]), (12, 20, [15, 25])),
    ],
)
def test_stretches_at_the_limits(onset_s: float, duration_s: float, middles_s: list[float]):
    assert covered_s(onset_s, duration_s) == middles_s


def test_a_table_of_stretches_gives_what_annotations_do(ward: Path, tmp_path: Path):
    stretches = [(14.9, 20.2, "Seizure"), (20, 10, "seizure"), (20, 10.4, "GPD"), (52, 38, "LPD"), (62, 4, "LPD")]
    annotated_edf(tmp_path / "day.edf", 0, *stretches, seconds=100)
    out = tmp_path / "annotated"
    hms("collect", f"recording={tmp_path / 'day.edf'}", f"out={out}")
    rows = (f"day,{onset_s},{duration_s},{label}" for onset_s, duration_s, label in stretches)
    _, err = collect(tmp_path / "day.edf", tmp_path / "table", HEAD, *rows)
    made = [contents(folder) for folder in (out, tmp_path / "table/corpus")]
    assert [name for name in made[0] if made[0][name] != made[1][name]] == ["collected.json"]
    assert err.endswith("line 6 ignored, which covers less than half of every ten seconds (0 to 10, 10 to 20 ...)\n")


def test_votes_of_readers_whose_marks_differ_by_a_second_meet(ward: Path, tmp_path: Path):
    rows = ["day;10,5;19;Seizure;anna", "day;9;21;Seizure;anna", "day;11,25;17,5;LPDs;anna"]
    head = "Recording;Onset_s;DURATION_S;label;patient_id"
    collect(ward, tmp_path, head, *rows, words=("terms={LPDs: LPD}",))
    labels = read_labels(tmp_path / "corpus/train.csv")
    assert labels.select("seizure_vote", "lpd_vote", "other_vote").rows() == [(2, 1, 0)] * 2
    assert pl.read_csv(tmp_path / "corpus/recordings.csv")["patient"].to_list() == ["anna"]


def test_a_stretch_may_have_the_votes_of_a_panel(ward: Path, tmp_path: Path):
    head = "recording,onset_s,duration_s,seizure_vote,lpd_vote,gpd_vote,lrda_vote,grda_vote,other_vote"
    collect(ward, tmp_path, head, "day,0,30,2,0,1,0,0,0", "day,20,20,0,0,0,0,0,4")
    labels = read_labels(tmp_path / "corpus/train.csv")
    assert labels.select("seizure_vote", "gpd_vote", "other_vote").rows() == [(2, 1, 0)] * 2 + [(2, 1, 4), (0, 0, 4)]


def test_rows_that_cover_no_ten_seconds_by_half_are_told(ward: Path, tmp_path: Path):
    covers = "covers less than half of every ten seconds (0 to 10, 10 to 20 ...)"
    out, err = collect(ward, tmp_path, HEAD, "day,0,10,GPD", "day,7,5,GPD", "night,0,4,LPD", "night,1,3,LPD")
    assert "1 label, 1 EEG, 1 recording" in out
    assert err.splitlines()[-1] == f"line 3 ignored, which {covers} (and 2 more rows)"
    again = collect(ward, tmp_path, HEAD, "day,0,10,GPD", "day,7,5,GPD", "night,0,4,LPD", "night,1,3,LPD")
    assert (again[0], again[1].splitlines()[-1]) == (out, err.splitlines()[-1])
    none = collect(ward, tmp_path / "none", HEAD, "day,7,5,GPD", code=1)[1]
    assert none == f"line 2 ignored, which {covers}; want at least one row that does not\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["recording,label", "day,GPD"],
         ["lacks 'time_s' (or 'onset_s' and 'duration_s'), it has 'recording', 'label'"]),
        (["recording,onset_s,label", "day,1,GPD"],
         ["lacks 'duration_s' (or 'time_s' in place of both), it has 'recording', 'onset_s', 'label'"]),
        (["recording,duration_s,label", "day,1,GPD"],
         ["lacks 'onset_s' (or 'time_s' in place of both), it has 'recording', 'duration_s', 'label'"]),
        ([f"{HEAD},time_s", "day,1,1,GPD,1"],
         ["want either the column 'time_s' or the two 'onset_s' and 'duration_s', got 'time_s' and 'onset_s'"]),
        (
            [HEAD, "day,-1,10,GPD", "day,0,0,GPD", "night,3,-2,GPD", "day,0:10,ten,GPD", "dya,20,1e9,GPD", "day,,5,x"],
            ["line 5, column 'onset_s': want a number, got '0:10'; want seconds from the beginning of the recording",
             "line 5, column 'duration_s': want a number, got 'ten'; want seconds",
             "line 2, column 'onset_s': want 0 s or more, got -1",
             "line 3, column 'duration_s': want more than 0 s, got 0 (and 1 more row)",
             "line 6, column 'duration_s': want up to 604,800 s (a week), got 1e+09",
             "line 7, column 'label': want Seizure, LPD, GPD, LRDA, GRDA, Other, got 'x'",
             "line 6, column 'recording': want one of 2 recordings, got 'dya'; did you mean 'day'?"],
        ),
        ([HEAD, "day,90,10,GPD", "day,90,15,GPD", "day,80,200,LPD", "night,95,5,GPD"],
         ["line 3, column 'onset_s + duration_s': want up to 100 s, the end of 'day.edf', got 105 (and 1 more row)"]),
    ],
)  # fmt: skip
def test_mistakes_in_stretches_are_told_in_a_line_each(lines: list[str], said: list[str], ward: Path, tmp_path: Path):
    err = collect(ward, tmp_path, *lines, code=1)[1]
    told = [line for line in err.splitlines() if not line.startswith("each recording counts as a patient")]
    assert told == said
    assert not (tmp_path / "corpus").exists()
