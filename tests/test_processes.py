"""Several processes that train one model together learn the same as a single process."""

import copy
import subprocess
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from conftest import python
from lightning.pytorch.strategies import FSDPStrategy
from small_parts import Plain
from together import decide_together
from torch import nn
from trainings import composed, only_fold

from hms.backbone import TimmBackbone
from hms.config.build import build
from hms.data.distributed import Batches, part_of
from hms.data.store import Store, open_store
from hms.data.windows import OneRowPerEeg, Windows
from hms.errors import UserError
from hms.model import Model
from hms.subset import Subset
from hms.system.processes import ALONE, Process, run_in_processes
from hms.training import trainer
from hms.training.fit import fit
from hms.training.module import Classifier
from hms.training.synced_norms import SyncedNorms

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*")

TWO = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.precision=32-true", "trainer.sync_batchnorm=false"]
"""SyncBatchNorm works on GPUs only."""


def train_plain(given: dict[str, Any]) -> float:
    """Train a plain model in all processes of the group; metrics.csv in the given folder has the losses."""
    config, folder = given["config"], given["folder"]
    made = trainer.make(config["trainer"])
    process = Process(made.global_rank, made.world_size)
    rows = given["rows"]
    windows = Windows(open_store(given["store"]), rows)
    torch.manual_seed(0)
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    optimizer, schedule = partial(torch.optim.AdamW, lr=1e-2), partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    parts = (build(config["loss"]), augmentations, build(config["weighting"]), optimizer, schedule)
    model = Model(build(config["preprocess"]), {"plain": Plain()}, build(config["fusion"]), False, False)
    module = Classifier(model, *parts, lr_scale={}, seed=0)
    learn, check = windows.loader(5, OneRowPerEeg(rows, 0), process), windows.loader(5, process=process)
    trainer.train(module, config["trainer"], folder, learn, check, [], [])
    return float(process.world_size)


def train_plain_and_decide(given: dict[str, Any]) -> float:
    """Train, and then decide in the same processes, for starting them takes longest."""
    (given["folder"] / f"world{train_plain(given):.0f}").touch()
    return decide_together(given["folder"])


def test_two_processes_have_the_same_loss_as_one_and_the_first_decides_for_both(
    corpus: Path, store: Store, tmp_path: Path
):
    eegs = store.rows["eeg_id"].unique(maintain_order=True)[:15]  # three batches of five, so that a row is repeated
    given = {"rows": store.rows.filter(pl.col("eeg_id").is_in(eegs.implode())), "store": store.path}
    augmentation = "augmentation=[brain_flip,noise,cropcat]"
    each = {
        name: given | {"config": composed(corpus, tmp_path, augmentation, *words), "folder": tmp_path / name}
        for name, words in {"one": [], "two": ["trainer=ddp", *TWO]}.items()
    }
    for one in each.values():
        one["folder"].mkdir()
    assert train_plain(each["one"]) == 1
    with pytest.raises(UserError, match=r"^process 0: nowhere to write to$"):
        run_in_processes(train_plain_and_decide, each["two"], 2)
    assert {path.name for path in (tmp_path / "two").glob("[kw]*[0-9]")} == {"knows0", "knows1", "world2"}
    curves = [pl.read_csv(tmp_path / name / "metrics.csv") for name in each]
    assert len(curves[0]) == 3
    for name in ("train_loss", "val_kl"):
        assert curves[0][name].n_unique() == 3
        assert (curves[0][name] - curves[1][name]).abs().max() < 1e-5


def test_training_starts_its_processes_and_predicts_each_held_out_row_once(corpus: Path, tmp_path: Path, store: Store):
    config = composed(corpus, tmp_path, "trainer=ddp", *TWO, "epochs=1", "batch_size=3", "averaging=ema")
    config["measure_norms"] = False  # what predicts is what was validated
    kl = fit(config)
    run = only_fold(tmp_path / "runs")
    expected = "config.yaml learned_from.parquet metrics.csv model.ckpt oof.parquet provenance.json scores.json "
    expected += "teacher.parquet"
    assert sorted(path.name for path in run.iterdir()) == expected.split()
    oof = pl.read_parquet(run / "oof.parquet")
    held_out = store.rows.filter(pl.col("patient_id").is_in(oof["patient_id"].implode()))
    assert sorted(oof["label_id"]) == sorted(Subset(1, None, 25, 1).validation(held_out)["label_id"])
    assert oof["label_id"].is_unique().all()
    assert pl.read_csv(run / "metrics.csv")["val_kl"].to_list() == pytest.approx([kl], abs=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_parts_of_a_batch_make_the_whole_and_are_equally_long(rows: int, world: int):
    order = torch.randperm(rows).tolist()
    each = [[*Batches(order, 5, Process(rank, world))] for rank in range(world)]
    for index, batch in enumerate(Batches(order, 5, ALONE)):
        parts = [batches[index] for batches in each]
        assert len({len(part) for part in parts}) == 1
        assert Batches(order, 5, Process(0, world)).rows(index) == len(batch)
        own = [part[: Process(rank, world).own_rows(len(batch))] for rank, part in enumerate(parts)]
        assert sorted(chain(*own)) == sorted(batch)
        for rank, part in enumerate(parts):
            assert part_of(torch.tensor(batch), Process(rank, world)).tolist() == part


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (5, [5]), (6, [3, 3]), (11, [4, 4, 3]), (15, [5, 5, 5])])
def test_all_batches_are_of_about_one_size_so_that_no_row_is_left_over_alone(rows: int, sizes: list[int]):
    order = torch.randperm(rows).tolist()
    batches = [*Batches(order, 5, ALONE)]
    assert [len(batch) for batch in batches] == sizes
    assert [*chain(*batches)] == order


