"""Labels that are annotations: whose they are."""

from pathlib import Path

from edf_files import write_edf
from recordings import noise
from test_cli import hms

from hms.data.folds import patient_folds
from hms.data.tables import read_labels
from hms.electrodes import SCALP


def annotated_edf(path: Path, seed: int, *notes: tuple[float, float, str]) -> Path:
    """Write a recording of 60 s with annotations: onset and duration in seconds, and text."""
    stored = {number: b"+%g\x15%g\x14%b\x14\0" % (*at, text.encode()) for number, (*at, text) in enumerate(notes)}
    return write_edf(path, noise(60, 200, seed=seed), SCALP, 200, starts_s=range(60), annotated=stored)


def test_patients_of_annotated_recordings_are_in_one_fold_each(tmp_path: Path):
    for number in range(4):
        annotated_edf(tmp_path / f"{number}.edf", number, (10, 10, "GPD"), (20, 10, "LPDs"), (30, 5, "photic"))
    patients = tmp_path / "patients.csv"
    patients.write_text("recording;patient_id\n" + "\n".join(f"{number};p{number // 2}" for number in range(4)))
    words = [f"recording={tmp_path}", f"out={tmp_path / 'corpus'}"]
    out, err = hms("collect", *words, f"patients={patients}")
    assert "4 labels, 4 EEGs, 4 recordings, 2 patients; next:" in out
    assert "counts as a patient of its own" not in err
    rows = read_labels(tmp_path / "corpus/train.csv")
    assert rows.group_by("patient_id").len()["len"].to_list() == [2, 2]
    assert sorted(patient_folds(rows, folds=2)["fold"]) == [0, 1]
    again = hms("collect", *words, f"patients={patients}")
    assert (again[0], again[1].splitlines()[-1]) == (out, err.splitlines()[-1])
    said = hms("collect", *words, code=1)[1].splitlines()
    assert said[-2] == "each recording counts as a patient of its own; patients= takes a table of recording,patient_id"
    assert "which holds a corpus that was collected with other patients;" in said[-1]
