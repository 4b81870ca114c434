"""Tables from any program and any machine: how `hms.collect` reads their text, their names, and whose EEG it is."""

from pathlib import Path
from unicodedata import normalize

import polars as pl
import pytest

from hms.collected.label_table import read_label_table
from hms.collected.names import with_paths
from hms.collected.own_terms import Terms
from hms.collected.patients import with_patients
from hms.errors import DataError
from hms.labels import VOTE_COLUMNS

HEAD, ROW = "recording,time_s,label,patient_id", "night,14.5,GPD,Müller"
SECONDS = "; want seconds from the beginning of the recording"
SAVE = "save it as 'CSV UTF-8' in Excel, or as 'Text CSV' with the character set UTF-8 in LibreOffice"


def read(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """The rows of a table whose labels are names of classes, and its mistakes."""
    return read_label_table(path, Terms(None))


def table(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        f"{HEAD}\n{ROW}\n",
        f"\ufeff{HEAD}\r\n{ROW}\r\n\r\n",
        "recording;time_s;label;patient_id;\r\nnight;14,5;GPD;Müller;\r\n;;;;\r\n",
        'recording ; time_s;"label";patient_id\nnight;14.5;"GPD";Müller\n',
        f"{HEAD}\n{ROW}\n".replace(",", "\t").encode("utf-16"),
    ],
    ids=["plain", "Excel, UTF-8", "Excel, European", "quoted", "Excel, Unicode text"],
)
def test_a_table_is_the_same_whichever_program_wrote_it(content: bytes | str, tmp_path: Path):
    rows, problems = read(table(tmp_path / "x.csv", content))
    assert problems == []
    columns = ("line", "recording", "time_s", "patient_id", "gpd_vote", "lpd_vote")
    assert rows.select(columns).rows() == [(2, "night", 14.5, "Müller", 1, 0)]


def test_decimal_commas_are_those_of_numbers_in_tables_with_semicolons(tmp_path: Path):
    head = ";".join(["recording", "time_s", *VOTE_COLUMNS])
    rows, problems = read(table(tmp_path / "x.csv", f"{head}\n1,5;1,5;3,0;0;0;0;0;0\nx;0.125;1.0;0;0;0;0;0\n"))
    assert rows.select("recording", "time_s", "seizure_vote").rows() == [("1,5", 1.5, 3), ("x", 0.125, 1)]
    assert problems == []


@pytest.mark.parametrize("value", ["14,5", "1,234", "90 s", "12:03", "22:16:00", "2024-01-31 12:03:04"])
def test_a_time_that_is_no_number_is_told_with_what_is_wanted(value: str, tmp_path: Path):
    for separator in ",\t":
        head, row = HEAD.replace(",", separator), separator.join(["night", f'"{value}"', "GPD", "x"])
        _, (problem,) = read(table(tmp_path / "x.csv", f"{head}\n{row}\n"))
        assert problem.endswith(f"x.csv: line 2, column 'time_s': want a number, got {value!r}{SECONDS}")


def test_all_mistakes_of_a_table_are_told_each_once(tmp_path: Path):
    lines = ["Recording;TIME_S;Label", "night;1.234;normal", "night;5,5;Artefakt", "night;6:00;LPDs", "night;half;LPDs"]
    _, problems = read(table(tmp_path / "x.csv", "\n".join([*lines, "night;6:00;GPD"])))
    one_of = "column 'label': want Seizure, LPD, GPD, LRDA, GRDA, Other, got"
    assert [problem.removeprefix(f"{tmp_path / 'x.csv'}: ") for problem in problems] == [
        "line 2, column 'time_s': want 1234 or 1,234, got '1.234', which may be either in a table with semicolons",
        f"line 4, column 'time_s': want a number, got '6:00'{SECONDS}",
        f"line 2, {one_of} 'normal'",
        f"line 3, {one_of} 'Artefakt'",
        f"line 4, {one_of} 'LPDs'; did you mean 'LPD'? (and 1 more row)",
    ]
    many = "\n".join(f"night;{number};class {number}" for number in range(25))
    _, problems = read(table(tmp_path / "x.csv", f"{lines[0]}\n{many}\n"))
    assert len(problems) == 11
    assert problems[-1].endswith("x.csv: column 'label': 15 more names that no class has")


def test_names_of_columns_may_be_in_any_case_but_each_once(tmp_path: Path):
    rows, problems = read(table(tmp_path / "x.csv", "Recording;Time_s;Label\nnight;14,5;GPD\n"))
    assert (rows.select("recording", "time_s", "gpd_vote").rows(), problems) == ([("night", 14.5, 1)], [])
    with pytest.raises(DataError, match="want each column once, got 'label' twice"):
        read(table(tmp_path / "x.csv", "recording,time_s,label,Label\nnight,1,GPD,GPD\n"))


