"""What is left out of a corpus is said with the reason, then and later."""

import json
import shutil
from pathlib import Path

from commands import hms
from edf_files import write_edf
from recordings import noise

from hms.electrodes import SCALP


def test_what_was_left_out_of_a_corpus_is_refused_by_a_later_raise(tmp_path: Path):
    ward = tmp_path / "ward"
    ward.mkdir()
    for number in range(2):
        write_edf(ward / f"{number}.edf", noise(60, 200, seed=number), SCALP, 200)
    (ward / "broken.edf").write_bytes(b"no recording")
    (tmp_path / "labels.csv").write_text("recording,time_s,label\n0,15,GPD\n1,15,GPD\nbroken,5,GPD\n")
    words = [f"recording={ward}", f"labels={tmp_path / 'labels.csv'}"]
    skip = [*words, "on_bad=skip"]
    out, _ = hms("collect", *skip, f"out={tmp_path / 'corpus'}")
    again, err = hms("collect", *skip, f"out={tmp_path / 'corpus'}")
    assert again == out
    head = f"{tmp_path / 'corpus'}: lacks 1 of 3 recordings, which could not be used; to collect them again, delete it:"
    why = "  broken.edf: not an EDF or BDF file (it begins with 'no recor')"
    assert err.splitlines()[1:] == [head, why]
    _, err = hms("collect", *words, f"out={tmp_path / 'corpus'}", code=1)
    assert err.splitlines()[1:] == [head, why]
    shutil.copytree(ward, tmp_path / "moved")
    hms("collect", f"recording={tmp_path / 'moved'}", *skip[1:], f"out={tmp_path / 'same'}")
    about = [(tmp_path / name / "collected.json").read_text() for name in ("corpus", "same")]
    assert about[0] == about[1]
    assert json.loads(about[0])["left_out"].keys() == {"broken.edf"}
    (tmp_path / "same/collected.json").write_text('{"format": 1, "labels": "0"}')  # which does not say what it lacks
    said = hms("collect", *skip, f"out={tmp_path / 'same'}", code=1)[1]
    assert "which holds a corpus that was collected with other format; delete it or choose another" in said


def test_a_label_in_a_gap_is_said_to_be_in_one(tmp_path: Path):
    starts_s = [*range(60), *range(100, 160)]
    write_edf(tmp_path / "x.edf", noise(120, 200), SCALP, 200, starts_s=starts_s, kind="EDF+D")
    rows = "".join(f"x,{time_s},GPD\n" for time_s in (50, 61, 70, 80, 90.5, 120))
    (tmp_path / "labels.csv").write_text(f"recording,time_s,label\n{rows}")
    words = [f"recording={tmp_path / 'x.edf'}", f"labels={tmp_path / 'labels.csv'}", f"out={tmp_path / 'corpus'}"]
    out, err = hms("collect", *words)
    assert "  4 labels left out, where nothing is predicted either: in a gap (at 61 s, 70 s, 80 s and 1 more).\n" in err
    assert "2 labels" in out
