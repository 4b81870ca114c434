"""The settings of a timeline in plain words, for its page; its JSON holds them as they are."""

from typing import Any

from hms.page.document import SHOWN

_LEFT = {
    "ensemble": "none",
    "odds": "as in training",
    "unit": "as in the file",
    "channels": "by name",
    "prior": "none",
    "adapt": "no",
}
"""What it means that a setting was left empty."""

_LEAST_NATS = 5e-4  # of a bias that is more than rounding


def in_words(origin: dict[str, Any]) -> dict[str, str]:
    """The settings in `hms.timeline.origin`, by name, without what the page says elsewhere."""
    known = {key: value for key, value in origin.items() if key not in ("models", "predicted_by")}
    if "weights" in known:
        named = zip(origin["models"], known["weights"], strict=True)
        known["weights"] = ", ".join(f"{model['run']} {_text(weight)}" for model, weight in named)
    return {key: _LEFT[key] if key in _LEFT and not value else _words(key, value) for key, value in known.items()}


def _words(key: str, value: Any) -> str:
    if key == "step_s":
        return f"{value:g} s"
    if key == "channels":
        return ", ".join(f"{channel} is {lead}" for channel, lead in value.items())
    if key == "calibration":
        bias = {label: nats for label, nats in value["bias"].items() if abs(nats) >= _LEAST_NATS}
        parts = [f"temperature {_text(value['temperature'])}"] if value["temperature"] != 1 else []
        return "; ".join([*parts, *([f"bias {_text(bias)} nats"] if bias else [])]) or "none"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}".replace("-", "−")
    if isinstance(value, dict):
        between = "; " if any(isinstance(part, dict) for part in value.values()) else ", "
        return between.join(f"{SHOWN.get(name, name)} {_text(part)}" for name, part in value.items())
    return str(value)
