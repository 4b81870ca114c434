"""`python -m hms.predict`: a submission for the test part of a folder, by a run, the mean of several, or an ensemble.

It needs no training data, no network and no account: the model.ckpt of each fold is enough.
"""

from pathlib import Path
from typing import Any, Literal, TypedDict

from hms.build import build
from hms.config import entry_point
from hms.signature import Node


class Predict(TypedDict):
    """The keys of conf/predict.yaml; their values live there."""

    data: Node
    run: str | list[str] | None
    ensemble: str | None
    out: str
    on_bad: Literal["raise", "skip"]
    batch_size: int
    accelerator: str
    flips: bool


def predict(config: dict[str, Any]) -> None:
    """Predict every EEG of test.csv and write the submission to `config["out"]`."""
    import numpy as np  # these are slow to import; a mistake in the config should not wait for them
    import polars as pl

    from hms.checkpoint import load_model
    from hms.console import say
    from hms.corpus import bad_file_table
    from hms.errors import DataError, UserError
    from hms.inference import best_device, by_model
    from hms.labels import CLASSES
    from hms.predictors import read_predictors
    from hms.stream import bad_files, batches
    from hms.submission import wanted, write_submission
    from hms.tables import read_test

    if config["batch_size"] < 1:
        raise UserError(f"batch_size: want at least 1, got {config['batch_size']}")
    predictors = read_predictors(config["run"], config["ensemble"])
    device = best_device(config["accelerator"])
    folder = build(config["data"])
    folder.make()
    rows = read_test(folder.root / "test.csv")
    wanted(folder.root)  # a mistake there should not wait for the predictions
    folds = [fold for run in predictors.folds.values() for fold in run]
    models = [load_model(fold) for fold in folds]
    with_spectrogram = any(model.reads_spectrogram for model in models)
    bad = bad_files(folder.root, rows, with_spectrogram)
    lost = [one.eeg_id for one in bad]
    if bad:
        told = bad_file_table(folder.root, [one.problem for one in bad], "gives their rows the mean of all others")
        if config["on_bad"] == "raise" or len(lost) == len(rows):
            raise DataError(told)
        say(f"NOT PREDICTED: {len(lost)} of {len(rows)} rows get the mean of all others\n{told}")
    known = rows.filter(~pl.col("eeg_id").is_in(lost))
    windows = batches(folder.root, known, config["batch_size"], with_spectrogram)
    eeg_ids, found = by_model(models, windows, device, config["flips"])
    for fold, of_fold in zip(folds, found, strict=True):
        if not np.isfinite(of_fold).all():
            raise UserError(f"{fold}: the model predicts NaN; its training diverged")
    table = pl.DataFrame(predictors.mix(found), CLASSES).with_columns(pl.Series("eeg_id", eeg_ids))
    filled = table.select(CLASSES).mean().join(pl.DataFrame({"eeg_id": lost}, {"eeg_id": pl.Int64}), how="cross")
    out = Path(config["out"])
    write_submission(out, folder.root, pl.concat([table, filled]))
    print(f"{out}: {len(rows):,} rows, by {len(folds)} model(s) of {len(predictors.folds)} run(s)")


@entry_point("predict", Predict, positional="run")
def main(config: dict[str, Any]) -> None:
    """Write the submission."""
    predict(config)


if __name__ == "__main__":
    main()
