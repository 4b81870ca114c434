"""The commands of hms, run in this process because importing torch takes long; and what they leave in a folder."""

import importlib
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import polars as pl

SMALL = ["experiment=smoke", "extractor=stft_short"]
"""Words of a training that takes seconds."""


def hms(module: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Run a command; return what it writes to stdout and stderr."""
    out, err, ended = io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "argv", [f"hms.{module}", *arguments]), redirect_stdout(out), redirect_stderr(err):
        try:
            importlib.import_module(f"hms.{module}").main()
        except SystemExit as error:
            ended = error.code
    assert ended == code, err.getvalue()
    assert "Traceback" not in err.getvalue()
    return out.getvalue(), err.getvalue()


def said_by(command: str, arguments: list[str]) -> str:
    """Return what a command that fails writes to stderr."""
    return hms(command, *arguments, code=1)[1]


def command(module: str, *words: str, code: int = 0) -> str:
    """As `hms`, for modules in which that is the package; returns all that the command writes, stderr first."""
    out, err = hms(module, *words, code=code)
    return err + out


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, apart from times."""
    return {str(path.relative_to(folder)): _timeless(path) for path in folder.rglob("*") if path.is_file()}


def _timeless(path: Path) -> bytes:
    if path.name == "scores.json":
        return json.dumps(json.loads(path.read_text()) | {"seconds": 0}).encode()
    if path.name == "metrics.csv":
        return pl.read_csv(path).drop("seconds").write_csv().encode()
    return b"" if path.name == "provenance.json" else path.read_bytes()
