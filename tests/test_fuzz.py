"""Thousands of spoilt files and command lines: each gives one clear line, or usable numbers.

The seed determines what is spoilt, and how; `make fuzz COUNT=5000` spoils that many of each kind.
"""

import importlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from configs import CONF, by_hydra
from material import config, quick
from omegaconf import OmegaConf
from spoiling import assert_usable_or_refused, no_infinity, spoilt, times
from untrained_runs import sealed

import hms
from hms.config.build import build
from hms.config.check import mistakes
from hms.config.command_line import CommandLine
from hms.data.files import read_eeg, read_spectrogram
from hms.data.tables import read_labels, read_submission, read_test
from hms.ensemble.members import read_members
from hms.ensemble.mixture import read_ensemble
from hms.errors import UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs.bundle import new_bundle
from hms.runs.checkpoint import load_model, save_model, save_weights
from hms.runs.provenance import read_config
from hms.runs.trained import Trained
from hms.scoring.scores import TABLE, predictions, read_predictions
from hms.system.reading import read_json

VALUES = """
    1 -1 0 1.5 null true abc [] {} [1,2] {a:1} nan inf 1e999 '' 'a\\ b' ${seed} ${nowhere} ${oc.env:HOME} ${.x} ??? a,b
    range(0,3) choice(a,b) interval(0,1) glob(*) [a } ' \\ é 99999999999999999999 1_000 - ~ {_target_:os.system}
    {_target_:hms.loss.VoteWeightedKl} [null] [[1]] int(3) a=b a:b none tiny stft [stft,wavenet] simulated ../x @x
    hms.model.Model ${extractor} ${oc.create:{a:1}} * shuffle(1,2) extend_list(1)
""".split()

COMMANDS = {
    "train": ("hms.train", "Train"),
    "submit": ("hms.submit", "Submit"),
    "predict": ("hms.predict", "Predict"),
    "ensemble": ("hms.ensemble.__main__", "Ensemble"),
    "evaluate": ("hms.evaluate", "Evaluate"),
}


def spoilt_json(rng: random.Random, whole: Any) -> Any:
    """The same with one value replaced, or rarely a key removed."""
    if isinstance(whole, dict | list) and whole and rng.random() < 0.8:
        keys = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
        key = rng.choice(keys)
        changed = whole.copy()
        changed[key] = spoilt_json(rng, whole[key])
        if rng.random() < 0.1:
            del changed[key]
        return changed
    return rng.choice([None, 1, -1, 0, "x", [], {}, float("nan"), float("inf"), [1], True, 1e308, "linear", [[1.0]]])


def assert_finite_table(table: pl.DataFrame) -> None:
    assert table.drop("fold", strict=False).null_count().sum_horizontal().item() == 0
    for column in table.select(pl.col(pl.Float32, pl.Float64)):
        assert column.is_finite().all()


def assert_finite(predictions: np.ndarray) -> None:
    assert np.isfinite(predictions).all()


def test_spoilt_tables(corpus: Path, tmp_path: Path):
    rng, path = random.Random(0), tmp_path / "table.csv"
    train = b"\n".join((corpus / "train.csv").read_bytes().split(b"\n")[:8])
    kinds = [(read_labels, train), (read_test, (corpus / "test.csv").read_bytes())]
    kinds.append((read_submission, (corpus / "sample_submission.csv").read_bytes()))
    for _ in range(times(60)):
        for read, whole in kinds:
            data = spoilt(rng, whole)
            path.write_bytes(rng.choice([data, data.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + data]))
            assert_usable_or_refused(lambda read=read: read(path), assert_finite_table)


def test_spoilt_signals(corpus: Path, tmp_path: Path):
    rng, path = random.Random(1), tmp_path / "signal.parquet"
    for folder, read in (("train_eegs", read_eeg), ("train_spectrograms", read_spectrogram)):
        frame = pl.read_parquet(next((corpus / folder).glob("*.parquet")))[:200]
        frame.write_parquet(path)
        whole = path.read_bytes()
        for _ in range(times(30)):
            path.write_bytes(spoilt(rng, whole))
            assert_usable_or_refused(lambda read=read: read(path), no_infinity)
        for kind in (pl.String, pl.Int8, pl.Boolean, pl.List(pl.Float32), pl.Struct({"a": pl.Float32})):
            frame.with_columns(pl.lit(None, kind).alias(frame.columns[3])).write_parquet(path)
            with pytest.raises(UserError, match=rf"column '{frame.columns[3]}': want floating-point numbers"):
                read(path)


@pytest.fixture
def oof(tmp_path: Path) -> pl.DataFrame:
    rows = pl.DataFrame({name: range(1, 9) for name in (*TABLE[:3], *VOTE_COLUMNS)})
    fold = tmp_path / "run-0" / "fold0_seed0"
    fold.mkdir(parents=True)
    (fold / "scores.json").write_text("{}")
    return predictions(rows, 0, np.full((8, len(CLASSES)), 1 / 6))


def test_spoilt_predictions(oof: pl.DataFrame, tmp_path: Path):
    rng, path = random.Random(2), tmp_path / "run-0" / "fold0_seed0" / "oof.parquet"
    oof.write_parquet(path)
    whole = path.read_bytes()
    for _ in range(times(60)):
        path.write_bytes(spoilt(rng, whole))
        assert_usable_or_refused(lambda: read_predictions(path), assert_finite_table)
        name = rng.choice(oof.columns)
        value: Any = rng.choice(["a", 1.5, float("nan"), float("inf"), -1, 2**62, True, None, [1]])
        changed = [oof.drop(name), oof.rename({name: "x"}), pl.concat([oof, oof]), oof.clear()]
        rng.choice([*changed, *[oof.with_columns(pl.lit(value).alias(name))] * 4]).write_parquet(path)
        assert_usable_or_refused(
            lambda: read_members([Trained(tmp_path / "run-0", [path.parent])], [], None, 1).rows, assert_finite_table
        )


