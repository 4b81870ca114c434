"""The words typed become the configs of the jobs: every mistake is reported at once, and no key needs a `+`."""

import importlib
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import python
from guide import commands
from untrained_runs import teacher

from hms.config.command import CONF
from hms.config.command_line import CommandLine
from hms.config.words import for_shell
from hms.errors import ConfigError
from hms.predict import main as predict
from hms.train import main as train


def line(*words: str) -> CommandLine:
    return CommandLine("train", CONF, words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("extractor=sftf", "extractor: want one of {}, got 'sftf'; did you mean 'stft'?"),
        ("extractor=[stft,sftf]", "extractor: want one of {}, got 'sftf'; did you mean 'stft'?"),
        ("extractor=null", "extractor: want one of {}, got 'null'"),
        ("-m extractor=stft,sftf", "extractor: want one of {}, got 'sftf'; did you mean 'stft'?"),
        ("data=nowhere", "data: want one of competition, simulated, got 'nowhere'"),
        (
            "data=no/where",
            "data: want one of competition, simulated, got 'no/where'; a folder is data=competition data.root=no/where",
        ),
        ("data=/", "data: want one of competition, simulated, got '/'; a folder is data=competition data.root=/"),
        ("data=simulated/", "data: want one of competition, simulated, got 'simulated/'; did you mean 'simulated'?"),
        ("extractor=[/stft,wavenet]", "extractor: want one of {}, got '/stft'; did you mean 'stft'?"),
        ("extractor=[stft,no/where]", "extractor: want one of {}, got 'no/where'"),
        ("extractor=no/where", "extractor: want one of {}, got 'no/where'"),
        ("extractor=[]", "extractor: want at least one of {}"),
        ("~extractor", "~extractor: want at least one of {}, or extractor=[...] with those that stay"),
        ("~augmentation=noise", "~augmentation=noise: want augmentation=[] for none, or augmentation=[...] with those"),
        ("augmentation=none", "augmentation: want augmentation=[] for none"),
        ("~augmentation", "~augmentation: want augmentation=[] for none"),
        ("backbone=tiny,hgnetv2", "backbone=tiny,hgnetv2: want one value, or -m to try them all"),
        (
            "extractor=stft,stft_cosine",
            "extractor=stft,stft_cosine: want extractor=[stft,stft_cosine] for all at once, or -m to try them all",
        ),
        ("extractor@x=stft", "extractor@x=stft: want extractor=..., without @x"),
        ("subset@x=all_votes", "subset@x=all_votes: want subset=..., without @x"),
        ("~subset=foo", "~subset=foo: Could not delete 'subset=foo'. No match in the defaults list"),
        ("-m extractor=glob(wavn*)", "extractor=glob(wavn*): gives no value; want one of {}"),
        (
            "-m seed=range(0,3),7",
            "seed=range(0,3),7: want values, or one function such as range(0,3), got both",
        ),
        ("-m fold=range(5,0)", "fold=range(5,0): gives no value"),
        ("launcher.n_jobs=3 launcher=joblib", "launcher.n_jobs: want hydra.launcher.n_jobs"),
        (
            "launcher=joblib hydra.launcher.n_job=3",
            "hydra.launcher.n_job: hydra.launcher has no 'n_job'; did you mean 'n_j",
        ),
        ("launcher=joblib hydra.launcher.n_jobs=x", "hydra.launcher.n_jobs: Value 'x' of type 'str' could not be conv"),
        ("--epochs=3", "--epochs=3: no such flag; want epochs=<value>"),
        ("--multrun", "--multrun: no such flag; did you mean '--multirun'?"),
        ("hydra/sweeper=bsic", "hydra/sweeper: want one of basic, hms, got 'bsic'; did you mean 'basic'?"),
        (
            "-m optimizer.lr=interval(1e-4,1e-2)",
            "optimizer.lr=interval(1e-4,1e-2): want listed values, or a sweeper that draws them: pip",
        ),
        ("fold", "fold: want <key>=<value>"),
        ("fold=0 fold=1", "fold: given twice, fold=0 and fold=1; leave one out"),
        ("-m seed=0,1 ++seed=2", "seed: given twice, seed=0,1 and ++seed=2; leave one out"),
        (
            "lr_scale.fusion=0 lr_scale.fusion.linear=1",
            "lr_scale.fusion=0: of no effect beside lr_scale.fusion.linear=1, which sets a key in it; leave one out",
        ),
        ("+fold=0 fold=1", "fold: given twice, +fold=0 and fold=1; leave one out"),
        ("backbone=tiny backbone=hgnetv2", "backbone: given twice, backbone=tiny and backbone=hgnetv2; leave one out"),
        ("name='a", "name='a: not a value that Hydra can read; quote"),
        ("name='a\\", "name='a\\: not a value that Hydra can read"),
        (
            "name=a=(b)",
            "name=a=(b): not a value that Hydra can read; quote a value that has spaces, quotes, =, brackets or",
        ),
        (
            'name={"EEG:1":Fp1}',
            'name={{"EEG:1":Fp1}}: not a value that Hydra can read; within braces, leave quotes out and put',
        ),
        ("~fodl", "~fodl: Could not delete from config. 'fodl' does not exist."),
        ("+experiment=quick experiment=smoke", "+experiment=quick: experiment appears more than once"),
        ("--config-dir nowhere", "--config-dir: want a folder of YAML files, got 'nowhere' (no such folder)"),
    ],
)
def test_a_word_that_cannot_be_composed_is_explained_in_one_line(words: str, problem: str):
    given = line(*words.split())
    list(given.samples())
    (found,) = given.problems
    offered = ", ".join(sorted(path.stem for path in (CONF / "extractor").glob("*.yaml")))
    assert found.startswith(problem.format(offered))


