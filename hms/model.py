"""The complete model, from raw electrodes to six logits."""

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

    `fusion` builds the last stage from the extractors, whose sizes it reads. With `auxiliary_heads` each of several
    extractors also has its own linear layer to six logits, so that none of them leaves the work to the others
    (15th-place solution); a lone extractor needs none, because the fusion learns the same. With `share_backbones`
    extractors whose backbones have the same name, layers and grid share one.
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
        self.extractors = nn.ModuleDict(extractors)  # type: ignore[arg-type]  # they are modules as well
        self.fusion = fusion(extractors)
        with_head = extractors if auxiliary_heads and len(extractors) > 1 else {}
        self.heads = nn.ModuleDict({name: nn.Linear(e.out_features, len(CLASSES)) for name, e in with_head.items()})
        self.reads_spectrogram = any(e.reads_spectrogram for e in extractors.values())

    def forward(self, batch: Batch) -> Float[Tensor, "batch class"]:
        return self.classify(self.preprocess(batch)).joint

    def classify(self, signals: Signals) -> Logits:
        """Logits of windows that are already preprocessed (and, in training, augmented)."""
        features = {name: extractor(signals) for name, extractor in self.extractors.items()}
        return Logits(self.fusion(features), {name: head(features[name].vector) for name, head in self.heads.items()})


def _share_backbones(extractors: dict[str, Any]) -> None:
    shared: dict[str, nn.Module] = {}
    with_backbone = [extractor for extractor in extractors.values() if hasattr(extractor, "backbone")]
    for extractor in with_backbone:
        extractor.backbone = shared.setdefault(repr(extractor.backbone), extractor.backbone)
    if len(shared) == len(with_backbone):
        raise ValueError(f"share_backbones: want two extractors with the same backbone, got {', '.join(extractors)}")