def test_any_strategy_but_ddp_is_refused_by_name():
    node = {"_target_": "lightning.Trainer", "accelerator": "cpu", "devices": 2, "sync_batchnorm": False}
    with pytest.raises(UserError, match=r"trainer\.strategy: want ddp, got one that starts its processes by spawn"):
        trainer.make(node | {"strategy": "ddp_spawn"})
    with pytest.raises(UserError, match=r"trainer\.strategy: want ddp for several processes, got FSDPStrategy"):
        trainer._want_known_strategy(FSDPStrategy())  # which Lightning accepts only with a GPU


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sync_batchnorm": True}, r"trainer\.sync_batchnorm: want false on a CPU"),
        ({"num_nodes": 2}, r"trainer\.num_nodes: want 1, or processes that torchrun or srun starts on every node"),
    ],
)
def test_options_that_cannot_work_here_are_refused_before_any_process_starts(options: dict[str, Any], message: str):
    node = {"_target_": "lightning.Trainer", "accelerator": "cpu", "devices": 2, "strategy": "ddp"}
    node["sync_batchnorm"] = False
    with pytest.raises(UserError, match=message):
        trainer.processes_to_start(trainer.make(node | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 2}, r"trainer\.devices: want 1, or trainer\.sync_batchnorm=false for several processes, got 2"),
        ({"precision": "16-mixed"}, r"trainer\.precision: want 32-true or bf16-mixed on a CPU, got 16-mixed"),
    ],
)
def test_what_would_give_other_weights_under_the_same_name_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        trainer.make({"_target_": "lightning.Trainer", "accelerator": "cpu"} | options)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet"])  # with and without activations in its norms
def test_synced_norms_change_no_network_and_return_what_they_learned(name: str):
    backbone = TimmBackbone(name, False, None, 0.0, None, False)
    model = nn.ModuleDict({"one": backbone, "same": backbone})
    classes = [type(part) for part in model.modules()]
    image, plain = torch.randn(3, 1, 64, 64), copy.deepcopy(model).train()
    syncing = SyncedNorms()
    synced = syncing.apply(model).train()
    assert any(isinstance(part, nn.SyncBatchNorm) for part in synced.modules())
    for training in (True, False):  # in one process nothing is shared
        torch.testing.assert_close(synced.train(training)["one"](image), plain.train(training)["one"](image))
    given = syncing.revert(synced)
    assert [type(part) for part in given.modules()] == classes
    torch.testing.assert_close(given.state_dict(), plain.state_dict())
    torch.testing.assert_close(given["same"](image), plain["same"](image))


@pytest.mark.slow
def test_of_two_torchrun_commands_one_trains_a_fold_and_the_other_waits_for_it(
    corpus: Path, store: Store, tmp_path: Path
):
    places = [f"data.root={corpus}", "data.size=tiny", f"stores={store.path.parent}", f"runs={tmp_path / 'runs'}"]
    small = ["experiment=smoke", "extractor=stft_short", "flips=false", "trainer=ddp", *TWO]
    torchrun = [
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0",
    ]
    command = python(*torchrun, "-m", "hms.train", *small, *places, f"hydra.run.dir={tmp_path}")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    assert sum("epoch 1/2" in one for one in said) == 1
    waited = [one.count("another process is training") or one.count("is already trained") for one in said]
    assert sorted(waited) == [0, 1]
    run = only_fold(tmp_path / "runs")
    assert pl.read_parquet(run / "oof.parquet")["label_id"].is_unique().all()
    assert not [*run.parent.glob(".*")]