def test_a_time_that_is_missing_is_told(tmp_path: Path):
    _, (problem,) = read(table(tmp_path / "x.csv", f"{HEAD}\nnight,,GPD,x\n"))
    assert problem.endswith("line 2, column 'time_s': want a number, got nothing")


def test_points_that_may_be_between_thousands_are_refused_with_what_to_write(tmp_path: Path):
    votes = ";0" * 5
    rows = ["12,5;1", "1.234;1", "9.999.125;1.000", "1.234,5;1", ";", "0.125;0", "2.500,25;0"]
    lines = [f"recording;time_s;{';'.join(VOTE_COLUMNS)}", *(f"night;{row}{votes}" for row in rows)]
    _, problems = read(table(tmp_path / "x.csv", "\n".join(lines)))
    assert [problem.removeprefix(f"{tmp_path / 'x.csv'}: ") for problem in problems] == [
        (
            "line 3, column 'time_s': want 1234 or 1,234, got '1.234', which may be either in a table with semicolons "
            "(and 3 more rows)"
        ),
        (
            "line 4, column 'seizure_vote': want 1000 or 1,000, got '1.000', which may be either in a table with "
            "semicolons"
        ),
        "line 6, column 'time_s': want a number, got nothing",
        "line 6, column 'seizure_vote': want a whole number, got nothing",
        "line 6, column 'seizure_vote ... other_vote': want at least one vote, got none (and 2 more rows)",
    ]
    for value, plain in (("1.234,5", "1234,5"), ("-1.234.567", "-1234567")):
        lines = f"recording;time_s;label\nnight;{value};GPD\n"
        _, (problem,) = read(table(tmp_path / "x.csv", lines))
        assert problem.endswith(f"x.csv: line 2, column 'time_s': want {plain}, got '{value}'")
    for other in ("14.5", "1234.500", "0.125", "00.125", ".125"):
        lines = ["recording;time_s;label", "night;1.234;GPD", f"night;{other};GPD"]
        rows, problems = read(table(tmp_path / "x.csv", "\n".join(lines)))
        assert (rows["time_s"].to_list(), problems) == ([1.234, float(other)], []), "all have decimal points"
    rows, problems = read(table(tmp_path / "x.csv", "recording,time_s,label\nnight,1.234,GPD\n"))
    assert (rows["time_s"].to_list(), problems) == ([1.234], [])


@pytest.mark.parametrize(
    ("first", "separator"), [("\ufeffsep=;", ";"), ('"sep=,"', ","), ("SEP=|", "|"), ("sep=\t", "\t"), ("sep=;;;", ";")]
)
def test_a_first_line_may_name_the_separator(first: str, separator: str, tmp_path: Path):
    lines = [*("recording,time_s,label".split(","), ["a;b,c|d", "14", "GPD"], ["x", "y", "LPD"])]
    text = "\n".join(separator.join(f'"{value}"' for value in line) for line in lines)
    for end in ("\r\n", "\r"):  # that of an old Mac
        rows, problems = read(table(tmp_path / "x.csv", f"{first}\n{text}\n".replace("\n", end)))
        assert rows.select("line", "recording", "time_s").rows() == [(3, "a;b,c|d", 14), (4, "x", None)]
        assert problems == [f"{tmp_path / 'x.csv'}: line 4, column 'time_s': want a number, got 'y'{SECONDS}"]
    with pytest.raises(DataError, match="want the names of the columns in the first line, got none"):
        read(table(tmp_path / "x.csv", first))


def test_a_row_without_votes_is_told_once(tmp_path: Path):
    lines = [f"recording,time_s,{','.join(VOTE_COLUMNS)}", "night,5,,,,,,", ",,,,,,,", "night,15,0,0,0,0,0,0"]
    _, problems = read(table(tmp_path / "x.csv", "\n".join(lines)))
    wish = "want at least one vote, got none (and 1 more row)"
    assert problems == [f"{tmp_path / 'x.csv'}: line 2, column 'seizure_vote ... other_vote': {wish}"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("SZ", "'Seizure'"), ("seiz", "'Seizure'"), ("ESE", "'Seizure'"), ("LPDs", "'LPD'"), ("LRDA+", "'LRDA'")),
        *(("IIC", "'LPD', 'GPD' or 'LRDA'"), ("grdb", "'GRDA'"), ("Generalized periodic discharges", "'GPD'")),
        *((name, "") for name in ("no seizure", "nonsense", "LPD-free")),
    ],
)
def test_a_label_that_is_no_class_is_told_with_the_one_it_may_mean(name: str, meant: str, tmp_path: Path):
    _, (said,) = read(table(tmp_path / "x.csv", f"recording,time_s,label\nnight,5,{name}\n"))
    hint = f"; did you mean {meant}?" if meant else ""
    assert said.endswith(f"want Seizure, LPD, GPD, LRDA, GRDA, Other, got {name!r}{hint}")