def test_the_rest_is_checked_as_if_the_nearest_option_had_been_typed():
    given = line("extractor=wavnet", "extractor.wavenet.blocks=8", "-m", "augmentation=[brain_flop,noise],[nois]")
    (_, first, _), (_, second, _) = given.samples()
    assert first.extractor.wavenet.blocks == 8
    assert [[*config.augmentation] for config in (first, second)] == [["brain_flip", "noise"], ["noise"]]
    assert [problem.rpartition(";")[2] for problem in given.problems] == [
        f" did you mean '{name}'?" for name in ("wavenet", "brain_flip", "noise")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("epochs: 3\n", "experiment: want '# @package _global_' as the first line of its YAML"),
        (
            "defaults: [override /subset: low_votes]\n",
            "experiment: want '# @package _global_' as the first line of its YAML",
        ),
        (
            "# @package _global_\ndefaults: [override /montag: pairs24]\n",
            "experiment=mine: no group 'montag'; did you mean 'montage'?",
        ),
    ],
)
def test_a_mistake_in_a_users_own_experiment_is_explained(text: str, problem: str, tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text(text)
    given = line("--config-dir", str(tmp_path), "experiment=mine")
    ((_, config, _),) = given.samples()
    assert given.problems == [problem]
    assert "experiment" not in config


def test_an_option_whose_yaml_has_another_options_key_is_refused(tmp_path: Path):
    (tmp_path / "extractor").mkdir()
    text = (CONF / "extractor" / "stft.yaml").read_text()
    for name, key in (("mine", "stft"), ("yours", "yours")):
        (tmp_path / "extractor" / f"{name}.yaml").write_text(text.replace("stft:", f"{key}:"))
    given = line("--config-dir", str(tmp_path), "extractor=[stft,mine,yours]")
    assert len([*given.samples()]) == 1
    assert given.problems == ["extractor: want 'mine:' as the only key of mine.yaml"]
    given = line("extractor=[stft,wavenet]", "~extractor.wavenet")
    (config,) = (config for _, config, _ in given.samples())
    assert (given.problems, [*config.extractor]) == ([], ["stft"])


def test_an_option_that_is_chosen_twice_is_refused():
    given = line("extractor=[stft,wavenet,stft]")
    assert len([*given.samples()]) == 1
    assert given.problems == ["extractor: want each option once, got stft again"]


def test_an_option_in_a_folder_of_its_group_is_found(tmp_path: Path):
    (tmp_path / "subset/mine").mkdir(parents=True)
    (tmp_path / "subset/mine/a.yaml").write_text((CONF / "subset/all_votes.yaml").read_text())
    given = line("--config-dir", str(tmp_path), "subset=mine/a")
    assert (len([*given.samples()]), given.problems) == (1, [])
    assert line("--config-dir", str(tmp_path), "subset=mine/b").problems


def test_a_group_of_another_command_is_refused():
    given = CommandLine("prepare", CONF, ["extractor=stft"])
    assert len([*given.samples()]) == 1
    assert given.problems == ["extractor: prepare takes no 'extractor'; hms.train does"]
    given = CommandLine("predict", CONF, ["data=competition"])
    assert len([*given.samples()]) == 1
    takers = "hms.evaluate, hms.prepare, hms.simulate, hms.submit, hms.train"
    assert given.problems == [f"data: predict takes no 'data'; {takers} do"]


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ("../ward/Müller.edf", "\"recording='../ward/Müller.edf'\""),
        ("../x/O'Brien (2).edf", """'recording="../x/O'"'"'Brien (2).edf"'"""),
        ("$5 (2).edf", """'recording='"'"'$5 (2).edf'"'"''"""),
        ("""it's "(x)".edf""", r"""'recording="it'"'"'s \"(x)\".edf"'"""),
    ],
)
def test_a_value_that_needs_quotes_is_told_as_a_shell_takes_it(value: str, typed: str):
    (problem,) = CommandLine("predict", CONF, [f"recording={value}"], "runs").problems
    wish = "quote a value that has spaces, quotes, =, brackets or letters beyond ASCII"
    assert problem == f"recording={value}: not a value that Hydra can read; {wish}: {typed}"
    quoted = CommandLine("predict", CONF, shlex.split(typed), "runs")
    assert [config["recording"] for _, config, _ in quoted.jobs()] == [value]
    assert quoted.problems == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["recording=Müller.edf", "runs/a"], "recording=Müller.edf: not a value that Hydra can read"),
        (["recording=a,b", "runs/a"], "recording=a,b: want one value, or -m to try them all"),
        (["ensemble=ä", "recording=a"], "ensemble=ä: not a value that Hydra can read"),
    ],
)
def test_nothing_is_said_to_lack_because_of_a_word_that_is_not_understood(words: list[str], problem: str):
    with pytest.raises(ConfigError) as refused:
        predict.config(*words)
    head, line = str(refused.value).splitlines()
    assert head == "1 problem(s) in the config:"
    assert line.startswith(f"  {problem}")


