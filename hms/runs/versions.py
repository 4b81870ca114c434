"""The versions that a run was made with: of its own code, of hms, Python and the packages that compute."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hms.config.signature import OURS
from hms.config.source import find
from hms.runs.settings import nodes

_PACKAGES = ("hms", "torch", "lightning", "timm", "nnaudio", "numpy", "scipy", "polars", "hydra-core", "omegaconf")


def versions(config: dict[str, Any]) -> dict[str, Any]:
    """The versions of all that computes what a config describes, for a run's provenance.json."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"commit": _commit(), "python": sys.version.split()[0], "packages": packages, "code": _code(config)}


def differing(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Name what is not the same in two of `versions`, with the earlier version of each package."""
    names = [f"{name} {old}" for name, old in then.get("packages", {}).items() if old != now["packages"].get(name)]
    if then.get("commit") != now["commit"]:
        names.append(f"commit {then.get('commit')}")
    return names + [
        f"another {name}" for name, old in then.get("code", {}).items() if old != now["code"].get(name, old)
    ]


def _code(config: dict[str, Any]) -> dict[str, str]:
    """The digests of the modules of hms, and of the user's whole packages, that define what a config builds.

    A module that no commit has yet, or that changed after it, is told apart by nothing else.
    """
    targets = {str(node["_target_"]) for node in nodes(config) if "_target_" in node}
    modules = {find(target)[0] for target in targets if target.startswith(OURS)}
    names = {name if name.startswith("hms.") else name.partition(".")[0] for name in modules}
    return {name: _digest(name) for name in sorted(names)}


def _digest(name: str) -> str:
    """The digest of a module, or of all modules of a package."""
    spec = find_spec(name)
    assert spec is not None
    inside = [file for folder in spec.submodule_search_locations or () for file in sorted(Path(folder).rglob("*.py"))]
    digest = hashlib.blake2b(digest_size=8)
    for file in [file for file in inside if file.is_file()] or [Path(str(spec.origin))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _commit() -> str | None:
    """The checkout's commit, with `+` if files differ from it; None outside a checkout, and without git."""
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
