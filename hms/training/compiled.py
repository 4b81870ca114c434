"""Compile networks with torch.compile, which fuses each operation with the next.

Of an extractor with a backbone, only the backbone's parts are compiled: a WaveNet's layers have their own fast
implementations, on CPUs and on GPUs since Ampere. Weights keep their names, and copies of a model are not compiled.
Each part is compiled when it first runs, for batches of any number of rows, and again for each new image size, which
takes seconds to minutes: on a CPU by a C++ compiler, on a GPU by Triton. What was compiled once is kept on disk.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.errors import UserError
from hms.model import Model

_COMPILER = "clang++" if sys.platform == "darwin" else "g++"


def compile_networks(model: Model, device: str, precision: str | int) -> None:
    """Mark a model's networks for compilation on `device`. Raises UserError for a CPU without a C++ compiler."""
    compiler = os.environ.get("CXX") or _COMPILER
    if device == "cpu" and not shutil.which(compiler):
        raise UserError(
            f"compile: want a C++ compiler on a CPU, found no {compiler}; install one, or use compile=false"
        )
    torch.compiler.config.cache_key_tag = str(precision)  # some torch (2.11) would take float16's code from bfloat16's
    for extractor in model.extractors.values():
        for part in _parts(extractor):
            _compile(part)


def _compile(part: nn.Module) -> None:
    """Do what `part.compile()` does, but once for all numbers of rows: an epoch has batches of two sizes."""
    compiled = torch.compile(part._call_impl)

    def call(image: Float[Tensor, "batch ..."], *args: Any, **options: Any) -> Any:
        torch._dynamo.maybe_mark_dynamic(image, 0)
        return compiled(image, *args, **options)

    part._compiled_call_impl = call


def _parts(extractor: Any) -> Iterator[nn.Module]:
    backbone = getattr(extractor, "backbone", extractor)
    network = getattr(backbone, "network", backbone)  # of a timm backbone, or of an extractor without one
    yield from (part for part in network.children() if [*part.children()])  # a single layer has nothing to fuse with
