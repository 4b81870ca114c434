"""The whole way from raw electrodes to six logits."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from hms.batch import Batch, Signals
from hms.preprocess import Preprocess


class Model(nn.Module):
    """Batch of raw windows (µV) -> (batch, 6) logits: preprocess, each extractor, fusion.

    `extractors` maps a name to a module from Signals to (batch, out_features); `fusion` builds the last stage from
    the `out_features` of each.
    """

    def __init__(
        self, preprocess: Preprocess, extractors: dict[str, nn.Module], fusion: Callable[[dict[str, int]], nn.Module]
    ):
        super().__init__()
        if not extractors:
            raise ValueError("extractors: want at least one, got none")
        self.preprocess = preprocess
        self.extractors = nn.ModuleDict(extractors)
        self.fusion = fusion({name: int(e.out_features) for name, e in extractors.items()})  # type: ignore[arg-type]
        self.reads_spectrogram = any(e.reads_spectrogram for e in extractors.values())

    def forward(self, batch: Batch) -> Float[Tensor, "batch label"]:
        return self.classify(self.preprocess(batch))

    def classify(self, signals: Signals) -> Float[Tensor, "batch label"]:
        """Logits of windows that are already preprocessed (and, in training, augmented)."""
        logits: Tensor = self.fusion({name: extractor(signals) for name, extractor in self.extractors.items()})
        return logits
