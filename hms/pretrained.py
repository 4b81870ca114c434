"""Where pretrained weights of timm models come from: the hub, or a file for machines that cannot reach it."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from hms.errors import UserError


def hub_answers() -> bool:
    """Whether the hub's name can be looked up; behind a proxy that says nothing, so it is taken to answer."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname, 443))
    except OSError:
        return False


def weights_file(weights: str, name: str) -> Path:
    """The file of a timm model's weights, by its own path or its folder's. Raises UserError where there is none."""
    path = Path(weights)
    if path.is_dir():
        candidates = [path / f"{name}{ending}" for ending in (".safetensors", ".pth", ".bin")]
        path = next((file for file in candidates if file.is_file()), candidates[0])
    if not path.is_file():
        raise UserError(
            f"backbone.weights: want a file or a folder with weights of '{name}', got '{path}' (no such file)"
        )
    return path
