"""`python -m hms.export`: export a trained run, or one fold of it, as a folder to hand over (`hms.runs.bundle`)."""

from pathlib import Path
from typing import Any, TypedDict

from hms.config.command import entry_point
from hms.errors import UserError
from hms.run_folders import model_file
from hms.runs.bundle import CARD, ONNX, is_bundle, member_path, new_bundle, want_free
from hms.system.console import counted, say


class Export(TypedDict):
    """The keys of conf/export.yaml; their values live there."""

    runs: str | list[str]
    out: str | None
    onnx: bool
    flips: bool


@entry_point("export", Export, positional="runs")
def main(config: dict[str, Any]) -> None:
    """Write the bundle and print how to load it."""
    from hms.export.card import card
    from hms.export.onnx import want_libraries, write_onnx
    from hms.runs.checkpoint import (  # slow to import; a mistake in the config should be reported at once
        read_checkpoint,
        rebuild,
        save_weights,
        without_pretrained,
    )
    from hms.runs.mismatch import warn_of_unused
    from hms.runs.named import one_run
    from hms.runs.trained import trained

    run = one_run(config["runs"])
    if is_bundle(run):
        raise UserError(f"runs: want a run or a fold, got '{run}', which is a bundle already")
    source = trained(run)
    folds = source.folds
    out = Path(config["out"] or run / "bundle")
    want_free(out)
    warn_of_unused([source])
    if (out / ONNX).exists() and not config["onnx"]:
        say(f"{out}: is written anew without {ONNX}; onnx=true keeps one")
    if config["onnx"]:
        want_libraries()
    checkpoints = {fold: read_checkpoint(fold) for fold in folds}
    node, *others = (node for node, _ in checkpoints.values())
    if any(other != node for other in others):
        raise UserError(f"runs: want folds of one model, got several in {run}; export each alone, such as {folds[0]}")
    models = {fold.name: rebuild(model_file(fold), *checkpoints[fold]) for fold in folds}
    text = card(source, next(iter(models.values())).reads_spectrogram)
    about = {
        "run": source.name,
        "members": [*models],
        "corpora": sorted(source.corpora),
        "simulated": source.learned_from_simulation,
        "began_with_simulation": source.began_with_simulation,
        "student": source.is_student,
        "model": without_pretrained(node),
    }
    with new_bundle(out, about) as folder:
        for name, model in models.items():
            save_weights(member_path(folder, name), model)
        (folder / CARD).write_text(text, encoding="utf-8")
        if config["onnx"]:
            difference = write_onnx(folder / ONNX, [*models.values()], config["flips"])
            say(f"{ONNX} gives the same probabilities as torch to within {difference:.1g}")
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    print(f"{out}: {counted(len(folds), 'model')}, {size:.1f} MB; load with hms.load('{out}')")


if __name__ == "__main__":
    main()