def test_a_config_is_shown_of_one_job_only():
    assert line("-m", "fold=0,1", "--cfg", "job").problems == ["--cfg: want it without -m, as it shows one job"]
    assert line("--cfg", "job").problems == []


def test_the_options_that_a_config_is_made_of_are_in_it_and_no_words_set_them(monkeypatch, capsys):
    choices = train.config("experiment=quick", "backbone=hgnetv2")["choices"]
    assert (choices["experiment"], choices["backbone"], choices["montage"]) == ("quick", "hgnetv2", "banana16")
    assert "choices: train takes no 'choices'" in said_by(monkeypatch, capsys, "choices.backbone=tiny")


@pytest.mark.parametrize("what", ["job", "all"])
def test_a_config_is_shown_only_without_mistakes(what: str, monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "--cfg", what, "experiment=quick", "lr=0.01", "seed=-1")
    problems = ["lr: train takes no 'lr'; did you mean 'optimizer.lr'?", "seed: want 0 or more (below 2^32), got -1"]
    assert said.splitlines() == ["2 problem(s) in the config:", *(f"  {line}" for line in problems)]
    monkeypatch.setattr(sys, "argv", ["hms.train", "--cfg", what, "experiment=quick", "optimizer.lr=0.01"])
    importlib.import_module("hms.train").main()
    assert "\n  lr: 0.01\n" in capsys.readouterr().out


def test_a_launcher_without_its_package_is_explained(tmp_path: Path):
    (tmp_path / "launcher").mkdir()
    (tmp_path / "launcher" / "mine.yaml").write_text("defaults: [override /hydra/launcher: joblib]\n")
    given = line("--config-dir", str(tmp_path), "-m", "launcher=mine", "fold=0,1")
    assert len([*given.samples()]) == 2
    assert given.problems == ["launcher: want '# @package _global_' as the first line of its YAML"]


def test_a_key_needs_no_plus_and_a_group_stays_a_group():
    given = line("optimizer.betas=[0.8,0.9]", "-m", "+seed=1", "backbone=tiny", "~fold", "hydra.sweep.dir=x", "++a=1,2")
    assert given.for_hydra == [
        *("-m", "++optimizer.betas=[0.8,0.9]", "++seed=1", "backbone=tiny", "~fold", "hydra.sweep.dir=x", "++a=1,2")
    ]
    assert next(given.samples())[1].optimizer.betas == [0.8, 0.9]
    assert given.problems == []


def test_a_word_may_be_repeated():
    given = line("fold=1", "backbone=tiny", "fold=1", "backbone=tiny", "~loss.auxiliary", "~loss.joint")
    assert next(given.samples())[1].fold == 1
    assert given.for_hydra == ["++fold=1", "backbone=tiny", "~loss.auxiliary", "~loss.joint"]
    assert given.problems == []


