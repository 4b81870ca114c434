"""Find pretrained weights of timm models: on the hub, or in a file for machines that cannot reach it."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from hms.errors import UserError


def hub_reachable() -> bool:
    """Whether the hub's host name resolves; assumed behind a proxy, where name resolution proves nothing."""
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname, 443))
    except OSError:
        return False


def weights_file(weights: str, name: str) -> Path:
    """The file of a timm model's weights, given its path or its folder. Raises UserError if there is none."""
    path = Path(weights)
    if path.is_dir():
        candidates = [path / f"{name}{ending}" for ending in (".safetensors", ".pth", ".bin")]
        path = next((file for file in candidates if file.is_file()), candidates[0])
    if not path.is_file():
        raise UserError(
            f"backbone.weights: want a file or a folder with weights of '{name}', got '{path}' (no such file)"
        )
    return path
