"""Windows simulated during training: reproducible, new in every epoch, and never on disk."""

import subprocess
from pathlib import Path

import material
import numpy as np
import polars as pl
import pytest
import torch
from conftest import python, stores_of
from material import config, equal
from torch import Tensor

from hms.config.build import build
from hms.electrodes import ELECTRODES
from hms.labels import CLASSES, vote_weight
from hms.live import RenderedWindows, SimulatedWindows, WindowNumbers
from hms.runs.checkpoint import load_model
from hms.runs.folder import fold_folder
from hms.runs.trained import trained
from hms.simulate.background import draw_brain
from hms.simulate.plan import KIND_SHARES, stream
from hms.simulate.window import render_window
from hms.spectrogram_recipe import regional_spectrogram
from hms.system.workers import cores
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")

EVEN = dict.fromkeys(CLASSES, 1.0)


def rendered(
    seed: int = 0, target: str = "votes", with_spectrogram: bool = False, plain: float = 0.0, **kinds: float
) -> RenderedWindows:
    how = SimulatedWindows(2, kinds or EVEN, plain, target, workers=0)
    return RenderedWindows(how, seed, with_spectrogram)


def test_a_window_depends_on_the_seed_and_its_number_alone():
    together, alone = rendered().__getitems__([3, 8, 5]), rendered()[8]
    for part, same in zip(together, alone, strict=True):
        assert part is same is None or torch.equal(part[1:2].nan_to_num(9e9), same.nan_to_num(9e9))
    assert not equal(rendered(seed=1)[8], alone)
    assert not torch.equal(rendered()[9].eeg, alone.eeg)
    assert together.eeg.dtype == torch.float16  # as from a store
    assert together.eeg.shape == (3, len(ELECTRODES), 10_000)
    assert together.label_id.tolist() == [3, 8, 5]


def test_every_epoch_has_windows_of_its_own():
    numbers, drawn = WindowNumbers(5), []
    for epoch in range(3):
        numbers.set_epoch(epoch)
        drawn += numbers
    assert drawn == [*range(15)]
    loader = SimulatedWindows(2, EVEN, 0.0, "votes", workers=0).loader(2, seed=0, with_spectrogram=False)
    (first,) = loader
    loader.batch_sampler.sampler.set_epoch(1)
    (second,) = loader
    assert equal(first, rendered().__getitems__([0, 1]))
    assert equal(second, rendered().__getitems__([2, 3]))


def test_training_processes_on_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch):
    def workers(given: int | None) -> int:
        return SimulatedWindows(2, EVEN, 0.0, "votes", given).loader(2, 0, with_spectrogram=False).num_workers

    assert workers(None) == cores()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(cores()))
    assert [workers(given) for given in (None, 0, 2)] == [1, 0, 2]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(2 * cores()))
    assert workers(None) == 1


def test_a_target_is_the_vote_shares_or_those_expected_of_all_experts():
    votes, expected = (rendered(target=target).__getitems__(range(12)) for target in ("votes", "expected"))
    for batch in (votes, expected):
        torch.testing.assert_close(batch.target.sum(dim=1), torch.ones(12))
        assert batch.weight.min() >= vote_weight(np.array([[10, 0, 0, 0, 0, 0]]))[0] - 1e-6
    assert (expected.target > 0).all()
    assert (votes.target == 0).any()
    assert 0 < (votes.target - expected.target).abs().mean() < 0.1


def test_kinds_say_what_is_simulated():
    for name in ("lpd", "other"):
        batch = rendered(target="expected", **(dict.fromkeys(CLASSES, 0.0) | {name: 1.0})).__getitems__(range(12))
        assert int(batch.target.mean(dim=0).argmax()) == CLASSES.index(name)


def test_a_share_of_the_windows_is_plain(monkeypatch: pytest.MonkeyPatch):
    window, seen = render_window(stream(0), "gpd", with_spectrogram=False, plain=False), []
    monkeypatch.setattr("hms.live.render_window", lambda *given: seen.append(given[3]) or window)
    for plain in (0.0, 1.0, 0.2):
        rendered(plain=plain).__getitems__(range(50))
    assert seen[:100] == [False] * 50 + [True] * 50
    assert 2 < sum(seen[100:]) < 20


def test_plain_windows_have_a_background_without_rhythms():
    assert torch.equal(rendered(plain=1.0)[0].eeg.isnan(), rendered()[0].eeg.isnan())
    assert not equal(rendered(plain=1.0)[0], rendered()[0])
    brains = [draw_brain(np.random.default_rng(seed), plain=True) for seed in range(40)]
    assert not any(brain.rhythms or brain.asleep or brain.suppressed for brain in brains)
    with pytest.raises(ValueError, match="plain: want a probability, got 2"):
        SimulatedWindows(2, EVEN, 2, "votes", workers=0)