def test_every_value_of_a_sweep_is_in_a_sample_and_every_combination_in_a_job():
    given = line("-m", "fold=range(0,5)", "extractor=stft,[stft,stft_cosine]", "seed=1,2")
    seen = [(config.fold, len(config.extractor), config.seed) for _, config, _ in given.samples()]
    assert seen == [*((fold, 1, 1) for fold in range(5)), (0, 2, 1), (0, 1, 2)]
    jobs = [(config.fold, len(config.extractor), config.seed) for _, config, _ in given.jobs()]
    assert len(set(jobs)) == len(jobs) == 20


def test_few_jobs_are_all_samples():
    given = line("-m", "folds=5,2", "fold=0,4")
    assert [(config.folds, config.fold) for _, config, _ in given.samples()] == [(5, 0), (5, 4), (2, 0), (2, 4)]


def test_a_users_own_folder_offers_options_but_may_not_hide_ours(tmp_path: Path):
    (tmp_path / "extractor").mkdir()
    (tmp_path / "extractor/mine.yaml").write_text("mine: {_target_: hms.extractor.stft.Stft}\n")
    given = line("--config-dir", str(tmp_path), "extractor=mine")
    assert [list(config.extractor) for _, config, _ in given.samples()] == [["mine"]]
    assert given.problems == []
    (tmp_path / "extractor/stft.yaml").touch()
    (problem,) = line("--config-dir", str(tmp_path)).problems
    hidden = "hms has its own extractor/stft.yaml, which takes precedence; rename this one"
    assert problem == f"{tmp_path}/extractor/stft.yaml: {hidden}"


def said_by(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, *words: str) -> str:
    """Return what `python -m hms.train` writes to stderr, given words with mistakes."""
    monkeypatch.setattr(sys, "argv", ["hms.train", *words])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("hms.train").main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "Traceback" not in said
    return said


def test_mistakes_of_all_jobs_come_in_one_message_before_any_job(monkeypatch, capsys, tmp_path):
    (tmp_path / "extractor").mkdir()
    (tmp_path / "extractor/mine.yaml").write_text("mine: {_target_: hms.extractor.stft.Sftf}\n")
    given = "-m fold=0,abc,x tpyo=1 backbone=tny extractor.stf.n_fft=3 subset.min_vote=1 loss._target_=os.system"
    words = [*given.split(), "extractor=[stft,mine]", "--config-dir", str(tmp_path), f"runs={tmp_path / 'runs'}"]
    said = said_by(monkeypatch, capsys, *words)
    options = ", ".join(sorted(path.stem for path in (CONF / "backbone").glob("*.yaml")))
    targets = (
        "hms., torch.optim., timm.optim., lightning.Trainer or lightning.pytorch. "
        "(HMS_ALLOW, set before Python starts, adds a package of yours)"
    )
    assert said.splitlines() == [
        "8 problem(s) in the config:",
        f"  backbone: want one of {options}, got 'tny'; did you mean 'tiny'?",
        "  extractor.stf: nothing of this name is chosen; did you mean 'stft'?",
        "  tpyo: train takes no 'tpyo'",
        "  subset.min_vote: Subset takes no 'min_vote'; did you mean 'min_votes'?",
        "  extractor.mine._target_: no 'Sftf' in hms.extractor.stft; did you mean 'Stft'?",
        f"  loss._target_: want a name that starts with {targets}, got 'os.system'",
        "  fold: want int or 'all', got 'abc'",
        "  fold: want int or 'all', got 'x'",
    ]
    assert not (tmp_path / "runs").exists()


def test_an_option_without_a_name_is_told_the_right_form(monkeypatch, capsys, tmp_path):
    (tmp_path / "extractor").mkdir()
    (tmp_path / "extractor/bare.yaml").write_text("_target_: hms.extractor.stft.Stft\nn_fft: 3\n")
    said = said_by(monkeypatch, capsys, "--config-dir", str(tmp_path), "extractor=bare")
    assert "  extractor: want `<name>: {_target_: ...}`, got `_target_: ...` without a name\n" in said


def test_a_yaml_that_does_not_parse_is_reported_in_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "extractor").mkdir()
    (tmp_path / "extractor/bad.yaml").write_text("bad: {_target_\n")
    said = said_by(monkeypatch, capsys, "--config-dir", str(tmp_path), "extractor=bad")
    assert len(said.splitlines()) == 2
    assert "extractor=bad: while parsing a flow mapping" in said


