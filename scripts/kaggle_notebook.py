"""Predict the hidden test set of the competition in a notebook without internet, by this cell:

    !python /kaggle/input/<the folder that `make kaggle` built, as a dataset>/kaggle_notebook.py

It writes submission.csv where Kaggle expects it. Further arguments go to hms.submit: flips=false, precision=32-true.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = "/kaggle/input/hms-harmful-brain-activity-classification"

# A submission needs every row: a single unreadable file must not cost all the others, nor may memory run out: all
# models share the GPU, 40 of them are 8 GB of 16, and 32 windows of float32 would take up to 12 GB more, by count.
defaults = [f"ensemble={HERE}", "data=competition", f"data.root={ROOT}", "on_bad=skip", "batch_size=8"]
defaults += ["precision=16-mixed"] * bool(shutil.which("nvidia-smi"))  # a CPU hardly computes in float16
given = {word.partition("=")[0] for word in sys.argv[1:]}
arguments = [*(word for word in defaults if word.partition("=")[0] not in given), *sys.argv[1:]]
wheels = [str(wheel) for wheel in sorted(HERE.glob("wheels/*.whl"))]
with TemporaryDirectory() as installed:  # beside the packages of this Python, none of which is replaced
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", installed]
    subprocess.run([*pip, *wheels], check=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [installed, os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-m", "hms.submit", *arguments], env=environment)
sys.exit(done.returncode)
