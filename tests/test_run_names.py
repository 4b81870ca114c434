"""The name of a run: it changes with all that changes the result, and with nothing else."""

import re
import shutil
from pathlib import Path

import material
import pytest
from trainings import composed
from untrained_runs import teacher

from hms.config.command import CONF
from hms.errors import UserError
from hms.results.differences import differences
from hms.runs.folder import fold_folder
from hms.runs.provenance import open_fold, warn_of_changes


def test_what_does_not_change_the_result_does_not_change_the_folder(config: dict):
    same = {**config, "stores": "elsewhere", "on_bad": "skip", "logger": {"wandb": {}}, "data": {"root": "moved"}}
    same |= {"compile": True, "choices": {"backbone": "mine"}}
    same["trainer"] = {**config["trainer"], "devices": 4, "precision": 32, "profiler": "simple", "detect_anomaly": True}
    same["optimizer"] = {**config["optimizer"], "fused": False}
    assert fold_folder(same, "corpus") == fold_folder(config, "corpus")
    others = [({**config, "epochs": 4}, "corpus"), (config, "other corpus")]
    others.append(({**config, "trainer": {**config["trainer"], "precision": "bf16-mixed"}}, "corpus"))
    others.append(({**config, "callbacks": {"mine": {"_target_": "lightning.pytorch.callbacks.Timer"}}}, "corpus"))
    names = {fold_folder(changed, corpus).parent.name for changed, corpus in [(config, "corpus"), *others]}
    assert len(names) == 5
    assert fold_folder({**config, "fold": 3, "seed": 7}, "corpus").name == "fold3_seed7"


def test_a_whole_number_counts_the_same_however_it_is_written(corpus: Path, tmp_path: Path):
    whole, broken, other = (
        composed(corpus, tmp_path, f"extractor.stft_short.dropout={p}") for p in ("0", "0.0", "0.5")
    )
    assert fold_folder(whole, "corpus") == fold_folder(broken, "corpus") != fold_folder(other, "corpus")
    clipped = [composed(corpus, tmp_path, f"trainer.gradient_clip_val={clip}") for clip in ("1", "1.0", "2")]
    assert len({fold_folder(one, "corpus") for one in clipped}) == 2
    one_batch, all_batches = (composed(corpus, tmp_path, f"+trainer.limit_train_batches={n}") for n in ("1", "1.0"))
    assert fold_folder(one_batch, "corpus") != fold_folder(all_batches, "corpus"), "Lightning tells 1 from 1.0"


def test_only_an_optimizer_s_fused_does_not_count(config: dict):
    def with_one_named_fused(span_s: int) -> Path:
        return fold_folder(
            config | {"extractor": {"fused": config["extractor"]["stft_short"] | {"span_s": span_s}}}, ""
        )

    assert with_one_named_fused(20) != with_one_named_fused(30)


@pytest.mark.parametrize(("group", "names"), [("augmentation", "noise mixup"), ("extractor", "stft_short multitaper")])
def test_another_order_of_augmentations_or_extractors_is_another_run(
    group: str, names: str, corpus: Path, tmp_path: Path
):
    orders = [f"[{','.join(order)}]" for order in (names.split(), names.split()[::-1])]
    one, other = (composed(corpus, tmp_path, "name=x", f"{group}={order}") for order in orders)
    assert fold_folder(one, "corpus") != fold_folder(other, "corpus")
    assert differences([one, other]) == {group: orders}


def test_the_number_of_processes_counts_where_each_has_statistics_of_its_own(config: dict):
    def named(**options) -> Path:
        return fold_folder(config | {"trainer": config["trainer"] | options}, "corpus")

    assert named(devices=2, sync_batchnorm=True) == named(devices=1)
    for of in ("devices", "num_nodes"):
        assert len({named(**{of: count}, sync_batchnorm=False) for count in (1, 2, 3)}) == 3


def test_another_order_of_pairs_is_another_run(corpus: Path, tmp_path: Path):
    config = composed(corpus, tmp_path, "montage=banana16")
    groups = config["montage"]["groups"]
    assert [*groups] == ["lateral", "parasagittal"]
    turned = config | {"montage": config["montage"] | {"groups": dict(reversed(groups.items()))}}
    assert fold_folder(turned, "corpus") != fold_folder(config, "corpus")


def test_the_demos_run_has_the_name_that_the_readme_gives_it():
    quick = material.composed("experiment=quick")
    small = "cbb2d27cda172ee0"  # of data=simulated
    (named,) = {*re.findall(r"runs/quick-\w{8}", (CONF.parent / "README.md").read_text())}
    assert str(fold_folder(quick, small).parent) == named


def pretrained(weights: Path | str, *more: str) -> dict:
    words = [f"backbone.weights={weights}", "backbone.image.name=a", "backbone.spectrogram.name=b", *more]
    return material.composed("backbone=hgnetv2", *words)