def test_shell_completion_keeps_hydras_own_words():
    assert line("-sc", "install=bash").for_hydra == ["-sc", "install=bash"]


def test_values_out_of_range_are_reported_together_before_any_job(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "-m", "fold=0,9", "epochs=0", "batch_size=-1")
    assert said.splitlines() == [
        "3 problem(s) in the config:",
        "  batch_size: want 1 or more (below 2^32), got -1",
        "  epochs: want 1 or more (below 2^32), got 0",
        "  fold: want 0 to 4 (folds=5) or all, got 9",
    ]


def test_a_wrong_type_does_not_hide_what_is_out_of_range(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "epochs=x", "batch_size=0", "fold=9")
    assert said.splitlines() == [
        "2 problem(s) in the config:",
        "  epochs: want int, got 'x'",
        "  batch_size: want 1 or more (below 2^32), got 0",
    ]


def test_values_out_of_range_are_reported_together_with_other_mistakes():
    words = ["odds.lpd=0", "step_s=nan", "shard=2", "shards=2", "channels={Ch 1: Fq1}", "odds.othr=2"]
    done = subprocess.run(python("-m", "hms.predict", *words), capture_output=True, text=True)
    recording = (
        "want a file, a folder, a pattern or a list of these, got none; "
        "for the test part of a corpus, python -m hms.submit writes submission.csv"
    )
    electrode = "want an electrode of the 10-20 system, EKG, or a pair such as Fp1-F7 or Fp1-A1"
    assert done.stderr.splitlines() == [
        "7 problem(s) in the config:",
        "  odds.othr: odds takes no 'othr'; did you mean 'other'?",
        "  step_s: want 1 s or more (below 2^32), got nan",
        "  odds.lpd: want more than 0, got 0",
        f"  recording: {recording}",
        "  runs, ensemble: want one of the two, got neither",
        "  shard: want 0 to 1 (shards=2), got 2",
        f"  channels.Ch 1: {electrode}, got 'Fq1'; did you mean 'Fp1'?",
    ]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (["some file.edf"], "a path alone is a run: write runs/<name>-<hash> 'recording=some file.edf'"),
        (["my folder"], "a path alone is a run: write runs/<name>-<hash> 'recording=my folder'"),
        (["gone.edf"], "a path alone is a run: write runs/<name>-<hash> recording=gone.edf"),
        (["a run", "*.edf"], "a path alone is a run: write 'recording=*.edf'"),
        (["a run", "x.edf", "y.edf"], "a path alone is a run: write recording=[...] for x.edf, y.edf"),
        (["a run"], "for the test part of a corpus, python -m hms.submit writes submission.csv"),
    ],
)
def test_a_recording_that_is_given_as_a_run_is_told_with_what_to_write(
    words: list[str], instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a run/fold0_seed0").mkdir(parents=True)
    (tmp_path / "a run/fold0_seed0/oof.parquet").touch()
    (tmp_path / "my folder").mkdir()
    for path in ("some file.edf", "my folder/night.edf"):
        (tmp_path / path).touch()
    monkeypatch.setattr(sys, "argv", ["hms.predict", *words])
    with pytest.raises(SystemExit):
        predict()
    wish = "want a file, a folder, a pattern or a list of these, got none"
    assert capsys.readouterr().err == f"1 problem(s) in the config:\n  recording: {wish}; {instead}\n"


def test_values_that_conflict_in_all_jobs_are_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    run = teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]})
    learning = ["schedule=warmup_cosine", "schedule.lr_min=1", "optimizer.lr=0.5"]
    stages = ["epochs=2,1", "pretrain=low_votes", "pretrain.schedule.warmup_epochs=2"]
    taught = ["experiment=student", f"augmentation.teacher_labels.runs=[{run},{tmp_path}/x]"]
    said = said_by(monkeypatch, capsys, "-m", "fold=range(0,5)", *learning, *stages, *taught)
    place, wish = "augmentation.teacher_labels.runs", "want folders of runs, not patterns or folds, with finished folds"
    then = "train the teacher first, as make teacher does"
    assert said.splitlines() == [
        "4 problem(s) in the config:",
        "  schedule.lr_min: want 0 to optimizer.lr = 0.5, got 1",
        "  pretrain.schedule.warmup_epochs: want less than pretrain.epochs = 2, got 2",
        f"  {place}: {wish}, got {tmp_path}/x; {then}",
        "  schedule.warmup_epochs: want less than epochs = 1, got 1",
    ]
    said = said_by(monkeypatch, capsys, "schedule.lr_min=-1e-9", "experiment=student", f"{place}=[]")
    assert said.splitlines()[1:] == [
        "  schedule.lr_min: want 0 to optimizer.lr = 0.0001, got -1e-09",
        f"  {place}: {wish}, got none; {then}",
    ]
    assert train.config("schedule.lr_min=0.0001")["schedule"]["lr_min"] == 0.0001
    assert train.config("experiment=student", f"{place}=[{run}]")["augmentation"]


