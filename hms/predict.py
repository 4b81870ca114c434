"""`python -m hms.predict`: a timeline of any recording, by a model, the mean of several, or an ensemble.

No training data, network or account is needed: model.ckpt and scores.json of each fold are enough.
"""

from collections.abc import Iterator
from typing import Any

from hms.config.command import entry_point
from hms.prediction.keys import Predicting, neither_or_both
from hms.recording.keys import Reading, no_such_electrodes
from hms.system.shards import Sharded, no_such_shard, shard_of


class Predict(Sharded, Predicting, Reading):
    """The keys of conf/predict.yaml; their values live there."""

    runs: str | list[str] | None
    recording: str | list[str] | None
    out: str
    step_s: float
    threshold: float
    windows: int
    edf: bool


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for want of a recording, for values that conflict, and for a channel that measures nothing known."""
    if config["recording"] is None:
        wish = "want a file, a folder, a pattern or a list of these, got none"
        yield f"recording: {wish}; {_instead(config['runs'])}"
    yield from neither_or_both(config)
    yield from no_such_shard(config)
    yield from no_such_electrodes(config)


def _instead(runs: Any) -> str:
    """The end of a line for want of a recording: how to write one that was given as a run, as any path alone is."""
    from hms.config.words import for_shell
    from hms.recording.paths import are_recordings
    from hms.system.console import some

    runs = [run for run in (runs if isinstance(runs, list) else [runs]) if isinstance(run, str)]
    if not (meant := [*filter(are_recordings, runs)]):
        return "for the test part of a corpus, python -m hms.submit writes submission.csv"
    typed = for_shell("recording", meant[0]) if len(meant) == 1 else f"recording=[...] for {some(meant, 3)}"
    return f"a path alone is a run: write {'' if len(meant) < len(runs) else 'runs/<name>-<hash> '}{typed}"


@entry_point("predict", Predict, positional="runs", mistakes_in_values=mistakes_in_values)
def main(config: dict[str, Any]) -> None:
    """Predict the recordings that `config["recording"]` names."""
    from hms.prediction.inference import compute_of  # slow to import; mistakes in the config should surface first
    from hms.prediction.predictors import predictors_of
    from hms.recording.options import ReadingOptions
    from hms.timeline.options import TimelineOptions
    from hms.timeline.recordings import timelines

    reading = ReadingOptions(unit=config["unit"], channels=config["channels"])
    options = TimelineOptions(
        step_s=config["step_s"], threshold=config["threshold"], reading=reading, batch_size=config["batch_size"]
    ).checked()
    timelines(config, predictors_of(config), options, compute_of(config), shard_of(config))


if __name__ == "__main__":
    main()