@pytest.mark.parametrize(
    ("columns", "missing", "write"),
    [
        (
            "SZ,LPDs,gpd_votes,LRDA+,grda,others,IIC",
            "'label' (or the six columns of votes)",
            (
                "'seizure_vote' for 'SZ', 'lpd_vote' for 'LPDs', 'gpd_vote' for 'gpd_votes', 'lrda_vote' for 'LRDA+', "
                "'grda_vote' for 'grda', 'other_vote' for 'others'"
            ),
        ),
        (
            "sz_vote,sz_2,lpd_vote,lpd,gpd_vote,lrda_vote,grda_vote",
            "'seizure_vote', 'other_vote'",
            "'seizure_vote' for 'sz_vote'",
        ),
    ],
)
def test_columns_of_votes_under_other_names_are_told(columns: str, missing: str, write: str, tmp_path: Path):
    head = f"recording,time_s,{columns}"
    with pytest.raises(DataError) as error:
        read(table(tmp_path / "x.csv", f"{head}\n"))
    has = ", ".join(map(repr, head.split(",")))
    assert str(error.value) == f"{tmp_path / 'x.csv'}: lacks {missing}, it has {has}; write {write}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\x00\xff", f"want a CSV file, got an Excel or LibreOffice workbook; {SAVE}"),
        (b"\xd0\xcf\x11\xe0\xa1", f"want a CSV file, got a workbook of an old Excel; {SAVE}"),
        (
            f"{HEAD}\r\nnight,1,GPD,x\r\n{ROW}\r\n".encode("latin-1"),
            f"want UTF-8, got another encoding in line 3, '{ROW}'; {SAVE}",
        ),
        (f"{HEAD},label\n{ROW},GPD\n", "want each column once, got 'label' twice"),
        ("", "not a CSV file (it is empty)"),
    ],
)
def test_a_file_that_is_no_table_is_named_with_what_to_do(content: bytes | str, said: str, tmp_path: Path):
    with pytest.raises(DataError) as error:
        read(table(tmp_path / "x.xlsx", content))
    assert str(error.value) == f"{tmp_path / 'x.xlsx'}: {said}"


def named(names: list[str], paths: list[str], of_all: bool = True) -> tuple[list[str | None], list[str]]:
    """The path that each name means, and what is said about those at fault."""
    rows = pl.DataFrame({"recording": names, "line": range(2, 2 + len(names))})
    placed, problems = with_paths(rows, [*map(Path, paths)], of_all)
    return placed["path"].to_list(), problems


WARD = ["ward/anna/night.edf", "ward/anna/day.EDF", "ward/ben/night.edf", "ward/ben.v2.EDF"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("anna/night.EDF", 0),
        ("day.edf", 1),
        ("day", 1),
        (r"anna\night.edf", 0),
        (r"..\ward\ben\night", 2),
        ("../x/../ward/ben/night.Edf", 2),
        ("./day.edf", 1),
        ("ben.v2", 3),
        (r"ward\ben.v2.edf", 3),
        (f"{Path.cwd()}/ward/ben/night.EDF", 2),
    ],
)
def test_a_name_finds_its_recording_however_it_is_spelled(name: str, place: int):
    assert named([name], WARD) == ([WARD[place]], [])


def test_an_ending_in_another_case_counts_only_if_no_recording_has_the_very_one():
    paths = ["x.edf", "x.EDF", "y.edf"]
    assert named(["x.EDF", "x.edf"], paths) == (["x.EDF", "x.edf"], [])
    assert "which is 'x.edf' and 'x.EDF': name it" in named(["x"], paths)[1][0]
    assert named(["X.edf"], paths)[0] == [None]


