"""Models whose batch norms have met windows, and what these norms meet when the models predict."""

import torch
from material import batch, config, quick
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.config.build import build
from hms.model import Model
from hms.prediction.inference import Compute, by_model


def model(extractor: str = "stft_short", seed: int = 0) -> Model:
    torch.manual_seed(seed)
    made: Model = build(quick(config(*f"extractor={extractor}".split()))["model"])
    with torch.inference_mode():
        for _ in range(3):
            made(batch(4))  # so that the norms hold another mean and variance than 0 and 1
    return made.eval()


def norms(of: Model) -> list[_BatchNorm]:
    return [part for part in of.modules() if isinstance(part, _BatchNorm)]


def met(of: Model, *some) -> list[tuple[Tensor, Tensor]]:
    """Return the mean and variance of each norm's input while the model predicts, in the order of `norms`."""
    found: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms(of)}
    hooks = [norm.register_forward_pre_hook(lambda norm, x: found[norm].append(x[0])) for norm in found]
    by_model([of], some, Compute("cpu", flips=False))
    for hook in hooks:
        hook.remove()
    values = [torch.cat([x.transpose(0, 1).flatten(1) for x in parts], dim=1) for parts in found.values()]
    return [(each.mean(dim=1), each.var(dim=1, correction=0)) for each in values]