def test_a_schedule_that_counts_the_steps_of_an_epoch_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    (line,) = [word for word in commands() if "OneCycleLR" in word]  # the guide's
    *words, total = shlex.split(line)[3:]
    assert train.config(*words, total, "epochs=7")["schedule"]["total_steps"] == 7
    said = said_by(monkeypatch, capsys, *words, "schedule.epochs=14", "schedule.steps_per_epoch=50")
    assert said.splitlines()[1:] == ["  schedule.steps_per_epoch: want 1, as for one step per epoch, got 50"]
    said = said_by(monkeypatch, capsys, *words, "schedule.epochs=13", "schedule.steps_per_epoch=1")
    assert said.splitlines()[1:] == ["  schedule.epochs: want epochs = 14, as for one step per epoch, got 13"]
    said = said_by(monkeypatch, capsys, *words, "schedule.total_steps=13")
    assert said.splitlines()[1:] == ["  schedule.total_steps: want epochs = 14, as for one step per epoch, got 13"]


def test_rows_of_too_few_votes_to_validate_on_may_be_trained_on_where_nothing_validates():
    few = ["subset.max_votes=9", "subset.validation_votes=10"]
    assert train.config("fold=all", "subset=all_votes", *few)["subset"]["max_votes"] == 9
    assert train.config("pretrain=low_votes", *(f"pretrain.{word}" for word in few))["pretrain"]


def test_a_stage_of_no_epochs_or_of_half_its_keys_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    for epochs in (0, -1):
        said = said_by(monkeypatch, capsys, "pretrain=low_votes", f"pretrain.epochs={epochs}")
        assert said.splitlines()[1:] == [f"  pretrain.epochs: want 1 or more (below 2^32), got {epochs}"]
    said = said_by(monkeypatch, capsys, "pretrain.epochs=3")
    assert said.splitlines()[1:] == [
        "  pretrain: want subset, weighting, optimizer, schedule as well, as in pretrain=low_votes, got epochs"
    ]


def test_a_training_without_a_step_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    for word in ("limit_train_batches=0", "limit_train_batches=0.0"):
        key, _, limit = word.partition("=")
        line = f"  trainer.{key}: want more than 0, or nothing would be trained, got {limit}"
        assert said_by(monkeypatch, capsys, f"trainer.{word}").splitlines()[1:] == [line]


@pytest.mark.parametrize("word", ["max_steps=1000", "max_steps=0", "max_time='00:00:00:00'", "min_steps=5"])
def test_nothing_but_epochs_says_how_long_to_train(word: str, monkeypatch: pytest.MonkeyPatch, capsys):
    key, _, limit = word.replace("'", "").partition("=")
    line = f"  trainer.{key}: want none: schedule and averaging follow epochs, got {limit}"
    assert said_by(monkeypatch, capsys, f"trainer.{word}").splitlines()[1:] == [line]


def test_gradients_of_less_than_a_batch_are_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    for batches in (0, -1):  # Lightning would divide the loss by -1
        said = said_by(monkeypatch, capsys, f"trainer.accumulate_grad_batches={batches}")
        assert said.splitlines()[1:] == [f"  trainer.accumulate_grad_batches: want 1 or more, got {batches}"]


def test_a_training_that_would_not_be_what_it_seems_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "trainer.overfit_batches=1", "trainer.fast_dev_run=true")
    assert said.splitlines()[1:] == [
        "  trainer.overfit_batches: want 0: each epoch draws other rows, so it would not see the same batch again",
        "  trainer.fast_dev_run: want false, or the fold would count as trained; use experiment=smoke or show=true",
    ]


def test_in_python_a_config_is_that_of_one_job():
    with pytest.raises(ConfigError) as refused:
        train.config("-m", "fold=0,1")
    line = "  want the words of one job, got those of a sweep; call it for each job"
    assert str(refused.value).splitlines()[1:] == [line]


