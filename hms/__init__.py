"""Classify harmful brain activity in EEG: a framework for experiments, composed with Hydra.

The modules in reading order; each imports only modules listed before it, which tests/test_structure.py enforces:

    errors console interrupt memory constant       error types, terminal output, signals, memory, cached tensors
    labels electrodes batch                        names, order, shapes and units of everything that is passed around
    montage spectrogram_recipe silence timing spectrogram_images
                                                   pairs of electrodes; ten minutes as regional spectrograms; whether
                                                   there is any signal; the lengths of a window
    files flaws atomic shards tables corpus stream
                                                   a folder in the competition's layout, read and checked; writing
                                                   files atomically and in shards
    processes                                      distributed training: which rows of a batch each process gets
    store windows resident subset folds            the memory-mapped store and its batches; which rows, which patients
    simulate live                                  simulated EEG, as such a folder or as an endless stream of windows
    metric scores                                  the competition's metric; tables of predictions and their scores
    preprocess augmentation                        from raw electrodes to signals; random changes to both
    pretrained pool norms backbone wavenet_layer extractor fusion model compiled
                                                   from signals to six logits
    loss metrics_csv weighting                     what is minimised and logged, and how much each row counts
    module guard schedule averaging                the training of a model, and the guard over its loss
    bootstrap                                      confidence intervals: how far a figure would move with other patients
    config                                         from the command line and YAML files to objects, or to error messages
    settings bundle checkpoint trainer versions runs teacher
                                                   the folder of one trained fold and what is in it
    ensemble inference adaptation mismatch leakage predictors submission
                                                   the predictions of trained models, singly and combined
    recording                                      EDF and similar recordings as the project's electrodes and windows
    cost stages fold fit                           the shapes of a model and its cost; a fold from start to finish
    differences results                            comparisons of runs
    export                                         what a bundle holds besides weights: model card, ONNX
    page report timeline                           pages, tables and annotations
    bundled_model                                  what `hms.load` returns
    prepare train evaluate predict compare         the commands, `python -m hms.<name>`, and those of packages:
    simulate.__main__ ensemble.__main__ report.__main__ export.__main__
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hms.bundled_model import BundledModel

__version__ = "0.1.0"


def load(bundle: str | Path, accelerator: str = "cpu") -> "BundledModel":
    """Load a model from the folder that `hms.export` wrote, without running any code from that folder.

    Its use: `hms.load("bundle").predict(eeg_uv)`, or `hms.load("bundle").timeline("night.edf")`.
    """
    from hms.bundled_model import BundledModel  # torch takes seconds to import

    return BundledModel(Path(bundle), accelerator)
