"""Compile networks with torch.compile, which fuses each operation with the next.

Of an extractor with a backbone, only the backbone's parts are compiled: a WaveNet's layers have their own fast
implementations, on CPUs and on GPUs since Ampere. Weights keep their names, and copies of a model are not compiled.
Each part is compiled when it first runs, and again for each new image size: on a CPU by a C++ compiler, which takes
seconds to minutes.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

from hms.errors import UserError
from hms.model import Model

_COMPILER = "clang++" if sys.platform == "darwin" else "g++"


def compile_networks(model: Model, device: str) -> None:
    """Mark a model's networks for compilation on `device`. Raises UserError for a CPU without a C++ compiler."""
    compiler = os.environ.get("CXX") or _COMPILER
    if device == "cpu" and not shutil.which(compiler):
        raise UserError(
            f"compile: want a C++ compiler on a CPU, found no {compiler}; install one, or use compile=false"
        )
    for extractor in model.extractors.values():
        for part in _parts(extractor):
            part.compile()


def _parts(extractor: Any) -> Iterator[nn.Module]:
    backbone = getattr(extractor, "backbone", extractor)
    network = getattr(backbone, "network", backbone)  # of a timm backbone, or of an extractor without one
    yield from (part for part in network.children() if [*part.children()])  # a single layer has nothing to fuse with