def test_spoilt_predictions_from_elsewhere(corpus: Path, tmp_path: Path):
    rng, path = random.Random(3), tmp_path / "oof.csv"
    keys = read_labels(corpus / "train.csv").select("eeg_id", "eeg_sub_id", *VOTE_COLUMNS)[:5]
    whole = keys.with_columns(pl.lit(1 / 6).alias(f"{name}_prediction") for name in CLASSES).write_csv().encode()
    for _ in range(times(60)):
        path.write_bytes(spoilt(rng, whole))
        assert_usable_or_refused(lambda: read_members([], [path], corpus / "train.csv", 1).rows, assert_finite_table)


def test_spoilt_ensembles_and_records(tmp_path: Path):
    rng, path = random.Random(4), tmp_path / "ensemble.json"
    shares = dict.fromkeys(CLASSES, 1 / 6)
    prior = {"source": shares, "target": shares, "strength": 1.0}
    calibration = {"temperature": 1.0, "bias": dict.fromkeys(CLASSES, 0.0)}
    held = {"members": ["a", "b"], "weights": [0.5, 0.5], "mixing": "linear"}
    held |= {"calibration": calibration, "prior": prior, "member_folds": {"a": ["fold0_seed0"]}}

    def use(ensemble: Any) -> None:
        names, mixture, _ = ensemble
        mixed = mixture(np.full((len(names), 2, len(CLASSES)), 1 / 6))
        np.testing.assert_allclose(mixed.sum(axis=1), 1)

    for _ in range(times(150)):
        text = json.dumps(spoilt_json(rng, held)).encode()
        path.write_bytes(text if rng.random() < 0.7 else spoilt(rng, text))
        assert_usable_or_refused(lambda: read_ensemble(path), use)
        assert_usable_or_refused(lambda: read_json(path, "members"))
        (tmp_path / "config.yaml").write_bytes(path.read_bytes())
        assert_usable_or_refused(lambda: read_config(tmp_path))


def test_spoilt_bundles_and_checkpoints(tmp_path: Path):
    """Hashes are renewed to match, as anyone who writes a bundle can."""
    rng, whole = random.Random(7), quick(config("data.size=tiny", "extractor=stft_short"))
    model, eeg_uv = build(whole["model"]), 20 * np.random.default_rng(0).normal(size=(1, 20, 10_000))
    with new_bundle(tmp_path / "whole", {"members": ["one"], "corpora": [], "model": whole["model"]}) as folder:
        save_weights(folder / "one.safetensors", model)
    save_model(tmp_path, model, whole["model"])
    for _ in range(times(30)):
        shutil.rmtree(tmp_path / "spoilt", ignore_errors=True)
        folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / "spoilt"))
        path = folder / rng.choice(["config.json", "config.json", "one.safetensors", "SHA256SUMS"])
        if path.suffix == ".json" and rng.random() < 0.5:
            path.write_text(json.dumps(spoilt_json(rng, json.loads(path.read_text()))))
        else:
            path.write_bytes(spoilt(rng, path.read_bytes(), 3000))
        if path.suffix:
            sealed(folder)
        assert_usable_or_refused(lambda folder=folder: hms.load(folder).predict(eeg_uv, flips=False), assert_finite)
        path = folder / "model.ckpt"
        path.write_bytes(spoilt(rng, (tmp_path / "model.ckpt").read_bytes(), 3000))
        assert_usable_or_refused(lambda path=path: load_model(path))


def test_spoilt_command_lines():
    rng = random.Random(6)
    keys: dict[str, list[str]] = {}
    for name in COMMANDS:
        keys[name] = [*_keys(OmegaConf.to_container(by_hydra(name)))]
        keys[name] += ["hydra.run.dir", "new.key", "+x", "~seed", "++seed", "@", "seed@x", "data@foo", "hydra/launcher"]
    for _ in range(times(15)):
        name = rng.choice(["train", "train", *COMMANDS])
        words = [f"{rng.choice(keys[name])}={rng.choice(VALUES)}" for _ in range(rng.choice([1, 1, 2]))]
        if rng.random() < 0.2:
            words[0] = words[0].replace("=", rng.choice(["", "==", "=="]))
        words += ["-m"] * rng.choice([0, 0, 1])
        assert_usable_or_refused(lambda name=name, words=words: _configs(name, words))


def test_a_value_that_is_not_a_mapping_is_named():
    with pytest.raises(UserError, match="prior: want a mapping, got 3"):
        _configs("ensemble", ["prior=3"])


def _keys(node: Any, above: str = "") -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{above}{key}"
            yield from _keys(value, f"{above}{key}.")


def _configs(name: str, words: list[str]) -> list[Any]:
    """The jobs of a command line, as its entry point receives them."""
    module, schema = COMMANDS[name]
    line = CommandLine(name, CONF, words)
    keys = getattr(importlib.import_module(module), schema)
    errors = [mistake for _, config, _ in line.samples() for mistake in mistakes(config, name, keys)]
    if lines := [*line.problems, *errors]:
        raise UserError("\n".join(lines))
    assert line.for_hydra
    return [OmegaConf.to_container(config, resolve=True, throw_on_missing=True) for _, config, _ in line.jobs()]
