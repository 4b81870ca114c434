"""Learn from an earlier run's predictions as well as the experts' votes: a panel of three says little, and the teacher
has seen many similar EEGs.

Source: noisy student (Xie et al. 2020, arXiv 1911.04252), as in the 15th-place solution. The teacher predicts each
window with the fold that held out its patient. But that fold's model has learned from patients whom the student holds
out, so a student's out-of-fold score is slightly optimistic.
"""

from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from hms.batch import Batch
from hms.labels import CLASSES
from hms.ranges import want_probability
from hms.run_folders import teacher_files, want_teachers
from hms.scoring.scores import read_predictions


class TeacherLabels:
    """Replace a window's target, with probability `p`, by the mean prediction of the folds that held out its patient.

    `runs` are run folders with finished folds (`teacher.parquet` in each). Windows that none of them predicted keep
    their target; weights never change. Raises UserError if a run has no finished fold.
    """

    acts_on = "electrodes"

    def __init__(self, runs: list[str], p: float):
        want_probability(p=p)
        want_teachers(runs, "augmentation.teacher_labels.runs")
        files = [file for run in runs for file in teacher_files(Path(run))]
        tables = [read_predictions(file).select("label_id", *CLASSES) for file in files]
        mean = pl.concat(tables).group_by("label_id").mean().sort("label_id")
        self.label_id = torch.from_numpy(mean["label_id"].to_numpy().copy())
        self.target = torch.from_numpy(mean.select(CLASSES).to_numpy().astype("float32"))
        self.p = p

    def __call__(self, batch: Batch) -> Batch:
        label_id, target = self._table(batch.target.device)
        place = torch.searchsorted(label_id, batch.label_id).clamp(max=len(label_id) - 1)
        taught = (label_id[place] == batch.label_id) & (torch.rand(len(place), device=place.device) < self.p)
        return batch._replace(target=torch.where(taught[:, None], target[place].to(batch.target.dtype), batch.target))

    def _table(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The teacher's predictions on a device, moved there once."""
        if self.label_id.device != device:
            self.label_id, self.target = self.label_id.to(device), self.target.to(device)
        return self.label_id, self.target