def test_pretrained_weights_count_by_the_content_of_the_file(tmp_path: Path, monkeypatch):
    for name in ("one", "copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.safetensors").write_bytes(b"weights")
        (tmp_path / name / "b.safetensors").write_bytes(name.encode())  # of spectrograms, which are not read here
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "one", "one", "copy", tmp_path / "one/a.safetensors"]
    (folder,) = {fold_folder(pretrained(place), "corpus").parent for place in places}
    spectrogram = "extractor=[spectrogram]"
    assert fold_folder(pretrained("one", spectrogram), "") != fold_folder(pretrained("copy", spectrogram), "")
    (tmp_path / "one/a.safetensors").write_bytes(b"another")
    others = [pretrained("one"), pretrained("null"), pretrained("one", "backbone.pretrained=false")]
    assert len({folder, *(fold_folder(other, "corpus").parent for other in others)}) == 4
    unread = pretrained("nowhere", "backbone.pretrained=false")
    assert fold_folder(unread, "corpus") == fold_folder(others[2], "corpus")
    wish = "want a file or a folder with weights of 'a', got 'nowhere'"
    with pytest.raises(UserError, match=f"backbone.weights: {wish}"):
        fold_folder(pretrained("nowhere"), "corpus")


def test_which_network_starts_from_which_weights_counts(tmp_path: Path):
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(name.encode())
    one, other = tmp_path / "one", tmp_path / "other"
    pairs = [(one, other), (other, one), (one, one), (one, "null"), ("null", one), ("null", "null")]
    runs = (
        pretrained(
            "null",
            "extractor=[stft,wavenet]",
            *(f"backbone.{part}.weights={file}" for part, file in zip(("image", "wavenet"), files, strict=True)),
        )
        for files in pairs
    )
    assert len({fold_folder(run, "corpus") for run in runs}) == len(pairs)


def test_an_extractors_own_weights_count_by_content_too(tmp_path: Path):
    def folder_with(weights: Path | str) -> Path:
        words = ["extractor=stft_x3d", f"extractor.stft_x3d.weights={weights}"]
        return fold_folder(material.composed(*words), "corpus").parent

    for name, content in (("one", b"weights"), ("copy", b"weights"), ("other", b"others")):
        (tmp_path / name).write_bytes(content)
    one, copy, other = (folder_with(tmp_path / name) for name in ("one", "copy", "other"))
    assert one == copy
    assert len({one, other, folder_with("null")}) == 3
    with pytest.raises(UserError, match=r"^weights: want a file, got 'nowhere' \(no such file\)$"):
        folder_with("nowhere")


def test_trading_time_for_memory_does_not_change_the_run():
    wavenet = "extractor=[wavenet,stft]"
    same = ["backbone.grad_checkpointing=true", "extractor.wavenet.grad_checkpointing=false"]
    assert fold_folder(pretrained("null", wavenet, *same), "") == fold_folder(pretrained("null", wavenet), "")


def test_changed_weights_and_teachers_give_a_new_run_with_a_warning(config: dict, tmp_path: Path, capsys):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    run = teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]})
    taught = f"augmentation.teacher_labels.runs=[{run}]"
    student = pretrained(tmp_path, "augmentation=[teacher_labels]", taught, f"runs={tmp_path / 'runs'}")
    before = fold_folder(student, "corpus")
    open_fold(before, student, "corpus")
    warn_of_changes(before, student, "corpus")
    assert capsys.readouterr().err == ""
    (tmp_path / "a.safetensors").write_bytes(b"another")
    shutil.rmtree(tmp_path / "a")
    teacher(tmp_path / "a", {2: [1.0, 0, 0, 0, 0, 0]})
    after = fold_folder(student, "corpus")
    warn_of_changes(after, student, "corpus")
    said = f"{before} was trained before the weights and teacher changed; {after} is a new run"
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_a_teacher_counts_by_what_it_teaches_wherever_it_is(tmp_path: Path, capsys: pytest.CaptureFixture):
    named = []
    for name, eeg in (("a", 1), ("b", 1), ("c", 2)):
        run = teacher(tmp_path / name, {eeg: [1.0, 0, 0, 0, 0, 0]})
        words = "augmentation=[teacher_labels]", f"augmentation.teacher_labels.runs=[{run}]"
        student = material.composed(*words, f"runs={tmp_path / 'runs'}", "name=student")
        named.append(fold_folder(student, "corpus"))
        open_fold(named[-1], student, "corpus")
        warn_of_changes(named[-1], student, "corpus")
    assert named[0] == named[1] != named[2]
    assert "changed" not in capsys.readouterr().err, "c never was what a is"


def test_a_changed_corpus_gives_a_new_run_with_a_warning(config: dict, tmp_path: Path, capsys):
    folder = fold_folder(config, "before")
    open_fold(folder, config, "before")
    warn_of_changes(fold_folder(config, "after"), config, "after")
    assert f"{folder} was trained before the corpus changed; {fold_folder(config, 'after')} is a new run" in (
        capsys.readouterr().err
    )
    for other in (config | {"epochs": 9}, config | {"data": {"root": "elsewhere"}}):
        warn_of_changes(fold_folder(other, "after"), other, "after")
    assert capsys.readouterr().err == ""
