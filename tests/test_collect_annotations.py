"""Labels that are annotations: whose they are, and which others only look like labels."""

import re
from pathlib import Path

import pytest
from annotated_edf import annotated_edf
from commands import hms
from recordings import noise, write_brainvision

from hms.collected.near_misses import hint, near_misses
from hms.collected.own_terms import Terms
from hms.collected.terms import classes_meant
from hms.data.folds import patient_folds
from hms.data.tables import read_labels
from hms.recording.source import Annotation

NO_TERMS = Terms(None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("LPDs", "LPD"), ("GPDs", "GPD"), ("seizure onset", "Seizure"), ("GRDA+F", "GRDA"), ("LRDA?", "LRDA")),
        *(("Sz", "Seizure"), ("siezure", "Seizure"), ("Seizures", "Seizure"), ("lpd_left", "LPD"), ("PLEDs", "LPD")),
        *(("others", "Other"), ("F3 C3: GPD", "GPD"), ("GPD 2", "GPD"), ("LPD/GPDs", "LPD or GPD")),
        *(("ESz", "Seizure"), ("ECSz 3", "Seizure"), ("ESE", "Seizure"), ("status epilepticus", "Seizure")),
        *(("possible IIC", "LPD, GPD or LRDA"), ("LRDA+FS", "LRDA"), ("lateralized periodic discharges", "LPD")),
        *(("Generalised rhythmic delta activity", "GRDA"), ("ese ruido", None), ("periodic discharges", None)),
        *(
            (text, None)
            for text in ("photic 5 Hz", "eyes closed", "no seizure", "closure", "other hand", "pre seizure")
        ),
        *((text, None) for text in ("mother says that he had a seizure at home", "PDA", "12", "sleep spindles", "?")),
        *(
            (text, None)
            for text in ("non-seizure", "nonseizure", "seizure free", "r/o seizure", "seizure end", "LPD-free")
        ),
        *((text, "Seizure") for text in ("NCSE", "NCSEs", "Ictal", "ictal rhythm", "SeizureDetected", "SzOnset")),
        *(("generalized PDs", "GPD"), ("Lateralised PD", "LPD"), ("generalized RDA", "GRDA"), ("LPDsLeft", "LPD")),
        *(("GeneralizedPeriodicDischarges", "GPD"), ("ictal-interictal continuum", "LPD, GPD or LRDA")),
        *((text, None) for text in ("postictal", "interictal", "preictal", "periictal", "nonictal", "PDs")),
        *((text, None) for text in ("post-ictal", "inter-ictal", "PreIctal", "non-ictal", "SeizureFree", "NoSeizure")),
    ],
)
def test_a_text_that_nearly_names_a_class_is_counted_and_an_ordinary_one_is_not(text: str, name: str | None):
    assert classes_meant(text) == (re.split(", | or ", name) if name else [])
    found = near_misses([Annotation(10.0, 10.0, text)] * 2, NO_TERMS)
    assert found == ({} if name is None else {(text, False): 2})


def test_names_of_classes_and_own_terms_are_near_misses_only_if_they_are_too_short():
    terms = Terms({"sz": "Seizure", "photic": "Other"})
    texts = ["Seizure", "gpd", "SZ", "Photic", "LPDs", "eyes closed"]
    assert near_misses([Annotation(10.0, 10.0, text) for text in texts], terms) == {("LPDs", False): 1}
    assert near_misses([Annotation(10.0, 4.0, text) for text in texts], terms) == {
        (text, True): 1 for text in texts[:-1]
    }


