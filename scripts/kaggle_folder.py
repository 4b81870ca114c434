"""Build the folder from which a Kaggle notebook without internet predicts: `make kaggle RUNS=... ENSEMBLE=...`.

kaggle_notebook.py   unpacks the wheels and calls hms.submit
wheels/              this package, and the packages for prediction that Kaggle's image lacks or has in other versions
runs/                model.ckpt and scores.json of each fold; bundles unchanged
ensemble.json        the runs, their weights and the other settings of the mixture
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

from hms.errors import UserError
from hms.prediction.predictors import Predictors, find_predictors

ROOT = Path(__file__).parents[1]

PACKAGES = "antlr4-python3-runtime hydra-core jaxtyping nnaudio omegaconf timm wadler-lindig".split()
"""Pure Python, in the versions of requirements.lock. Compiled packages come from the image: torch, torchvision, numpy,
scipy, polars, safetensors; also rich, PyYAML, huggingface-hub and their dependencies. Only training needs Lightning and
wandb."""


def want_free(out: Path) -> None:
    """Raise UserError if `out` holds foreign files, which would be deleted."""
    if out.exists() and not (out / "kaggle_notebook.py").is_file() and any(out.iterdir()):
        raise UserError(f"--out: want a new folder, or one built by this script, got '{out}', which holds other files")


def copy_runs(predictors: Predictors, folder: Path, half: bool) -> None:
    """Write `runs/`, and an ensemble.json that refers to them; `half` stores the weights as float16."""
    names = [run.folder.name for run in predictors.runs]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise UserError(f"runs: want folders with different names, got {', '.join(sorted(duplicates))} more than once")
    for name, run in zip(names, predictors.runs, strict=True):
        if run.is_bundle:
            if half:
                raise UserError(f"--half: want runs, got the bundle {run.path}, whose files are fixed by their hashes")
            shutil.copytree(run.path, folder / "runs" / name)
            continue
        for fold in run.folds:
            into = folder / "runs" / name / fold.name
            into.mkdir(parents=True)
            shutil.copy(fold / "scores.json", into)
            checkpoint = torch.load(fold / "model.ckpt", map_location="cpu", weights_only=True)
            if half:
                checkpoint["weights"] = {name: halved(weight) for name, weight in checkpoint["weights"].items()}
            torch.save(checkpoint, into / "model.ckpt")
    ensemble = {"members": [f"runs/{name}" for name in names], **predictors.mixture.as_json()}
    (folder / "ensemble.json").write_text(json.dumps(ensemble, indent=1))


def halved(weight: torch.Tensor) -> torch.Tensor:
    """As float16, unless that would make numbers infinite: a batch norm's variance has no upper limit."""
    small = weight.half() if weight.is_floating_point() else weight
    return small if small.isfinite().all() else weight


def make_wheels(folder: Path) -> None:
    """Build this package's wheel and fetch the others in their locked versions."""
    build_wheel(folder)
    fetch_wheels(folder)
    for wheel in folder.iterdir():
        if not wheel.name.endswith("-none-any.whl"):
            raise UserError(f"{wheel.name}: want a pure Python wheel, for any notebook; remove it from PACKAGES")


def build_wheel(folder: Path) -> None:
    """Build this package's wheel into `folder`, which may be relative to the current folder."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{ROOT}: its wheel cannot be built:\n{done.stderr.strip()}")


def fetch_wheels(folder: Path) -> None:
    """Fetch the wheels of `PACKAGES` in their locked versions."""
    locked = re.findall(r"^([\w-]+)(==.*(?:\n    --hash.*)+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "requirements.txt")
        wanted.write_text("".join(f"{name}{rest}\n" for name, rest in locked if name in PACKAGES))
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--require-hashes", "-w", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-r", str(wanted)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--runs", nargs="*", help="run folders, whose predictions are averaged")
    models.add_argument("--ensemble", help="or a folder with an ensemble.json")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "kaggle", help="folder to build (replaced)")
    parser.add_argument("--fold", choices=["all"], help="by the models of fold=all, one of each run")
    parser.add_argument("--half", action="store_true", help="weights as float16: half the size, other rounding")
    args = parser.parse_args()
    try:
        want_free(args.out)
        predictors = find_predictors(args.runs, args.ensemble, args.fold)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=args.out.parent) as scratch:
            folder = Path(scratch, "kaggle")
            copy_runs(predictors, folder, args.half)
            make_wheels(folder / "wheels")
            shutil.copy(ROOT / "scripts" / "kaggle_notebook.py", folder)
            shutil.rmtree(args.out, ignore_errors=True)
            folder.rename(args.out)
    except UserError as error:
        sys.exit(str(error))
    size = sum(file.stat().st_size for file in args.out.rglob("*") if file.is_file()) / 1e6
    print(f"{args.out}: {predictors.name}, {size:.1f} MB; upload it as a Kaggle dataset")


if __name__ == "__main__":
    main()
