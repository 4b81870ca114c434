"""Tables from any program: how `hms.collect` reads their text."""

from pathlib import Path

import pytest

from hms.collected.labels import read_labels
from hms.errors import DataError
from hms.labels import VOTE_COLUMNS

HEAD, ROW = "recording,time_s,label,patient_id", "night,14.5,GPD,Müller"
SAVE = "save it as 'CSV UTF-8' in Excel, or as 'Text CSV' with the character set UTF-8 in LibreOffice"


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
    rows, problems = read_labels(table(tmp_path / "x.csv", content))
    assert problems == []
    columns = ("line", "recording", "time_s", "patient_id", "gpd_vote", "lpd_vote")
    assert rows.select(columns).rows() == [(2, "night", 14.5, "Müller", 1, 0)]


def test_decimal_commas_are_those_of_numbers_in_tables_with_semicolons(tmp_path: Path):
    head = ";".join(["recording", "time_s", *VOTE_COLUMNS])
    rows, problems = read_labels(table(tmp_path / "x.csv", f"{head}\n1,5;1,5;3,0;0;0;0;0;0\nx;1.234,5;1;0;0;0;0;0\n"))
    assert rows.select("recording", "time_s", "seizure_vote").row(0) == ("1,5", 1.5, 3)
    assert problems == [f"{tmp_path / 'x.csv'}: line 3, column 'time_s': want a number, got '1.234,5'"]
    _, (problem,) = read_labels(table(tmp_path / "x.csv", f'{HEAD}\nnight,"1,234",GPD,x\n'))
    assert problem.endswith("want a number, got '1,234'")  # which may be a thousand


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
        read_labels(table(tmp_path / "x.xlsx", content))
    assert str(error.value) == f"{tmp_path / 'x.xlsx'}: {said}"
