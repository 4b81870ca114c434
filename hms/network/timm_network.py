"""A network of timm by its name; pretrained weights come from the hub, or a file if the machine cannot reach it."""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from hms.errors import UserError, first_line
from hms.network.pretrained import weights_file

_FILES = ("model.safetensors", "pytorch_model.bin")
"""The names that a model's weights may have on the hub."""


class _NoWeights(UserError):
    """No weights for some of timm's models, and `reason`, why the first of them has none."""

    def __init__(self, names: Iterable[str], place: str, reason: str):
        named = ", ".join(f"'{name}'" for name in names)
        super().__init__(
            f"backbone: no pretrained weights for {named} from {place} ({reason}); "
            "give a file or folder with backbone.weights=/path, or start from random with backbone.pretrained=false"
        )
        self.reason = reason


def want_weights(names: Iterable[str]) -> None:
    """Raise UserError if pretrained weights of timm's models are neither on this machine nor to be had from the hub.

    It downloads them, as building the models would.
    """
    from huggingface_hub import try_to_load_from_cache

    failed = {}
    for name in dict.fromkeys(names):
        if not any(isinstance(try_to_load_from_cache(f"timm/{name}", file), str) for file in _FILES):
            with suppress(ValueError):  # no model of timm's, as building it will tell
                try:
                    timm_network(name, pretrained=True, weights=None, drop_path_rate=0.0)
                except _NoWeights as error:
                    failed[name] = error.reason
    if failed:
        raise _NoWeights(failed, "the hub", next(iter(failed.values())))


def timm_network(name: str, pretrained: bool, weights: str | None, drop_path_rate: float) -> Any:
    """timm's model `name` for images of one channel, without its classifier.

    `weights` is a file or folder as `weights_file` wants it, used only if `pretrained`. Raises ValueError for a model
    that timm cannot build so, and UserError if no weights are found.
    """
    import timm  # imports torchvision, which takes seconds that a tiny backbone need not wait
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    if pretrained and not weights and not _hub_reachable():
        constants.HF_HUB_OFFLINE = True  # cached weights still load; others fail at once, not after minutes

    file = weights_file(weights, name) if pretrained and weights else None
    try:
        overlay = _read_strictly(file, name) if file else None
        options = {"pretrained": pretrained, "pretrained_cfg_overlay": overlay, "in_chans": 1, "num_classes": 0}
        network = _created(name, drop_path_rate, options)
        network.pretrained_cfg.pop("state_dict", None)  # timm would keep the file's weights beside the network's
        return network
    except Exception as error:
        if _takes_no_drop_path(error):
            raise ValueError(f"drop_path_rate: want 0 for '{name}', which has none, got {drop_path_rate}") from None
        if not pretrained or not timm.is_model(name.split(".")[0]):
            raise ValueError(f"name: want a network that timm can build ({first_line(error)}), got '{name}'") from None
        others = "Error(s) in loading state_dict" in str(error)
        reason = "they are another network's" if others else first_line(error)
        raise _NoWeights([name], weights or "the hub", reason) from None
    finally:
        constants.HF_HUB_OFFLINE = offline


def _read_strictly(file: Path, name: str) -> dict[str, Any]:
    """What makes timm use the weights in `file`, and refuse those of another network.

    With an option `file` it would load the names that match, even none, and leave the rest at random.
    """
    from timm.models import get_pretrained_cfg_value, load_state_dict

    classifier = get_pretrained_cfg_value(name, "classifier") or ()
    names = [classifier] if isinstance(classifier, str) else classifier
    heads = tuple(".".join(one.split(".")[:2]) + "." for one in names)  # all layers of one such as head.fc.fc2
    weights = {key: value for key, value in load_state_dict(str(file)).items() if not key.startswith(heads)}
    return {"state_dict": weights, "classifier": None}


def _created(name: str, drop_path_rate: float, options: dict[str, Any]) -> Any:
    """Create a timm model; a rate of 0 is given as well, because the default of some is higher, if it takes one."""
    import timm

    try:
        return timm.create_model(name, drop_path_rate=drop_path_rate, **options)
    except TypeError as error:
        if drop_path_rate or not _takes_no_drop_path(error):
            raise
        return timm.create_model(name, **options)


def _takes_no_drop_path(error: Exception) -> bool:
    return isinstance(error, TypeError) and "'drop_path_rate'" in str(error)


def _hub_reachable() -> bool:
    """Whether the hub's host name resolves; assumed behind a proxy, where name resolution proves nothing."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname, 443))
    except OSError:
        return False
