"""The versions that a run was made with: the commit of hms, Python and the packages that compute."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("hms", "torch", "lightning", "timm", "nnaudio", "numpy", "scipy", "polars", "hydra-core", "omegaconf")


def versions() -> dict[str, Any]:
    """Return the commit and the versions of Python and packages, for a run's provenance.json."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"commit": _commit(), "python": sys.version.split()[0], "packages": packages}


def _commit() -> str | None:
    """Return the checkout's commit, with `+` if files differ from it; None outside a checkout, and without git."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not shutil.which("git"):  # an installed hms may lie in a foreign checkout
        return None
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None
