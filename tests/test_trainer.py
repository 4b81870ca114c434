"""The Lightning trainer: which of its options are accepted, and what is said when the GPU's memory runs out."""

from pathlib import Path
from typing import Any

import pytest
import torch

from hms.config.build import build
from hms.data.store import Store
from hms.data.windows import Windows
from hms.errors import UserError
from hms.training.stages import classifier
from hms.training.trainer import make, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_trainer_options_that_hms_sets_itself_are_refused(config: dict):
    keys = "callbacks logger default_root_dir num_sanity_val_steps use_distributed_sampler enable_model_summary"
    for key in [*keys.split(), "enable_progress_bar", "enable_checkpointing", "barebones"]:
        with pytest.raises(UserError, match=rf"^trainer\.{key}: set by hms itself; leave it out$"):
            make(config["trainer"] | {key: None})


@pytest.mark.filterwarnings("ignore:.*supported for historical reasons")
def test_only_precisions_with_float32_weights_are_accepted(config: dict):
    for precision, same in {"32": "32-true", 32: "32-true", None: "32-true", "bf16": "bf16-mixed"}.items():
        assert make(config["trainer"] | {"precision": precision}).precision == same
    for precision in ("bf16-true", "16-true", "64-true", 64, "transformer-engine", "fp8"):
        said = rf"^trainer\.precision: want 32-true, 16-mixed or bf16-mixed, got {precision}$"
        with pytest.raises(UserError, match=said):
            make(config["trainer"] | {"precision": precision})


def test_a_gpu_whose_memory_runs_out_is_reported_with_what_to_do(
    config: dict, store: Store, tmp_path: Path, monkeypatch
):
    def step(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    module = classifier(config, config, build(config["model"]))
    monkeypatch.setattr(module, "training_step", step)
    said = r"a step needs more memory than the GPU has \(CUDA out of memory.*\); try backbone.grad_checkpointing=true"
    with pytest.raises(UserError, match=said):
        train(module, config["trainer"], tmp_path, Windows(store, store.rows.head(2)).loader(2), None, [], [])
