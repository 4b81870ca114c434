"""`hms.run_folders`: a name is read as it was written, and nothing else is taken for one."""

from pathlib import Path

import pytest

from hms.run_folders import FoldName, RunName, counts_of, folds_with, grid, model_file, to_predict_by


@pytest.mark.parametrize(
    "name",
    [
        *(FoldName(0, 0), FoldName(4, 12), FoldName(10, 4294967295), FoldName("all", 3)),
        *(RunName("quick", "6e9676ef"), RunName("stft+wavenet", "00000000"), RunName("a-66af54bc", "7861a7b5")),
    ],
    ids=str,
)
def test_a_name_is_read_as_it_was_written(name: FoldName | RunName):
    assert type(name).parse(str(name)) == name


@pytest.mark.parametrize("text", ["quick", "-6e9676ef", "quick-6e9676e", "quick-6E9676EF", "quick-6e9676ef.old"])
def test_no_other_text_is_the_name_of_a_run(text: str):
    assert RunName.parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "fold0",
            "fold0_seed",
            "fold_seed0",
            "fold0_seed0.old",
            "fold0_seed0\n",
            "my_fold0_seed0",
            "fold00_seed0",
        ),
        *("fold0_seed01", "fold-1_seed0", "fold0_seed-1", "foldAll_seed0", "fold٣_seed0", "fold0_seed0/x"),
    ],
)
def test_no_other_text_is_the_name_of_a_fold(text: str):
    assert FoldName.parse(text) is None


def test_only_folds_of_the_run_that_hold_the_file_are_found(tmp_path: Path):
    for name in ("fold1_seed0", "fold0_seed0", "foldall_seed0", "fold0_seed0_backup", "pretrain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.json").touch()
    (tmp_path / "fold2_seed0").mkdir()
    found = folds_with(tmp_path, "scores.json")
    assert [fold.name for fold in found] == ["fold0_seed0", "fold1_seed0", "foldall_seed0"]


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (["fold0_seed0", "fold1_seed0", "fold0_seed1"], (2, 2)),
        (["fold0_seed0.safetensors", "fold1_seed0.safetensors"], (2, 1)),
        (["best"], (1, 1)),
        (["best", "fold0_seed0"], (2, 2)),
    ],
)
def test_folds_and_seeds_are_counted_once_each(names: list[str], counts: tuple[int, int]):
    assert counts_of(map(Path, names)) == counts


@pytest.mark.parametrize(
    ("fold", "name", "file"),
    [
        ("a-1/fold2_seed1", FoldName(2, 1), "a-1/fold2_seed1/model.ckpt"),
        ("bundle/foldall_seed0.safetensors", FoldName("all", 0), "bundle/foldall_seed0.safetensors"),
        ("a-1/fold2_seed1.old", None, "a-1/fold2_seed1.old/model.ckpt"),
        ("bundle/best.safetensors", None, "bundle/best.safetensors"),
    ],
)
def test_a_fold_is_known_by_its_folder_or_its_weights_in_a_bundle(fold: str, name: FoldName | None, file: str):
    assert (FoldName.of(Path(fold)), model_file(Path(fold))) == (name, Path(file))


def test_a_grid_has_each_fold_of_each_seed_that_is_not_of_all_patients_alone():
    folds = [Path(name) for name in ("fold1_seed10", "fold0_seed2", "foldall_seed7", "best")]
    assert [*map(str, grid(folds, range(2)))] == ["fold0_seed2", "fold1_seed2", "fold0_seed10", "fold1_seed10"]
    assert to_predict_by(folds) == [folds[0], folds[1], folds[3]]
    assert to_predict_by(folds[2:3]) == folds[2:3]
