"""Build the folder from which a Kaggle notebook without internet predicts: `make kaggle RUNS=... ENSEMBLE=...`.

kaggle_notebook.py   installs the wheels and calls hms.predict
wheels/              this package, and what it imports to predict that Kaggle's image lacks or has in other versions
runs/                model.ckpt and scores.json of each fold; a bundle as it is
ensemble.json        the runs, their weights and the rest
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from hms.bundle import is_bundle
from hms.errors import UserError
from hms.predictors import Predictors, read_predictors

ROOT = Path(__file__).parents[1]

PACKAGES = "antlr4-python3-runtime hydra-core jaxtyping nnaudio omegaconf timm wadler-lindig".split()
"""Pure Python, in the versions of requirements.lock. What is compiled is the image's: torch, torchvision, numpy, scipy,
polars, safetensors; rich, PyYAML, huggingface-hub and what they need are there, too. Lightning and wandb only train."""


def want_free(out: Path) -> None:
    """Raise UserError for a folder of other files, which would be gone."""
    if out.exists() and not (out / "kaggle_notebook.py").is_file() and any(out.iterdir()):
        raise UserError(f"--out: want a new folder, or one made here before, got '{out}', which holds other files")


def copy_runs(predictors: Predictors, folder: Path, half: bool) -> None:
    """Write `runs/` and an ensemble.json that names the runs there; `half` keeps weights as float16."""
    names = [run.parent.name if folds == [run] else run.name for run, folds in predictors.folds.items()]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"model: want runs whose folders have different names, got {', '.join(sorted(twice))} again")
    for name, (run, folds) in zip(names, predictors.folds.items(), strict=True):
        if is_bundle(run):
            if half:
                raise UserError(f"--half: want runs, got the bundle {run}, whose files are fixed by their hashes")
            shutil.copytree(run, folder / "runs" / name)
            continue
        for fold in folds:
            into = folder / "runs" / name / fold.name
            into.mkdir(parents=True)
            shutil.copy(fold / "scores.json", into)
            held = torch.load(fold / "model.ckpt", map_location="cpu", weights_only=True)
            if half:
                held["weights"] = {k: w.half() if w.is_floating_point() else w for k, w in held["weights"].items()}
            torch.save(held, into / "model.ckpt")
    ensemble = {"members": [f"runs/{name}" for name in names], **predictors.mixture.as_json()}
    (folder / "ensemble.json").write_text(json.dumps(ensemble, indent=1))


def make_wheels(folder: Path) -> None:
    """Build the wheel of this package, fetch the others as they are locked."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    locked = re.findall(r"^([\w-]+)(==.*(?:\n    --hash.*)+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "requirements.txt")
        wanted.write_text("".join(f"{name}{rest}\n" for name, rest in locked if name in PACKAGES))
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--require-hashes", "-w", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-r", str(wanted)], check=True)
    for wheel in folder.iterdir():
        if not wheel.name.endswith("-none-any.whl"):
            raise UserError(f"{wheel.name}: want pure Python, which any notebook can install; take it out of PACKAGES")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", help="run folders, predicted by their mean")
    parser.add_argument("--ensemble", help="or the folder of an ensemble.json")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "kaggle", help="folder to build, anew")
    parser.add_argument("--half", action="store_true", help="weights as float16: half the size, other numbers")
    given = parser.parse_args()
    try:
        want_free(given.out)
        predictors = read_predictors("model", given.model, given.ensemble, None, {}, 0)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=given.out.parent) as scratch:
            folder = Path(scratch, "kaggle")
            copy_runs(predictors, folder, given.half)
            make_wheels(folder / "wheels")
            shutil.copy(ROOT / "scripts" / "kaggle_notebook.py", folder)
            shutil.rmtree(given.out, ignore_errors=True)
            folder.rename(given.out)
    except UserError as error:
        sys.exit(str(error))
    size = sum(file.stat().st_size for file in given.out.rglob("*") if file.is_file()) / 1e6
    folds = sum(map(len, predictors.folds.values()))
    print(
        f"{given.out}: {len(predictors.folds)} run(s), {folds} model(s), {size:.1f} MB; upload it as a Kaggle dataset"
    )


if __name__ == "__main__":
    main()
