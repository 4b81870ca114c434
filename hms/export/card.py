"""Write the model card of a bundle: what it is, what it was trained on, its scores, and its limits.

Sections after Mitchell et al. 2019, arXiv 1810.03993. Everything in a card is read from the run's own files.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from hms.electrodes import ELECTRODES
from hms.errors import DataError
from hms.labels import CLASSES
from hms.prediction.keys import COMBINATION_KEYS
from hms.run_folders import counts_of
from hms.runs.bundle import FORMAT
from hms.runs.provenance import is_simulated, provenance
from hms.runs.scores import score_folds
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.runs.trained import Trained
from hms.scoring.bootstrap import mean_interval
from hms.system.reading import read_json


def card(run: Trained, reads_spectrogram: bool) -> str:
    """Render the card of a run, or of one fold, as Markdown.

    Raises DataError if a fold's config.yaml or provenance.json is missing.
    """
    folds = run.folds
    for path in (fold / name for fold in folds for name in ("config.yaml", "provenance.json")):
        if not path.is_file():
            raise DataError(f"{path}: no such file; a model card says what it holds")
    config, origins = run.config_of(folds[0]), [provenance(fold) for fold in folds]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hms.export", "."), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("card.md").render(
        name=run.name,
        folds=[fold.name for fold in folds],
        classes=CLASSES,
        electrodes=ELECTRODES,
        reads_spectrogram=reads_spectrogram,
        learned=_learned(config, ", ".join(sorted({origin["corpus"] for origin in origins}))) | _start(run),
        simulated=is_simulated(config),
        scored=_scored(folds),
        flattered=LEARNED_FROM_TEACHER if run.is_student else "",
        share_patients=counts_of(folds).folds == 1,
        elsewhere=_elsewhere(run),
        hms=version("hms"),
        commit=" and ".join(sorted({origin["commit"] or "unknown" for origin in origins})),
        format=FORMAT,
        trained_with=", ".join(f"{name} {value}" for name, value in origins[0]["packages"].items() if name != "hms"),
    )


def _learned(config: dict[str, Any], corpus: str) -> dict[str, str]:
    """The choices that characterise the model, by config group."""
    data = "windows simulated on demand" if config.get("live") else Path(config["data"]["root"]).name
    if is_simulated(config):
        data += " (no patient ever had this EEG)"
    held_out = "no patient" if config["fold"] == "all" else f"one of {config['folds']} patient folds per model"
    return {
        "data": data,
        "corpus": f"`{corpus}`",
        "held out": held_out,
        "subset": _words(config["subset"]),
        "first stage on low votes": "yes" if config.get("pretrain") else "no",
        "epochs": str(config["epochs"]),
        "extractors": ", ".join(config["extractor"]),
        "backbone": config["backbone"]["image"].get("name") or _target(config["backbone"]["image"]),
        "fusion": _target(config["fusion"]),
        "pairs": str(sum(map(len, config["montage"]["groups"].values()))),
        "preprocess": _words(config["preprocess"]),
        "augmentation": ", ".join(config["augmentation"]) or "none",
    }


def _start(run: Trained) -> dict[str, str]:
    """What the weights that training began with were learned from, if these were trained ones."""
    starts = [start for fold in run.folds if (start := run.start_of(fold))]
    if not starts:
        return {}
    runs = sorted({start["run"].partition("/")[0] for start in starts})
    corpora = sorted({f"`{corpus}`" for start in starts for corpus in start["corpora"]})
    simulated = " (simulated EEG)" if any(start["simulated"] for start in starts) else ""
    learned = f"{', '.join(corpora) or 'windows made on demand'}{simulated}"
    return {"began with": f"the weights of {', '.join(runs)}, which had learned from {learned}"}


def _scored(folds: list[Path]) -> dict[str, Any] | None:
    """The scores of the folds on held-out patients."""
    held_out = [fold for fold in folds if (fold / "oof.parquet").is_file()]
    if not held_out:
        return None
    scores, rows = score_folds(held_out)
    return {
        "oracle": None,
        "patients": rows["patient_id"].n_unique(),
        "interval": mean_interval(rows["kl"], rows["patient_id"]),
        **scores,
    }


def _elsewhere(run: Trained) -> list[dict[str, Any]]:
    """The results of hms.evaluate, by default in `evaluation/<data>/`, for the mean of these models elsewhere.

    Those on data that they may have been trained on are left out.
    """
    names = [fold.name for fold in run.folds]
    evaluations = [read_json(path) for path in sorted((run.path / "evaluation").rglob("evaluation.json"))]
    return [
        evaluation | {"data": Path(evaluation["data"]).name}
        for evaluation in evaluations
        if [Path(member).name for member in evaluation["members"]] == names
        and not evaluation["rows_maybe_trained_on"]
        and not any(evaluation.get(key) for key in COMBINATION_KEYS)
    ]


def _target(node: dict[str, Any]) -> str:
    return str(node["_target_"]).rpartition(".")[2]


def _words(node: dict[str, Any]) -> str:
    """The plain values of a node, without the objects in it."""
    plain = {key: value for key, value in node.items() if key != "_target_" and not isinstance(value, dict)}
    return ", ".join(f"{key} {value}" for key, value in plain.items())