def test_the_weight_of_a_head_is_that_of_an_extractor(monkeypatch: pytest.MonkeyPatch, capsys):
    line = "  loss.auxiliary_of.sfft: want the name of an extractor; did you mean 'stft'?"
    words = ["loss.auxiliary_of.sfft=0.1", "loss.auxiliary_of.spectrogram=0.1"]  # one that is not chosen is no mistake
    assert said_by(monkeypatch, capsys, *words).splitlines()[1:] == [line]


@pytest.mark.parametrize(
    ("command", "words", "line"),
    [
        ("train", "pretrain.foo=1", "pretrain.foo: pretrain takes no 'foo'"),
        ("train", "pretrain=low_votes pretrain.seed=-1", "pretrain.seed: pretrain takes no 'seed'"),
        ("train", "pretrain=low_votes pretrain.odds.lpd=0", "pretrain.odds: pretrain takes no 'odds'"),
        ("report", "odds.lpd=0 windows=4", "odds: report takes no 'odds'"),
        ("evaluate", "runs=x odds.othr=0", "odds.othr: odds takes no 'othr'; did you mean 'other'?"),
        ("train", "experimnt=quick", "experimnt: train takes no 'experimnt'; did you mean 'experiment'?"),
        ("train", "lancher=joblib", "lancher: train takes no 'lancher'; did you mean 'launcher'?"),
    ],
)
def test_a_key_that_does_not_exist_is_reported_once(command: str, words: str, line: str):
    main = importlib.import_module({"report": "hms.report.__main__"}.get(command, f"hms.{command}")).main
    with pytest.raises(ConfigError) as refused:
        main.config(*words.split())
    assert str(refused.value).splitlines() == ["1 problem(s) in the config:", f"  {line}"]


def test_what_spans_a_stage_takes_the_epochs_of_that_stage():
    both = ["schedule@pretrain.schedule=warmup_cosine", "weighting@pretrain.weighting=fade_low_votes"]
    config = train.config("pretrain=low_votes", *both, "epochs=7", "weighting=fade_low_votes")
    assert [config["pretrain"][part]["epochs"] for part in ("schedule", "weighting")] == [2, 2]
    assert [config[part]["epochs"] for part in ("schedule", "weighting")] == [7, 7]


def test_two_averages_of_the_weights_are_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "averaging=[ema,swa]")
    assert said.splitlines()[1:] == ["  averaging: want one, got ema, swa"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ModelCheckpoint", "hms saves every epoch to resume from, and keeps the last: the best one would flatter"),
        ("TQDMProgressBar", "hms shows its own progress"),
        ("StochasticWeightAveraging", "it trains for an epoch more, by a schedule of its own; want averaging=swa"),
        ("EMAWeightAveraging", "it may lose the average if the training is interrupted; want averaging=ema"),
        ("BaseFinetuning", "it is abstract; want a class of your own derived from it"),
        ("LearningRateMonitor", "it needs a logger; want one as well, such as logger=wandb"),
        ("DeviceStatsMonitor", "it needs a logger; want one as well, such as logger=wandb"),
        ("Timer", "epochs says how long to train; a fold that it cuts short would count as trained"),
    ],
)
def test_callbacks_of_lightning_s_that_do_not_fit_are_refused(name: str, why: str, monkeypatch, capsys):
    said = said_by(monkeypatch, capsys, f"callbacks.mine._target_=lightning.pytorch.callbacks.{name}")
    (line,) = said.splitlines()[1:]
    assert line.startswith(f"  callbacks.mine: want no {name}: {why}")


@pytest.mark.parametrize("every", ["4", "null"])
def test_early_stopping_may_follow_a_validation_that_comes_seldom(every: str):
    assert train.config("callbacks=early_stopping", "epochs=4", f"trainer.check_val_every_n_epoch={every}")["callbacks"]


def test_gradients_are_accumulated_by_a_setting_or_by_a_callback_but_not_by_both(monkeypatch, capsys):
    kind = "GradientAccumulationScheduler"
    words = [f"callbacks.mine._target_=lightning.pytorch.callbacks.{kind}", "callbacks.mine.scheduling={0: 2}"]
    said = said_by(monkeypatch, capsys, *words, "trainer.accumulate_grad_batches=4")
    why = "it needs trainer.accumulate_grad_batches=1, got 4"
    assert said.splitlines()[1:] == [f"  callbacks.mine: want no {kind}: {why}"]
    assert train.config(*words)["callbacks"]


