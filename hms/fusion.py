"""Combine the features of all extractors into a prediction of the six classes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.batch import Features
from hms.extractor import Extractor
from hms.labels import CLASSES
from hms.montage import Montage
from hms.ranges import want_at_least
from hms.spectrogram_images import IMAGES


class Concat(nn.Module):
    """Features by extractor -> (batch, 6) logits, by one linear layer over the concatenated vectors."""

    def __init__(self, extractors: dict[str, Extractor]):
        super().__init__()
        self.linear = nn.Linear(sum(e.out_features for e in extractors.values()), len(CLASSES))

    def forward(self, features: dict[str, Features]) -> Float[Tensor, "batch class"]:
        logits: Tensor = self.linear(torch.cat([extracted.vector for extracted in features.values()], dim=1))
        return logits


class Attention(nn.Module):
    """Features by extractor -> (batch, 6) logits, by a small transformer over all their tokens and vectors.

    The authors of the 15th-place solution had the idea but no time for it. Each token carries an embedding of its
    extractor and one of its pair or spectrogram image; extractors share the embeddings of pairs, so they can agree. One
    more token attends to all others and is read out. Pre-norm encoder (Vaswani et al. 2017, arXiv 1706.03762; Xiong et
    al. 2020, arXiv 2002.04745) of `layers` layers with `heads` heads, `width` wide.
    """

    def __init__(
        self, extractors: dict[str, Extractor], montage: Montage, width: int, layers: int, heads: int, dropout: float
    ):
        super().__init__()
        want_at_least(1, heads=heads, layers=layers)
        if width < 1 or width % heads:
            raise ValueError(f"width: want a multiple of heads = {heads}, got {width}")
        self.kinds = {name: e.token_kind for name, e in extractors.items()}
        self.vectors = nn.ModuleDict({name: _projection(e.out_features, width) for name, e in extractors.items()})
        self.tokens = nn.ModuleDict({name: _projection(e.token_features, width) for name, e in extractors.items()})
        self.who = nn.ParameterDict({name: _embedding(1, width) for name in extractors})
        places = {"image": len(IMAGES), "pair": len(montage.pairs)}
        kinds = sorted({*self.kinds.values()})
        self.where = nn.ParameterDict({kind: _embedding(places[kind], width) for kind in kinds})
        self.reader = _embedding(1, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.linear = nn.Linear(width, len(CLASSES))

    def forward(self, features: dict[str, Features]) -> Float[Tensor, "batch class"]:
        logits: Tensor = self.linear(self.encoder(self._sequence(features))[:, 0])
        return logits

    def weights(self, features: dict[str, Features]) -> dict[str, Float[Tensor, "batch place"]]:
        """The reader's weight on each extractor's vector (first) and tokens, in eval mode; all weights sum to 1.

        Attention rollout over the layers, with half for the residual path (Abnar and Zuidema 2020, arXiv 2005.00928).
        """
        x = self._sequence(features)
        rollout = torch.eye(x.shape[1], device=x.device).expand(len(x), -1, -1)
        for layer in self.encoder.layers:
            normed = layer.norm1(x)
            _, attention = layer.self_attn(normed, normed, normed, need_weights=True)
            rollout = (attention + torch.eye(x.shape[1], device=x.device)) / 2 @ rollout
            x = layer(x)
        others = rollout[:, 0, 1:] / rollout[:, 0, 1:].sum(dim=1, keepdim=True)
        sizes = [1 + extracted.tokens.shape[1] for extracted in features.values()]
        return dict(zip(features, torch.split(others, sizes, dim=1), strict=True))

    def _sequence(self, features: dict[str, Features]) -> Float[Tensor, "batch place width"]:
        """The reader, followed by each extractor's vector and tokens."""
        batch = next(iter(features.values())).vector.shape[0]
        sequence = [self.reader.expand(batch, 1, -1)]
        for name, extracted in features.items():
            vector, tokens = self.vectors[name](extracted.vector), self.tokens[name](extracted.tokens)
            sequence += [vector.unsqueeze(1) + self.who[name], tokens + self.who[name] + self.where[self.kinds[name]]]
        return torch.cat(sequence, dim=1)


def _projection(features: int, width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(features), nn.Linear(features, width))


def _embedding(count: int, width: int) -> nn.Parameter:
    return nn.Parameter(0.02 * torch.randn(count, width))
