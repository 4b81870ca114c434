"""A student's teachers: what they teach, and which runs cannot be one."""

import pickle
from pathlib import Path

import polars as pl
import pytest
import torch
from omegaconf import OmegaConf
from trainings import chosen, only_fold
from untrained_runs import teacher

from hms.augmentation.teacher_labels import TeacherLabels
from hms.data.store import Store
from hms.data.windows import Windows
from hms.errors import UserError
from hms.labels import CLASSES
from hms.runs.provenance import open_fold
from hms.runs.teacher import want_same_corpus
from hms.runs.trained import Trained
from hms.subset import Subset
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_a_student_learns_the_teachers_predictions_for_held_out_patients(config: dict, tmp_path: Path, store: Store):
    for fold in range(2):
        fit(chosen(config | {"runs": str(tmp_path / "teacher")}, f"fold={fold}", "folds=3", "epochs=1"))
    (run,) = (tmp_path / "teacher").iterdir()
    said = pl.concat(pl.read_parquet(path) for path in sorted(run.glob("*/teacher.parquet"))).sort("label_id")
    rows = Subset(1, None, 25, 1).training(store.rows)
    # An ordinary DataLoader with workers pickles its windows; the project's own loaders have no workers.
    batch = pickle.loads(pickle.dumps(Windows(store, rows))).__getitems__(range(len(rows)))
    taught = TeacherLabels([str(run)], p=1.0)(batch)
    known = torch.isin(batch.label_id, torch.tensor(said["label_id"].to_list()))
    assert 0 < known.sum() < len(rows)  # nobody taught the third fold's patients
    assert torch.equal(taught.target[~known], batch.target[~known])
    order = [said["label_id"].to_list().index(label_id) for label_id in batch.label_id[known].tolist()]
    torch.testing.assert_close(taught.target[known], torch.tensor(said.select(CLASSES).to_numpy()[order]).float())
    assert torch.equal(taught.weight, batch.weight)

    torch.manual_seed(0)
    some = TeacherLabels([str(run)], p=0.15)(batch)
    changed = (some.target != batch.target).any(dim=1)
    assert not (changed & ~known).any()
    student = ["augmentation=[teacher_labels]", f"augmentation.teacher_labels.runs=[{run}]", "folds=3", "epochs=1"]
    wish = "augmentation.teacher_labels.runs: want runs with all of their 3 folds finished"
    with pytest.raises(UserError, match=f"  {wish}, got {run}, which lacks fold2_seed0; train"):
        fit(chosen(config | {"runs": str(tmp_path / "student")}, *student))
    fit(chosen(config | {"runs": str(tmp_path / "teacher")}, "fold=2", "folds=3", "epochs=1"))
    fit(chosen(config | {"runs": str(tmp_path / "student")}, *student))
    assert only_fold(tmp_path / "student").is_dir()


def test_a_teacher_is_recognised_under_any_name(config: dict, tmp_path: Path):
    started = Path(teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]}), "fold0_seed0/config.yaml")
    started.write_text(OmegaConf.to_yaml(config))
    node = {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": [str(tmp_path / "a")], "p": 0.5}
    student = config | {"augmentation": {"mine": node}}
    open_fold(tmp_path / "student", student, "corpus")
    assert [Trained(fold, [fold]).is_student for fold in (tmp_path / "student", started.parent)] == [True, False]
    with pytest.raises(UserError, match=r"augmentation\.mine\.runs: want runs with all of their .* folds finished"):
        fit(student)


def test_a_teacher_of_another_corpus_is_named(tmp_path: Path):
    runs = [teacher(tmp_path / name, {1: [1.0, 0, 0, 0, 0, 0], 5: [1.0, 0, 0, 0, 0, 0]}) for name in "ab"]
    want_same_corpus(runs, pl.Series([4, 5]))
    with pytest.raises(
        UserError, match=rf"^augmentation\.teacher_labels\.runs: want runs that .*, {runs[0]} knows none of its 2$"
    ):
        want_same_corpus(runs, pl.Series([3, 4]))


def test_a_teacher_without_finished_folds_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"teacher_labels.runs: want folders of runs, .* with finished folds, got /"):
        TeacherLabels([str(tmp_path)], p=0.15)
    with pytest.raises(UserError, match=r"finished folds, got none"):
        TeacherLabels([], p=0.15)
