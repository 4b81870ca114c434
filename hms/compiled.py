"""Networks through torch.compile, which fuses what an operation makes with what the next one does to it.

Only the parts of the backbones. A WaveNet's layers have faster forms of their own on CPUs and GPUs since Ampere.
Weights keep their names, and a copy of a model is not compiled. Each part is compiled when it first runs, and again for
another size of its image: on a CPU by a C++ compiler, for seconds to minutes.
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
    """Let the networks of a model compile themselves on `device`. Raises UserError for a CPU without a C++ compiler."""
    compiler = os.environ.get("CXX") or _COMPILER
    if device == "cpu" and not shutil.which(compiler):
        raise UserError(f"compile: wants a C++ compiler on a CPU, found no {compiler}; or compile=false")
    for extractor in model.extractors.values():
        for part in _parts(extractor):
            part.compile()


def _parts(extractor: Any) -> Iterator[nn.Module]:
    backbone = getattr(extractor, "backbone", nn.Module())
    network = getattr(backbone, "network", backbone)  # of timm
    yield from (part for part in network.children() if [*part.children()])  # a layer alone has nothing to be fused with
