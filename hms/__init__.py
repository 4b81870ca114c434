"""Classify harmful brain activity in EEG: a framework for experiments, composed with Hydra.

The modules in reading order; each imports only modules listed before it, which tests/test_structure.py enforces:

    errors ranges labels electrodes cached_tensor batch run_folders
                                                   error types; range checks of options; names, order, shapes and
                                                   units of everything that is passed around; the folders of runs
    system                                         terminal output, signals, memory, devices, files written atomically
                                                   and in shards; processes that train together
    spectrogram_recipe window_lengths              ten minutes as regional spectrograms; the lengths of a window
    data subset                                    a folder in the competition's layout, read and checked; its
                                                   store and the batches of it; which patients, which rows
    simulate live                                  simulated EEG, as such a folder or as an endless stream of windows
    scoring                                        the competition's metric, tables of predictions and their scores, and
                                                   confidence intervals: how far a figure would move with other patients
    montage spectrogram_images preprocess augmentation
                                                   from raw electrodes to signals: pairs of electrodes, images of
                                                   the spectrogram; random changes to both
    network backbone extractor fusion model        from signals to six logits
    loss weighting schedule averaging              what is minimised, how much each row counts, how weights change
    config                                         from the command line and YAML files to objects, or to error messages
    runs                                           the folder of a trained fold, and what is known about it
    ensemble prediction                            the predictions of trained models, singly and combined
    recording                                      EDF and similar recordings as the project's electrodes and windows
    collected                                      a folder in the competition's layout, made of such recordings and
                                                   of labels
    training                                       a fold from start to finish, and the guard over its loss
    cost model_summary                             the shapes of a model and its cost
    results                                        comparisons of runs
    export                                         what a bundle holds besides weights: model card, ONNX
    page report timeline                           pages, tables and annotations
    loaded_model                                   what `hms.load` returns
    collect prepare train evaluate submit predict compare
                                                   the commands, `python -m hms.<name>`, and those of packages:
    simulate.__main__ ensemble.__main__ report.__main__ export.__main__
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hms.loaded_model import LoadedModel

__version__ = "0.1.0"


def load(runs: str | Path, accelerator: str = "cpu") -> "LoadedModel":
    """Load what `hms.predict` takes, without running any code from it: a run, one of its folds, a bundle, an ensemble.

    The folds of a run, or the runs that a pattern matches, predict by their mean. Its use:
    `hms.load("runs/<name>-<hash>").predict(eeg_uv)`, or `hms.load("bundle").timeline("night.edf")`. `accelerator` is
    "cpu", "gpu", or "auto": a GPU if there is one.
    """
    from hms.loaded_model import LoadedModel  # torch takes seconds to import

    return LoadedModel(runs, accelerator)