def test_a_run_counts_the_simulator_if_it_learns_from_simulated_windows(corpus: Path, tmp_path: Path, monkeypatch):
    live = composed(corpus, tmp_path)
    runs = live, live | {"live": {}}
    before = [fold_folder(run, "corpus") for run in runs]
    monkeypatch.setattr("hms.runs.folder.FORMAT", 10**6)
    assert [fold_folder(run, "corpus") == folder for run, folder in zip(runs, before, strict=True)] == [False, True]


def test_live_windows_have_the_kinds_of_a_corpus_by_default():
    assert config("live=simulated")["live"]["simulated"]["kinds"] == KIND_SHARES["high"]


def test_the_ten_minutes_are_rendered_only_for_their_spectrogram():
    batch = rendered(with_spectrogram=True)[0]
    assert batch.spectrogram.shape == (1, 4, 300, 100)
    inner = np.minimum(regional_spectrogram(batch.eeg[0].float().numpy().T), np.finfo(np.float16).max)
    found = batch.spectrogram[0, :, 138 : 138 + inner.shape[1]].float().numpy()
    assert np.isfinite(found).all() or np.isnan(inner).any()
    np.testing.assert_allclose(np.log(found + 1e-3), np.log(inner + 1e-3), atol=0.1)
    assert rendered()[0].spectrogram is None
    assert render_window(stream(0), "gpd", with_spectrogram=False, plain=False).spectrogram is None
    wrong = "from hms.simulate.plan import lone_window, stream; lone_window(stream(0), 'GPD')"
    said = subprocess.run(python("-c", wrong), capture_output=True, text=True).stderr
    assert said.endswith("ValueError: kind: want seizure, lpd, gpd, lrda, grda, other, got 'GPD'\n")


def composed(corpus: Path, tmp_path: Path, *more: str) -> dict:
    overrides = ["experiment=smoke", "live=simulated", "live.simulated.windows=4", "live.simulated.workers=0"]
    overrides += [f"data.root={corpus}", "data.size=tiny", f"stores={stores_of(corpus)}", "trainer=cpu"]
    return material.composed(*overrides, "extractor=stft_short", "flips=false", *more)


def weights(runs: Path) -> dict[str, Tensor]:
    (scores,) = runs.glob("*/*/scores.json")
    return load_model(scores.parent).state_dict()


def test_an_interrupted_training_reaches_the_same_weights_with_workers_too_and_writes_no_windows(
    corpus: Path, tmp_path: Path, monkeypatch
):
    fit(composed(corpus, tmp_path, "epochs=3", f"runs={tmp_path / 'straight'}"))
    begin = WindowNumbers.set_epoch

    def power_cut(self: WindowNumbers, epoch: int) -> None:
        if epoch == 2:  # the second epoch has the workers of the first
            raise RuntimeError("power cut")
        begin(self, epoch)

    for workers in (0, 1):
        words = "epochs=3", f"runs={tmp_path / f'interrupted_{workers}'}", f"live.simulated.workers={workers}"
        cut = composed(corpus, tmp_path, *words)
        monkeypatch.setattr(WindowNumbers, "set_epoch", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(cut)
        monkeypatch.setattr(WindowNumbers, "set_epoch", begin)
        fit(cut)

    straight = weights(tmp_path / "straight")
    for other in ("interrupted_0", "interrupted_1"):
        assert all(torch.equal(weight, straight[name]) for name, weight in weights(tmp_path / other).items())
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    expected = "config.yaml learned_from.parquet metrics.csv model.ckpt oof.parquet provenance.json scores.json "
    expected += "teacher.parquet"
    assert sorted(written) == sorted(3 * expected.split())


def test_nothing_is_learned_from_the_corpus_so_all_its_patients_are_scored(corpus: Path, tmp_path: Path, store):
    one = composed(corpus, tmp_path, "epochs=1", f"runs={tmp_path / 'runs'}")
    fit(one)
    run = fold_folder(one, store.fingerprint)
    assert pl.read_parquet(run / "oof.parquet")["patient_id"].n_unique() == store.rows["patient_id"].n_unique()
    assert not trained(run).corpora
    fit(one | {"fold": "all"})
    for fold in ("fold0_seed0", "foldall_seed0"):
        assert pl.read_parquet(run.parent / fold / "learned_from.parquet").is_empty()
    again = composed(corpus, tmp_path, "epochs=1", f"runs={tmp_path / 'runs'}", "live.simulated.workers=3")
    assert fold_folder(again, store.fingerprint) == run
    more = composed(corpus, tmp_path, "epochs=1", f"runs={tmp_path / 'runs'}", "live.simulated.windows=5")
    assert fold_folder(more, store.fingerprint).parent != run.parent


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("windows=0", "windows: want at least 1, got 0"),
        ("workers=-1", "workers: want at least 0, got -1"),
        ("kinds.lpd=-1", "kinds: want a share, 0 or more, of each of seizure, lpd, gpd, lrda, grda, other, got {"),
    ],
)
def test_a_value_out_of_range_is_refused(override: str, message: str):
    with pytest.raises(Exception, match=message):
        build(config("live=simulated", f"live.simulated.{override}")["live"]["simulated"])