@pytest.mark.parametrize("name", ["LearningRateMonitor", "DeviceStatsMonitor"])
def test_with_a_logger_a_callback_may_write_to_it(name: str):
    assert train.config("logger=wandb", f"callbacks.mine._target_=lightning.pytorch.callbacks.{name}")["callbacks"]


@pytest.mark.skipif(find_spec("comet_ml") is not None, reason="comet_ml is installed")
def test_a_logger_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "logger.mine._target_=lightning.pytorch.loggers.CometLogger")
    line = "  logger.mine: CometLogger needs the package comet_ml, which is not installed"
    assert said.splitlines()[1:] == [line]
    assert train.config("logger=wandb")["logger"]


def test_a_name_that_would_be_two_folders_is_refused(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "name=a/b")
    assert said.splitlines()[1:] == ["  name: want the name of a folder in runs, without '/', got 'a/b'"]


@pytest.mark.parametrize("command", ["train", "compare", "evaluate", "ensemble.__main__"])
def test_a_negative_seed_is_refused_before_any_work(command: str):
    with pytest.raises(ConfigError, match=r"\n  seed: want 0 or more \(below 2\^32\), got -1"):
        importlib.import_module(f"hms.{command}").main.config("seed=-1")


def test_conflicting_values_are_reported_along_with_other_mistakes(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "-m", "folds=5,2", "fold=4", "extractor.stft.nfft=3")
    assert said.splitlines()[1:] == [
        "  extractor.stft.nfft: Stft takes no 'nfft'; did you mean 'n_fft'?",
        "  fold: want 0 to 1 (folds=2) or all, got 4",
    ]
    said = said_by(monkeypatch, capsys, "compile=true", "backbone=hgnetv2", "backbone.grad_checkpointing=true")
    assert "compile: want false with backbone.grad_checkpointing=true, which leaves little to compile" in said
    said = said_by(monkeypatch, capsys, "compile=true", "extractor=efficientnet1d")
    assert "compile: want false with extractor.efficientnet1d.grad_checkpointing=true, which leaves little" in said
    said = said_by(monkeypatch, capsys, "compile=true", "extractor.mine=3")
    assert said.splitlines()[1:] == ["  extractor.mine: want a mapping with _target_, got 3"]
    said = said_by(
        monkeypatch, capsys, "live=simulated", "augmentation=teacher_labels", "augmentation.teacher_labels.runs=3"
    )
    assert said.splitlines()[1:] == [
        "  augmentation.teacher_labels.runs: TeacherLabels wants list of str, got 3",
        "  augmentation: no teacher has seen the windows of live; leave teacher_labels out",
    ]


@pytest.mark.parametrize("folds", ["0,1", "range(0,5) seed=range(0,5)"])  # all jobs are checked, or one per value
def test_a_mistake_of_some_jobs_names_the_choice_that_makes_it_one(folds: str, monkeypatch, capsys):
    words = ["backbone=tiny,hgnetv2", "backbone.pretrained=false", f"fold={folds}", "extractor=stft,wavenet"]
    said = said_by(monkeypatch, capsys, "-m", *" ".join(words).split(), "extractor.stft.columns=1", "epochs=0")
    assert said.splitlines()[1:] == [
        "  backbone.pretrained: backbone takes no 'pretrained' (only with backbone=tiny: run those jobs apart)",
        "  epochs: want 1 or more (below 2^32), got 0",
        "  extractor.stft: nothing of this name is chosen (only with extractor=wavenet: run those jobs apart)",
    ]


def test_the_substitute_of_an_unknown_option_is_not_checked(monkeypatch: pytest.MonkeyPatch, capsys):
    said = said_by(monkeypatch, capsys, "extractor=eeg", "extractor.spectrogram.dropout=0.3")
    assert said.startswith("1 problem(s) in the config:\n  extractor: want one of ")


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("data/ward", "data.root=data/ward"),
        ("my folder", "'data.root=my folder'"),
        ("my, own", """'data.root="my, own"'"""),
        ("a=b", """'data.root="a=b"'"""),
        ("null", """'data.root="null"'"""),
        (" x ", """'data.root=" x "'"""),
        ("it's", """'data.root="it'"'"'s"'"""),
        ("C:\\eeg", """'data.root="C:\\eeg"'"""),
    ],
)
def test_a_value_to_type_has_quotes_only_where_it_needs_them(text: str, typed: str):
    assert for_shell("data.root", text) == typed
    (job,) = line("data=competition", *shlex.split(typed)).jobs()
    assert job.config["data"]["root"] == text
