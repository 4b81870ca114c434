"""The whole way from raw electrodes to six logits."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from hms.batch import Batch, Signals
from hms.extractor import Extractor
from hms.preprocess import Preprocess


class Model(nn.Module):
    """Batch of raw windows (µV) -> (batch, 6) logits: preprocess, each extractor, fusion.

    `fusion` is called with the extractors, to read their sizes, and gives the last stage.
    """

    def __init__(
        self,
        preprocess: Preprocess,
        extractors: dict[str, Extractor],
        fusion: Callable[[dict[str, Extractor]], nn.Module],
    ):
        super().__init__()
        if not extractors:
            raise ValueError("extractors: want at least one, got none")
        self.preprocess = preprocess
        self.extractors = nn.ModuleDict(extractors)  # type: ignore[arg-type]  # they are modules, too
        self.fusion = fusion(extractors)
        self.reads_spectrogram = any(e.reads_spectrogram for e in extractors.values())

    def forward(self, batch: Batch) -> Float[Tensor, "batch label"]:
        return self.classify(self.preprocess(batch))

    def classify(self, signals: Signals) -> Float[Tensor, "batch label"]:
        """Logits of windows that are already preprocessed (and, in training, augmented)."""
        logits: Tensor = self.fusion({name: extractor(signals) for name, extractor in self.extractors.items()})
        return logits
