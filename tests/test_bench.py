"""The benchmark compares like with like, and its own arithmetic is right."""

import json
import mmap
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from material import config

from hms.config.build import build
from hms.cost import Rates, training_step_s
from hms.data.store import Store
from hms.data.windows import Windows
from scripts.bench import __main__ as bench
from scripts.bench import cost, data, gpu, measure, prediction, setting, simulator
from scripts.bench.measure import Figure, peak_mb, ratio
from scripts.plain_reference import PlainWavenet, PlainWindows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A folder of the benchmarks with the corpus that they would make, so that its store is built once."""
    made = tmp_path_factory.mktemp("bench")
    (made / "tiny").symlink_to(corpus)
    return made


def test_the_plain_batch_has_the_same_numbers_as_ours(store: Store, tmp_path: Path):
    rows = store.rows.head(3)
    for label_id, start in rows.select("label_id", "eeg_start").rows():
        np.save(tmp_path / f"{label_id}.npy", store.eeg[start : start + 10_000].astype(np.float32))
    preprocess = build(config("preprocess=original", "montage=pairs24")["preprocess"])
    ours = preprocess(next(iter(Windows(store, rows).loader(3)))).pairs
    plain = PlainWindows(tmp_path, rows["label_id"].to_list(), preprocess.montage.pairs, sigma=0.0)
    torch.testing.assert_close(torch.stack([plain[i] for i in range(3)]), ours, atol=1e-4, rtol=1e-4)
    noisy = PlainWindows(tmp_path, rows["label_id"].to_list(), preprocess.montage.pairs, sigma=0.1)[0] - plain[0]
    assert noisy[:, 4_500:5_500].std() == pytest.approx(0.1 / 3, rel=0.1)


def test_the_plain_wavenet_has_the_same_numbers_as_ours():
    small = {"blocks": 3, "channels": 6, "layers": 6, "span_s": 2}
    network = build(config("extractor=wavenet")["extractor"]["wavenet"] | small).networks["long"]
    pairs = torch.randn(2, 3, 400)
    plain = PlainWavenet(network)
    torch.testing.assert_close(plain(pairs), network(pairs).flatten(0, 1), atol=1e-4, rtol=1e-4)
    for one in (network, plain):
        one(pairs).square().mean().backward()
    for layer, convolution in zip(network.blocks[0].layers, plain.blocks[0].mishes, strict=True):
        ours = layer.dilated.weight.grad.chunk(3)[2]
        torch.testing.assert_close(convolution.weight.grad, ours, atol=1e-4, rtol=1e-4)


def test_a_ratio_is_the_median_over_workloads_that_take_turns(monkeypatch):
    turns, took = [], iter([9, 3, 8, 2, 1, 1])
    monkeypatch.setattr(measure, "seconds", lambda workload: turns.append(workload()) or next(took))
    assert ratio(lambda: "one", lambda: "other", pairs=3) == median([3, 4, 1])
    assert turns == ["one", "other"] * 3


def test_the_peak_includes_memory_that_a_workload_has_freed_again():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux")
    # Memory straight from the system: an array might reuse memory that this process has kept.
    assert 55 < peak_mb(lambda: np.frombuffer(mmap.mmap(-1, 2**26), np.uint8).fill(1)) < 90


def test_chosen_letters_are_measured_and_written_to_a_flat_json(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    benchmarks = {"a": lambda folder: iter([Figure("a_one", 1.5, "one thing / another", "<= 2", 3.0)]), "b": None}
    monkeypatch.setattr(bench, "letters", lambda: benchmarks)
    bench.main("a")
    assert json.loads(Path("bench.json").read_text()) == {"a_one": 1.5, "a_one_peak_mb": 3.0}
    printed = capsys.readouterr()
    assert "(a) one thing / another" in printed.out
    assert "No GPU here" in printed.out
    with pytest.raises(SystemExit, match="letters: want some of ab, got 'xz'"):
        bench.main("axz")


def test_an_estimate_counts_what_is_computed_and_what_is_made():
    rates = Rates(multiply_adds=2e9, elements=1e9)
    assert training_step_s(2e9, 0, rates) == pytest.approx(3 * 1.2)
    assert training_step_s(0, 1e9, rates) == pytest.approx(3 * 1.5)


@pytest.mark.parametrize(
    ("benchmark", "keys"),
    [
        (partial(data.store_build, pairs=1), {"a_store_build_over_polars"}),
        (partial(data.batches, pairs=1), {"b_plain_batch_over_batch"}),
        (partial(prediction.prediction, minutes=1), {"f_windows_per_s", "f_hours_per_minute"}),
        (partial(cost.estimates, times=1, settings={"quick": ("experiment=quick",)}), {"m_quick"}),
        (partial(simulator.simulation, count=1), {"s_windows_per_s", "s_recordings_per_s", "s_small_minutes"}),
    ],
    ids="abfms",
)
def test_the_benchmarks_that_need_no_large_network_run(benchmark, keys: set[str], folder: Path, monkeypatch):
    for module, constants in ((data, {"COPIES": 1, "BATCH": 2}), (prediction, {"BATCH": 2}), (cost, {"ROWS": 1})):
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
    measured = {figure.key: figure.value for figure in benchmark(folder)}
    assert keys <= {*measured}
    assert min(measured.values()) > 0


@pytest.mark.parametrize(
    "overrides", [gpu.STFT, gpu.MEMBER, *((*gpu.STFT, *one.split()) for one in gpu.VARIANTS.values())]
)
def test_gpu_benchmarks_use_valid_configs(overrides: tuple[str, ...]):
    assert setting.config(*overrides)["trainer"]["accelerator"] == "gpu"


@pytest.mark.filterwarnings("ignore")  # the profiler's
@pytest.mark.skipif(torch.cuda.is_available(), reason="the benchmark itself runs here")
def test_gpu_benchmarks_run(folder: Path, monkeypatch):
    small = ("experiment=smoke", "extractor=stft_short", "trainer=cpu", "data.root=x")
    variants = {"both": "trainer.precision=bf16-mixed +optimizer.fused=true", "compiled": "compile=true"}
    constants = {"TRAIN_EEGS": 96, "STFT": small, "MEMBER": small, "VARIANTS": variants}
    for name, value in (constants | {"compile_networks": lambda *_: None}).items():
        monkeypatch.setattr(gpu, name, value)
    measured = {figure.key: figure.value for figure in gpu.on_gpu(folder, steps=1)}
    keys = ["step_ms", "data_share", "gpu_busy", "fold_minutes", "member_step_ms", "member_busy", "member_fold_minutes"]
    keys += ["both_step_ms", "both_busy", "compiled_step_ms", "compiled_busy"]
    assert [*measured] == [f"h_{key}" for key in keys]
    assert measured["h_data_share"] < 1
    assert measured["h_gpu_busy"] > 0  # here the processor is the device
    assert min(measured.values()) > 0