@pytest.mark.parametrize(("name", "path"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_letter_with_a_mark_is_the_same_in_one_piece_and_in_two(name: str, path: str):
    paths = [normalize(path, "ward/Zoë/größer.edf"), "ward/night.edf"]
    names = [normalize(name, text) for text in ("größer", "GRÖSSER.EDF", "Zoë/größer.EDF", r"ward\Zoë\größer")]
    assert named(names, paths)[0] == [paths[0], None, paths[0], paths[0]]


def test_a_patient_is_the_same_however_a_letter_with_a_mark_is_written(tmp_path: Path):
    lines = ["recording,time_s,label,patient_id"]
    lines += [f"night,15,GPD,{normalize(form, 'Jürgen')}" for form in ("NFC", "NFD")]
    rows, problems = read(table(tmp_path / "x.csv", "\n".join(lines)))
    assert (rows["patient_id"].unique().to_list(), problems) == (["Jürgen"], [])


def test_recordings_that_are_given_by_a_path_with_dots_are_found_by_their_whole_one(tmp_path: Path):
    path = f"{tmp_path}/labels/../ward/x.edf"
    assert named([f"{tmp_path}/ward/x.edf"], [path]) == ([path], [])


def test_a_path_on_another_machine_or_of_a_recording_that_is_gone_means_no_other(tmp_path: Path):
    paths = [*WARD, f"{tmp_path}/may/x.edf"]
    names = [
        r"D:\EEG\ward\anna\night.edf",
        "/nowhere/ward/anna/night.edf",
        f"{tmp_path}/june/x.edf",
        f"{tmp_path}/may/x.edf",
    ]
    found, said = named(names, paths)
    assert found == [None, None, None, paths[-1]]
    advice = "; of a path on another machine, write the part from a folder on that is here"
    assert said == [
        f"line {line}, column 'recording': want one of 5 recordings, got {name!r}{advice}"
        for line, name in enumerate(names[:3], 2)
    ]
    assert named(["cleo/night.edf"], WARD)[1] == [
        "line 2, column 'recording': want one of 4 recordings, got 'cleo/night.edf'"
    ]


def placed(*paths: str, patient: str | None = None) -> pl.DataFrame:
    return pl.DataFrame({"path": paths, "patient_id": patient}, {"path": pl.String, "patient_id": pl.String})


def test_a_table_of_patients_may_hold_more_than_is_labelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = "patient_id;recording;age\nanna;anna/night;31\nanna;day.edf;31\nben;ben/night;40\n7;gone.edf;50\n"
    patients = table(tmp_path / "patients.csv", lines)
    labels = placed(WARD[2], WARD[0], WARD[1], WARD[0])
    with_them = with_patients(labels, patients, [*map(Path, WARD)])
    assert with_them["patient_id"].to_list() == ["ben", "anna", "anna", "anna"]
    assert with_them["path"].to_list() == labels["path"].to_list()
    assert capsys.readouterr().err == f"{patients}: not read: 'age'\n"


def test_patients_whose_names_differ_only_in_case_or_spaces_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    paths = [f"{number}.edf" for number in range(8)]
    names = ["Anna", "Ben", "anna", "p 1", "P1", "Benn", " Ben", "Zoë"]
    rows = "\n".join(f"{path},{name}" for path, name in zip(paths, names, strict=True))
    patients = table(tmp_path / "patients.csv", f"recording,patient_id\n{rows}\ngone.edf,BEN\n")
    with_them = with_patients(placed(*paths), patients, [*map(Path, paths)])
    assert with_them["patient_id"].n_unique() == 7
    wish = "differ only in case or spaces, but count as different patients; write them alike if they are one\n"
    assert capsys.readouterr().err == f"patient_id: 'Anna'/'anna', 'P1'/'p 1' {wish}"
    own = pl.DataFrame({"path": paths[:6], "patient_id": [*"AaBbCc"]})
    many = pl.concat([own, own.with_columns(pl.col("patient_id") + "1")])
    assert with_patients(many, None, []) is many
    assert capsys.readouterr().err == f"patient_id: 'A'/'a', 'A1'/'a1', 'B'/'b' and 3 more {wish}"
    with_patients(own[::2], None, [])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["recording,patient", "day,1"], ["lacks 'patient_id', it has 'recording', 'patient'"]),
        (["recording,patient_id"], ["want at least one row, got none"]),
        (
            ["recording,patient_id", "day,", "night,2", "anna/night,3", "anna/night.edf,4"],
            [
                "line 2, column 'patient_id': want a name, got nothing",
                (
                    "line 3, column 'recording': want one recording, got 'night', which is 'ward/anna/night.edf' and "
                    "'ward/ben/night.edf': name it with its folder or ending"
                ),
                "line 5, column 'patient_id': want one patient for 'ward/anna/night.edf', got '3' and '4'",
            ],
        ),
        (
            ["recording,patient_id", "dya,1", "ben/night,2"],
            [
                (
                    "want a row for each labelled recording, got none for 'ward/anna/day.EDF' (and 1 more recording); "
                    "it has 'dya'"
                )
            ],
        ),
    ],
)
def test_mistakes_in_a_table_of_patients_are_told_in_a_line_each(lines: list[str], said: list[str], tmp_path: Path):
    patients = table(tmp_path / "patients.csv", "\n".join(lines))
    with pytest.raises(DataError) as error:
        with_patients(placed(WARD[1], WARD[0]), patients, [*map(Path, WARD)])
    assert str(error.value).replace(f"{patients}: ", "").split("\n") == said


def test_patients_are_given_once(tmp_path: Path):
    patients = table(tmp_path / "patients.csv", "recording,patient_id\nday,1\n")
    with pytest.raises(DataError, match="want patients once, but labels= has a column 'patient_id' as well"):
        with_patients(placed(WARD[1], patient="1"), patients, [*map(Path, WARD)])
