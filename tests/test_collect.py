"""A corpus of one's own recordings: its windows are those of a timeline, and mistakes are told in a line each."""

import json
import shlex
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import contents, hms
from edf_files import write_edf
from recordings import DOUBLE_BANANA, noise, pairs_of, recorded
from torch import Tensor

from hms.batch import Batch
from hms.collected.writer import Writer, patient_number
from hms.data.corpus import CompetitionFolder
from hms.data.store import prepare_store
from hms.data.tables import LABEL_COLUMNS, read_labels
from hms.data.windows import Windows
from hms.electrodes import SCALP
from hms.errors import DataError
from hms.labels import VOTE_COLUMNS
from hms.recording.blocks import Blocks
from hms.recording.resample import Resampler
from hms.recording.windows import Piece, pieces

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of 100 s; do not write to it."""
    folder = tmp_path_factory.mktemp("own") / "ward"
    folder.mkdir()
    for number, name in enumerate(("day", "evening", "night")):
        write_edf(folder / f"{name}.edf", noise(100, 200, seed=number), SCALP, 200)
    return folder


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def collect(recordings: Path | str, labels: Path, *words: str, code: int = 0) -> tuple[str, str]:
    """Run `hms.collect`, by default into `corpus` beside the labels; return its stdout and stderr."""
    given = [f"recording={recordings}", f"labels={labels}", f"out={labels.parent / 'corpus'}", *words]
    last = {word.partition("=")[0]: word for word in given}
    return hms("collect", *last.values(), code=code)


def refused(recordings: Path, *lines: str, words: tuple[str, ...] = (), at: Path) -> list[str]:
    """The lines of the error that a table of labels leads to; nothing is left of the corpus."""
    labels = table(at / "labels.csv", *lines)
    said = collect(recordings, labels, *words, code=1)[1]
    assert [path.name for path in at.iterdir() if "corpus" in path.name] == []
    lines = said.replace(f"{labels}: ", "").replace(f"{recordings}/", "").splitlines()
    return [line for line in lines if not line.startswith("each recording counts as a patient")]


def labelled_windows(corpus: Path) -> tuple[list[tuple[str, float]], Batch]:
    """The recording of each window of a corpus, and when its centre begins, and all windows as training reads them."""
    store = prepare_store(CompetitionFolder(str(corpus), "auto"), corpus.parent / "stores", "raise")
    rows = store.rows.join(pl.read_csv(corpus / "recordings.csv"), on="eeg_id", maintain_order="left")
    onsets_s = (rows["start_s"] + rows["eeg_label_offset_seconds"] + 20).to_list()
    windows = Windows(store, store.rows, with_spectrogram=True)
    return [*zip(rows["recording"], onsets_s, strict=True)], windows.__getitems__(range(len(windows)))


def write_gapped(path: Path) -> None:
    starts_s = [*range(100), *range(140, 300)]
    write_edf(path, noise(260, 256), SCALP, 256, starts_s=starts_s, kind="EDF+D")


def write_without_two(path: Path) -> None:
    offset_uv = np.linspace(-800, 800, 17)[:, None]
    write_edf(path, noise(200, 100)[:17] + offset_uv, SCALP[:17], 100)


def write_bipolar(path: Path) -> None:
    labels = [f"{one}-{other}" for one, other in pairwise(SCALP)]
    write_edf(path, pairs_of(noise(500, 200), labels), labels, 200)


def write_long(path: Path) -> None:
    write_edf(path, noise(1900, 64), SCALP, 64)


@pytest.mark.parametrize(
    ("write", "step_s"), [(write_gapped, 10), (write_without_two, 6.5), (write_bipolar, 23.125), (write_long, 60.5)]
)
def test_the_windows_of_a_corpus_are_those_of_a_timeline(write, step_s: float, tmp_path: Path):
    write(tmp_path / "x.edf")
    recording = recorded(tmp_path / "x.edf")
    windows = [one for piece in pieces(recording, step_s, True) for one in predicted(piece)]
    onsets_s = [onset_s for onset_s, *_ in windows if onset_s + 5 <= recording.duration_s]
    rows = (f"x,{onset_s + 5},GPD" for onset_s in (*onsets_s, *onsets_s[:2]))
    collect(tmp_path / "x.edf", table(tmp_path / "labels.csv", "recording,time_s,label", *rows))
    places, batch = labelled_windows(tmp_path / "corpus")
    assert [onset_s for _, onset_s in places] == onsets_s
    assert len(places) > 14
    for number, (_, eeg, power) in enumerate(windows[: len(places)]):
        np.testing.assert_array_equal(batch.eeg[number], eeg)
        np.testing.assert_array_equal(batch.spectrogram[number].isnan(), power.isnan())
        np.testing.assert_allclose(batch.spectrogram[number], power, rtol=0.01, atol=0.02)


def predicted(piece: Piece) -> Iterator[tuple[float, Tensor, Tensor]]:
    """When the centre of each window that a timeline predicts begins, and what its models read."""
    for batch in piece.batches(32):
        for number, eeg, power in zip(batch.label_id - piece.first, batch.eeg, batch.spectrogram, strict=True):
            if piece.recorded[number]:
                yield float(piece.onsets_s[number]), eeg, power


VOTES = f"recording,time_s,{','.join(VOTE_COLUMNS)}"


def test_votes_for_the_same_ten_seconds_add_up_and_either_kind_of_table_gives_the_same(ward: Path, tmp_path: Path):
    single = ["recording,time_s,label", "night.edf,50,GPD", "night,50.0,gpd", "day,80,Seizure", "ward/night,50,other"]
    several = [VOTES, "night,50,0,0,1,0,0,1", "day,80,1,0,0,0,0,0", "night,50,0,0,1,0,0,0"]
    for name, lines in (("a", single), ("b", several)):
        (tmp_path / name).mkdir()
        collect(ward, table(tmp_path / name / "labels.csv", *lines))
    rows = read_labels(tmp_path / "a/corpus/train.csv")
    assert rows.columns == [*LABEL_COLUMNS, "line"]
    assert rows.select("expert_consensus", *VOTE_COLUMNS).rows() == [
        ("Seizure", 1, 0, 0, 0, 0, 0),
        ("GPD", 0, 0, 2, 0, 0, 1),
    ]
    made = [contents(tmp_path / name / "corpus") for name in "ab"]
    assert [name for name in made[0] if made[0][name] != made[1][name]] == ["collected.json"]


def test_the_same_recordings_and_labels_give_the_same_bytes_anywhere(ward: Path, tmp_path: Path):
    lines = ["time_s,label,recording,patient_id", "50,GPD,night,x", "99,LPD,day,y", "14.333,LPD,day,y"]
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(ward, there / "elsewhere")
    for recordings, folder in ((ward, here), (there / "elsewhere", there)):
        folder.mkdir(exist_ok=True)
        collect(recordings, table(folder / "labels.csv", *lines))
    made = [contents(folder / "corpus") for folder in (here, there)]
    assert made[0] == made[1]
    assert sum(name.endswith(".parquet") for name in made[0]) == 6


def test_labels_share_an_eeg_while_their_windows_overlap_with_its_first(ward: Path, tmp_path: Path):
    times_s = [2, 10, 51.9, 52, 60, 98]
    labels = table(tmp_path / "labels.csv", "recording,time_s,label", *(f"day,{time_s},Other" for time_s in times_s))
    collect(ward, labels)
    rows = read_labels(tmp_path / "corpus/train.csv")
    starts_s = dict(pl.read_csv(tmp_path / "corpus/recordings.csv").select("eeg_id", "start_s").rows())
    assert [*starts_s.values()] == [-23, 27]
    offsets_s = rows["eeg_label_offset_seconds"].to_list()
    assert offsets_s == pytest.approx([0, 8, 49.9, 0, 8, 46])
    found_s = [starts_s[eeg_id] + offset_s + 25 for eeg_id, offset_s in zip(rows["eeg_id"], offsets_s, strict=True)]
    assert found_s == pytest.approx(times_s)
    assert rows["spectrogram_label_offset_seconds"].to_list() == [0, 8, 50, 0, 8, 46]


def test_patients_keep_whole_numbers_and_other_names_have_one_of_their_own():
    assert [patient_number(name) for name in ("12", "7", "0")] == [12, 7, 0]
    others = ["07", "-1", "1.5", "anna", "ben", "1" * 30]
    assert len({patient_number(name) for name in others}) == len(others)
    assert min(patient_number(name) for name in others) > 1000


def test_ids_stay_when_recordings_are_added_or_moved(ward: Path, tmp_path: Path):
    lines = ["recording,time_s,label,patient_id", "night,50,GPD,ben", "night,90,LPD,ben"]
    collect(ward, table(tmp_path / "labels.csv", *lines))
    before = read_labels(tmp_path / "corpus/train.csv")
    shutil.rmtree(tmp_path / "corpus")
    mine = Path(shutil.copytree(ward, tmp_path / "mine"))
    (mine / "sub").mkdir()
    (mine / "night.edf").rename(mine / "sub/renamed.edf")
    moved = [line.replace("night", "sub/renamed") for line in lines]
    collect(f"{mine}/**/*", table(tmp_path / "labels.csv", *moved, "day,50,GPD,aaron"))
    after = read_labels(tmp_path / "corpus/train.csv")
    assert before.drop("line").equals(after.join(before, on="patient_id", how="semi").drop("line"))
    assert len(after) == len(before) + 1
    assert after["label_id"].is_unique().all()


def test_a_recording_that_is_there_twice_is_told(ward: Path, tmp_path: Path):
    mine = Path(shutil.copytree(ward, tmp_path / "mine"))
    shutil.copy(mine / "night.edf", mine / "copy.edf")
    lines = ["recording,time_s,label,patient_id", "night,50,GPD,ben", "copy,50,GPD,ben"]
    *_, said = refused(mine, *lines, at=tmp_path)
    assert said.endswith("night.edf: want each EEG once, got one that is in 'copy.edf' of patient 'ben', too")
    *_, said = refused(mine, lines[0], "night,50,GPD,ben", "copy,50,GPD,anna", at=tmp_path)
    assert said.endswith("night.edf: want each EEG once, got one that is in 'copy.edf' of patient 'anna', too")
    labels = table(tmp_path / "labels.csv", lines[0], "night,50,GPD,ben", "copy,50,GPD,anna")
    assert "1 label, 1 EEG, 1 recording, 1 patient" in collect(mine, labels, "on_bad=skip")[0]


def test_an_eeg_keeps_its_ids_under_another_name_of_the_patient(ward: Path, tmp_path: Path):
    ids = []
    for name in ("ben", "anon-1"):
        labels = table(tmp_path / "labels.csv", "recording,time_s,label,patient_id", f"night,50,GPD,{name}")
        collect(ward, labels, f"out={tmp_path / name}")
        ids.append(read_labels(tmp_path / name / "train.csv"))
    columns = ["eeg_id", "label_id"]
    assert ids[0].select(columns).equals(ids[1].select(columns))
    assert ids[0]["patient_id"][0] != ids[1]["patient_id"][0]


def test_without_patients_each_recording_is_one_and_what_is_not_read_is_said(ward: Path, tmp_path: Path):
    lines = ["recording,time_s,label,patient,note", "night,50,GPD,x,", "day,50,GPD,x,clear"]
    labels = table(tmp_path / "labels.csv", *lines)
    out, err = collect(ward, labels)
    assert f"{labels}: not read: 'patient', 'note'; did you mean 'patient_id'?" in err
    assert "each recording counts as a patient of its own; patients= takes a table of recording,patient_id" in err
    assert "2 recordings, 2 patients" in out
    origins = pl.read_csv(tmp_path / "corpus/recordings.csv")
    assert origins["patient"].to_list() == origins["recording"].to_list() == ["day.edf", "night.edf"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["recording|time_s|label", "x|5|GPD"], [("lacks 'recording', 'time_s' (or 'onset_s' and 'duration_s'), "
         "'label' (or the six columns of votes), it has 'recording|time_s|label'; want commas, semicolons or tabs"
         " between columns")]),
        (["recording,time_s,label", "night,5,GPD,,", "day,14,5,GPD"], [("line 3: want 3 values, as in the first line, "
         "got 4; quote values with a comma, and write 1.5 for 1,5")]),
        (["", "recording,time_s,label"], ["want the names of the columns in the first line, got none"]),
        (["recording,time_s,label", 'night,5,"GPD'], ["not a CSV file (unexpected end of data)"]),
        (["recording,time_s"], ["lacks 'label' (or the six columns of votes), it has 'recording', 'time_s'"]),
        (["recording,time_s,lpd_vote", "night,5,1"], [("lacks 'seizure_vote', 'gpd_vote', 'lrda_vote', 'grda_vote', "
         "'other_vote', it has 'recording', 'time_s', 'lpd_vote'")]),
        (["recording,time_s,label,lpd_vote"], ["want either the column 'label' or the six of votes, got both"]),
        (["recording,time_s,label, label"], ["want each column once, got 'label' twice"]),
        (["recording,time_s,label"], ["want at least one row, got none"]),
        (["recording,time_s,label", ",,"], ["want at least one row, got none"]),
        (
            ["recording,time_s,label,patient_id", "night,5,GPDs,1", "nihgt,nan,GPD,1", "gone.edf,-1,GPDs,1",
             "night,50,grdb,2", "day,,LPD,"],
            ["line 3, column 'time_s': want a number, got 'nan'; want seconds from the beginning of the recording",
             "line 6, column 'patient_id': want a name, got nothing",
             "line 4, column 'time_s': want 0 s or more, got -1",
             ("line 2, column 'label': want Seizure, LPD, GPD, LRDA, GRDA, Other, got 'GPDs'; did you mean 'GPD'? "
             "(and 1 more row)"),
             "line 5, column 'label': want Seizure, LPD, GPD, LRDA, GRDA, Other, got 'grdb'; did you mean 'GRDA'?",
             "line 3, column 'recording': want one of 3 recordings, got 'nihgt'; did you mean 'night'?",
             "line 4, column 'recording': want one of 3 recordings, got 'gone.edf'",
             "line 5, column 'patient_id': want one patient for 'night.edf', got '1' and '2'"],
        ),
        (
            [VOTES, "night,5,0,0,0,0,0,0", "night,15,1,0,-1,0,0,2", "night,25,0.5,0,nan,,0,1"],
            ["line 4, column 'seizure_vote': want a whole number, got '0.5'",
             "line 4, column 'gpd_vote': want a whole number, got 'nan'",
             "line 4, column 'lrda_vote': want a whole number, got nothing",
             "line 3, column 'gpd_vote': want 0 to 1,000 votes, got -1",
             "line 2, column 'seizure_vote ... other_vote': want at least one vote, got none"],
        ),
    ],
)  # fmt: skip
def test_all_mistakes_in_a_table_are_told_in_a_line_each(lines: list[str], said: list[str], ward: Path, tmp_path: Path):
    assert refused(ward, *lines, at=tmp_path) == said


def test_a_folder_that_is_not_there_is_named(ward: Path, tmp_path: Path):
    labels = table(tmp_path / "labels.csv", "recording,time_s,label", "day,50,GPD")
    _, err = collect(f"[{ward},{tmp_path / 'wardd'}]", labels, code=1)
    assert err == f"recording: no such file or folder: {tmp_path / 'wardd'}\n"


def test_labels_after_the_end_and_bad_recordings_are_told_together(ward: Path, tmp_path: Path):
    mine = Path(shutil.copytree(ward, tmp_path / "mine"))
    (mine / "broken.edf").write_bytes(b"no recording")
    write_edf(mine / "few.edf", noise(20, 200)[:9], SCALP[:9], 200)
    lines = ["recording,time_s,label", "day,100,GPD", "day,100.5,GPD", "day,200,LPD", "broken,5,GPD", "few,5,GPD"]
    late, head, broken, few = refused(mine, *lines, at=tmp_path)
    assert late == "line 3, column 'time_s': want up to 100 s, the end of 'day.edf', got 100.5 (and 1 more row)"
    assert head == "2 of 3 recordings cannot be used; on_bad=skip leaves them out:"
    assert broken.startswith("  broken.edf: ")
    assert few.startswith("  few.edf: want at least 15 of the 19 electrodes")
    labels = table(tmp_path / "labels.csv", *(line for line in lines if "200" not in line and "100.5" not in line))
    out, err = collect(mine, labels, "on_bad=skip")
    assert "2 of 3 recordings cannot be used; left out:" in err
    assert "1 label, 1 EEG, 1 recording, 1 patient" in out
    assert len([*(tmp_path / "corpus/train_eegs").iterdir()]) == 1
    shutil.rmtree(tmp_path / "corpus")
    head, *_ = refused(mine, lines[0], *lines[-2:], words=("on_bad=skip",), at=tmp_path)
    assert head == "2 of 2 recordings cannot be used:"


def test_a_recording_that_breaks_off_leaves_nothing_behind(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(2000, 64), SCALP, 64)
    whole = recorded(path)

    def read(first: int, last: int) -> np.ndarray:
        if last > 1500 * 64:
            raise DataError("cannot be read to its end")
        return whole.source.read(first, last)

    broken = whole._replace(blocks=Blocks(Resampler(read, whole.source.samples, 64), whole.source.leads, []))
    labels = pl.DataFrame({"onset_s": [30.0, 80.0, 1900.0]}).with_columns(
        pl.lit("x").alias("recording"), pl.lit("x").alias("patient"), *(pl.lit(1).alias(name) for name in VOTE_COLUMNS)
    )
    writer = Writer(tmp_path)
    with pytest.raises(DataError, match="to its end"):
        writer.add(broken, labels)
    assert [*tmp_path.glob("train_*/*"), *writer.rows] == []
    assert writer.add(broken, labels[:2]) == []
    assert len([*tmp_path.glob("train_*/*")]) == 2 * len(writer.rows) == 4


def test_labels_where_nothing_is_predicted_are_left_out_with_a_line(tmp_path: Path):
    values, bad = noise(300, 200), b"+200\x1510\x14BAD_movement\x14\0"
    values[:, 20_000:26_000] = 0
    write_edf(tmp_path / "x.edf", values, SCALP, 200, starts_s=range(300), annotated={200: bad})
    rows = (f"x,{time_s},GPD" for time_s in (50, 115, 205, 250))
    out, err = collect(tmp_path / "x.edf", table(tmp_path / "labels.csv", "recording,time_s,label", *rows))
    why = "without a signal, or with too many flat electrodes (at 115 s); marked in the file as bad or as a check of"
    assert f"  2 labels left out, where nothing is predicted either: {why} the electrodes (at 205 s).\n" in err
    assert "2 labels, 2 EEGs" in out
    assert [onset_s for _, onset_s in labelled_windows(tmp_path / "corpus")[0]] == [45, 245]
    shutil.rmtree(tmp_path / "corpus")
    said = refused(tmp_path / "x.edf", "recording,time_s,label", "x,115,GPD", at=tmp_path)
    assert said[-1] == "labels: want some where something was recorded, got none"


def test_a_name_may_be_a_path_and_one_that_is_two_recordings_is_refused(ward: Path, tmp_path: Path):
    for patient in ("p1", "p2"):
        shutil.copytree(ward, tmp_path / f"mine/{patient}", ignore=shutil.ignore_patterns("day*"))
    write_edf(tmp_path / "mine/p2/night.edf", noise(100, 200, seed=9), SCALP, 200)
    everywhere, head = f"{tmp_path}/mine/**/*", "recording,time_s,label"
    labels = table(
        tmp_path / "labels.csv",
        head,
        "p1/night,50,GPD",
        "mine/p2/night.edf,50,LPD",
        f"{tmp_path}/mine/p1/evening,50,LPD",
    )
    assert "3 recordings, 3 patients" in collect(everywhere, labels)[0]
    origins = pl.read_csv(tmp_path / "corpus/recordings.csv")
    assert origins["recording"].to_list() == ["p1/evening.edf", "p1/night.edf", "p2/night.edf"]
    assert origins["eeg_id"].n_unique() == 3
    shutil.rmtree(tmp_path / "corpus")
    both = f"'{tmp_path}/mine/p1/night.edf' and '{tmp_path}/mine/p2/night.edf'"
    (said,) = refused(everywhere, head, "night,50,GPD", at=tmp_path)
    wish = f"want one recording, got 'night', which is {both}: name it with its folder or ending"
    assert said == f"line 2, column 'recording': {wish}"


def test_a_complete_corpus_is_left_alone_and_another_folder_is_refused(ward: Path, tmp_path: Path):
    labels = table(tmp_path / "labels.csv", "recording,time_s,label", "day,50,GPD")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    first = collect(ward, labels)[0]
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert collect(ward, labels)[0] == first
    for words, what in ((["unit=uV", "channels={1: Fp1}"], "unit and channels"), ([], "labels")):
        if what == "labels":
            table(labels, "recording,time_s,label", "day,51,GPD")
        said = collect(ward, labels, *words, code=1)[1].splitlines()[-1]
        with_other = f"which holds a corpus that was collected with other {what}"
        assert said == f"out: want a new folder, got '{corpus}', {with_other}; delete it or choose another"
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before
    said = collect(ward, labels, f"out={ward}", code=1)[1].splitlines()[-1]
    assert (
        said == f"out: want a new folder, got '{ward}', which holds what was not collected; delete it or choose another"
    )


def test_channels_and_unit_are_read_as_by_predict(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(100, 200) / 1e3, ["Q1", *SCALP[1:]], 200)
    head, row = "recording,time_s,label", "x,45,GPD"
    (_, said) = refused(path, head, row, at=tmp_path)
    assert "are they mV or V? Say which with unit=nV, unit=uV, unit=mV, unit=V" in said
    collect(path, table(tmp_path / "labels.csv", head, row), "unit=mV", "channels={Q1: Fp1}")
    _, batch = labelled_windows(tmp_path / "corpus")
    (piece,) = pieces(recorded(path, unit="mV", channels={"Q1": "Fp1"}), 10, True)
    (want,) = piece.batches(32)
    np.testing.assert_array_equal(batch.eeg[0], want.eeg[4])


def test_a_model_is_trained_and_scored_by_the_commands_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = ["recording,time_s,patient_id,label"]
    for number in range(3):
        write_edf(tmp_path / f"{number}.edf", noise(160, 200, seed=number), SCALP, 200)
        rows += [
            f"{number},{time_s},patient {number},{name}" for time_s, name in ((20, "GPD"), (90, "Other"), (95, "LPD"))
        ]
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "labels.csv", *rows)
    out, _ = hms("collect", "recording=*.edf", "labels=labels.csv", "out='my, own'")
    own = """'data.root="my, own"'"""
    assert out.splitlines() == [
        "my, own: 9 labels, 6 EEGs, 3 recordings, 3 patients; next:",
        f"  python -m hms.evaluate runs/<name>-<hash> data=competition {own}",
        f"  python -m hms.train -m experiment=quick 'fold=range(0,3)' folds=3 data=competition {own} subset=all_votes",
    ]
    score, train = (shlex.split(line)[3:] for line in out.splitlines()[1:])
    small = ["trainer=cpu", "epochs=1"]
    hms("train", *train, *small)
    (run,) = tmp_path.glob("runs/quick-*")
    hms("evaluate", str(run), *score[1:], "accelerator=cpu")
    (scored,) = run.glob("evaluation/*/evaluation.json")
    assert json.loads(scored.read_text())["rows"] == 9
    said = hms("prepare", *score[1:])[0]
    assert "9 rows, 6 EEGs, 3 patients" in said
    table(tmp_path / "one.csv", "recording,time_s,label", *(f"0,{time_s},LPD" for time_s in (20, 100)))
    out, _ = hms("collect", "recording=*.edf", "labels=one.csv", "out=one")
    assert (
        out.splitlines()[-1]
        == "  python -m hms.train experiment=quick fold=all data=competition data.root=one subset=all_votes"
    )
    hms("train", *out.splitlines()[-1].split()[3:], *small)


def test_many_votes_and_patients_need_no_words(ward: Path, tmp_path: Path):
    rows = (f"day,{time_s},p,0,0,10,0,0,0" for time_s in (20, 90))
    labels = table(tmp_path / "labels.csv", f"recording,time_s,patient_id,{','.join(VOTE_COLUMNS)}", *rows)
    assert (
        collect(ward, labels)[0]
        .splitlines()[-1]
        .endswith(f" fold=all data=competition data.root={tmp_path / 'corpus'}")
    )


def test_without_a_table_annotations_that_name_a_class_vote_on_the_ten_seconds_that_they_cover_by_half(tmp_path: Path):
    notes = [
        (14.9, 20.2, "Seizure"),
        (20, 10, "seizure"),
        (20, 10, "GPD"),
        (52, 0, "GPD"),
        (62, 4, "LPD"),
        (40, 9, "x"),
    ]
    stored = b"".join(b"+%g\x15%g\x14%b\x14\0" % (*at, text.encode()) for *at, text in notes[:3])
    more = b"".join(b"+%g\x15%g\x14%b\x14\0" % (*at, text.encode()) for *at, text in notes[3:])
    path = tmp_path / "x.edf"
    write_edf(path, noise(80, 200), SCALP, 200, starts_s=range(80), annotated={1: stored, 2: more})
    write_edf(tmp_path / "y.edf", noise(80, 200), SCALP, 200)
    words = [f"recording={tmp_path}", f"out={tmp_path / 'corpus'}"]
    out, err = hms("collect", *words)
    assert "labels are the recordings' own annotations\neach recording counts as a patient of its own" in err
    assert "3 labels, 1 EEG, 1 recording, 1 patient; next:" in out
    rows = read_labels(tmp_path / "corpus/train.csv")
    assert [onset_s for _, onset_s in labelled_windows(tmp_path / "corpus")[0]] == [10, 20, 30]
    assert rows.select("seizure_vote", "gpd_vote").rows() == [(1, 0), (2, 1), (1, 0)]
    assert hms("collect", *words)[0] == out
    said = hms("collect", f"recording={tmp_path / 'y.edf'}", f"out={tmp_path / 'none'}", code=1)[1]
    called = "annotations that are called Seizure, LPD, GPD, LRDA, GRDA, Other, or as terms= says, and last 5 s or more"
    assert said == f"labels: want a table, or {called}, got none in 1 recording\n"


def test_channels_must_connect_all_electrodes_as_any_model_may_read_them(tmp_path: Path):
    path = tmp_path / "x.edf"
    write_edf(path, pairs_of(noise(100, 200), DOUBLE_BANANA), DOUBLE_BANANA, 200)
    (_, said) = refused(path, "recording,time_s,label", "x,50,GPD", at=tmp_path)
    assert "want channels that connect Fp1 and Fz, which a model subtracts, got 3 separate groups" in said
