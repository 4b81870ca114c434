"""The whole way from raw electrodes to six logits."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from hms.batch import Batch, Logits, Signals
from hms.extractor import Extractor
from hms.labels import CLASSES
from hms.preprocess import Preprocess


class Model(nn.Module):
    """Batch of raw windows (µV) -> (batch, 6) logits: preprocess, each extractor, fusion.

    `fusion` is called with the extractors, to read their sizes, and gives the last stage. With `auxiliary_heads` each
    of several extractors also has a linear layer of its own to six logits, so that none of them leaves the work to the
    others (15th-place solution); what a head of a lone extractor would learn, the fusion learns. With `share_backbones`
    extractors whose backbones are of the same make, strides included, use one and the same.
    """

    def __init__(
        self,
        preprocess: Preprocess,
        extractors: dict[str, Extractor],
        fusion: Callable[[dict[str, Extractor]], nn.Module],
        auxiliary_heads: bool,
        share_backbones: bool,
    ):
        super().__init__()
        if not extractors:
            raise ValueError("extractors: want at least one, got none")
        if share_backbones:
            _share_backbones(extractors)
        self.preprocess = preprocess
        self.extractors = nn.ModuleDict(extractors)  # type: ignore[arg-type]  # they are modules, too
        self.fusion = fusion(extractors)
        with_head = extractors if auxiliary_heads and len(extractors) > 1 else {}
        self.heads = nn.ModuleDict({name: nn.Linear(e.out_features, len(CLASSES)) for name, e in with_head.items()})
        self.reads_spectrogram = any(e.reads_spectrogram for e in extractors.values())

    def forward(self, batch: Batch) -> Float[Tensor, "batch label"]:
        return self.classify(self.preprocess(batch)).joint

    def classify(self, signals: Signals) -> Logits:
        """What is said of windows that are already preprocessed (and, in training, augmented)."""
        features = {name: extractor(signals) for name, extractor in self.extractors.items()}
        return Logits(self.fusion(features), {name: head(features[name].vector) for name, head in self.heads.items()})


def _share_backbones(extractors: dict[str, Any]) -> None:
    makes: dict[str, nn.Module] = {}
    having = {name: extractor for name, extractor in extractors.items() if hasattr(extractor, "backbone")}
    for extractor in having.values():
        extractor.backbone = makes.setdefault(repr(extractor.backbone), extractor.backbone)
    if len(makes) == len(having):
        raise ValueError(f"share_backbones: want two extractors with the same backbone, got {', '.join(extractors)}")
