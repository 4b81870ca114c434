"""Durations as people write them, for notes and printed lines."""


def duration_text(seconds: float) -> str:
    """`9.6 s`, `1 min 40 s`, `23 h 59 min 50 s`: to 0.1 s below a minute, to 1 s above."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    parts = {"h": minutes // 60, "min": minutes % 60, "s": rest}
    return " ".join(f"{number:,} {unit}" for unit, number in parts.items() if number)
