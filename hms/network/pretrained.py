"""Find files of pretrained weights, for machines that cannot reach the hub and networks that are not on it."""

from pathlib import Path

from hms.errors import UserError


def weights_file(weights: str, name: str | None) -> Path:
    """The file of a network's weights, given its path, or of a timm model's `name`, given also its folder.

    Raises UserError if there is none.
    """
    path = Path(weights)
    if name is not None and path.is_dir():
        candidates = [path / f"{name}{ending}" for ending in (".safetensors", ".pth", ".bin")]
        path = next((file for file in candidates if file.is_file()), candidates[0])
    if not path.is_file():
        wish = f"backbone.weights: want a file or a folder with weights of '{name}'" if name else "weights: want a file"
        raise UserError(f"{wish}, got '{path}' (no such file)")
    return path