def test_the_most_frequent_names_are_told_with_what_to_add():
    texts = [*["LPDs"] * 3, *["seizure onset"] * 2, "Seizure", "GRDA+F", "LRDA?", "GPDs", "gpds", "IIC", "photic"]
    found = near_misses([Annotation(1.0, 0.0 if "eizure" in text else 20.0, text) for text in texts], NO_TERMS)
    assert hint(found, NO_TERMS).splitlines() == [
        (
            "11 annotations ignored, which looked like labels: 3 'LPDs', 2 'seizure onset' (too short), 1 'Seizure' "
            "(too short), 1 'GRDA+F', 1 'LRDA?' and 3 more names. "
            "Too short: covers less than half of every ten seconds (0 to 10, 10 to 20 ...)."
        ),
        "  to count those that are labels, add 'terms={LPDs: LPD, GRDA+F: GRDA, LRDA?: LRDA, GPDs: GPD}'",
        "  which class is meant is for you to say: 'IIC' (LPD, GPD or LRDA)",
    ]
    more = hint(found, Terms({"cal": "Other", "Lpds": "LPD"})).splitlines()[1]
    assert more.endswith("add 'terms={cal: Other, Lpds: LPD, GRDA+F: GRDA, LRDA?: LRDA, GPDs: GPD}'")
    assert hint(near_misses([Annotation(1.0, 20.0, "photic")], NO_TERMS), NO_TERMS) == ""


def test_patients_of_annotated_recordings_are_in_one_fold_each(tmp_path: Path):
    for number in range(4):
        annotated_edf(tmp_path / f"{number}.edf", number, (10, 10, "GPD"), (20, 10, "LPDs"), (30, 5, "photic"))
    patients = tmp_path / "patients.csv"
    patients.write_text("recording;patient_id\n" + "\n".join(f"{number};p{number // 2}" for number in range(4)))
    words = [f"recording={tmp_path}", f"out={tmp_path / 'corpus'}"]
    out, err = hms("collect", *words, f"patients={patients}")
    assert "4 labels, 4 EEGs, 4 recordings, 2 patients; next:" in out
    assert err.endswith(
        "4 annotations ignored, which looked like labels: 4 'LPDs'\n"
        "  to count those that are labels, add 'terms={LPDs: LPD}'\n"
    )
    assert "counts as a patient of its own" not in err
    rows = read_labels(tmp_path / "corpus/train.csv")
    assert rows.group_by("patient_id").len()["len"].to_list() == [2, 2]
    assert sorted(patient_folds(rows, folds=2)["fold"]) == [0, 1]
    again = hms("collect", *words, f"patients={patients}")
    assert (again[0], again[1].splitlines()[-1]) == (out, err.splitlines()[-1])
    said = hms("collect", *words, code=1)[1].splitlines()
    assert said[-2] == "each recording counts as a patient of its own; patients= takes a table of recording,patient_id"
    assert "which holds a corpus that was collected with other patients;" in said[-1]


def test_comments_of_brainvision_are_labels_and_codes_are_not(tmp_path: Path):
    """Positions and lengths are in samples at 256 Hz."""
    markers = (
        "Mk1=New Segment,,1,1,0,20240305213000000000\n"
        "Mk2=Comment,LRDA,2561,2560,0\n"
        "Mk3=Comment,LPDs,5121,2560,0\n"
        "Mk4=Stimulus,GPD,7681,2560,0\n"
    )
    write_brainvision(tmp_path / "x.vhdr", noise(60), markers)
    out, err = hms("collect", f"recording={tmp_path / 'x.vhdr'}", f"out={tmp_path / 'corpus'}")
    assert "1 label, 1 EEG, 1 recording" in out
    rows = read_labels(tmp_path / "corpus/train.csv")
    assert rows.select("lrda_vote", "lpd_vote", "gpd_vote").rows() == [(1, 0, 0)]
    assert "2 annotations ignored, which looked like labels: 1 'LPDs', 1 'Stimulus/GPD'\n" in err


def test_without_a_label_the_names_that_look_like_one_are_told(tmp_path: Path):
    annotated_edf(tmp_path / "x.edf", 0, (10, 10, "GPDs"))
    said = hms("collect", f"recording={tmp_path / 'x.edf'}", f"out={tmp_path / 'corpus'}", code=1)[1]
    wish, near, add = said.splitlines()
    assert wish.endswith("and last 5 s or more, got none in 1 recording")
    assert near == "  1 annotation ignored, which looked like labels: 1 'GPDs'"
    assert add == "  to count those that are labels, add 'terms={GPDs: GPD}'"
