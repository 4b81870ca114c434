"""Predict the hidden test set of the competition in a notebook without internet, by this cell:

    !python /kaggle/input/<the folder that `make kaggle` built, as a dataset>/kaggle_notebook.py

It writes submission.csv where Kaggle expects it. Further arguments go to hms.submit: flips=false, precision=32-true.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = "/kaggle/input/hms-harmful-brain-activity-classification"

wheels = sorted(HERE.glob("wheels/*.whl"))
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *map(str, wheels)]
subprocess.run(pip, check=True)
# A submission needs every row: a single unreadable file must not cost all the others, nor may memory run out: all
# models share the GPU, 40 of them are 8 GB of 16, and 32 windows of float32 would take up to 12 GB more, by count.
defaults = [f"ensemble={HERE}", "data=competition", f"data.root={ROOT}", "on_bad=skip", "batch_size=8"]
defaults += ["precision=16-mixed"] * bool(shutil.which("nvidia-smi"))  # a CPU hardly computes in float16
given = {word.partition("=")[0] for word in sys.argv[1:]}
arguments = [*(word for word in defaults if word.partition("=")[0] not in given), *sys.argv[1:]]
sys.exit(subprocess.run([sys.executable, "-m", "hms.submit", *arguments]).returncode)
