"""Classify harmful brain activity in EEG: a Hydra-composed experiment framework.

The modules in an order to read them; each imports only those before it, which tests/test_structure.py holds:

    errors console interrupt memory constant       what a mistake says, how progress is shown, how a signal ends it
    labels electrodes batch                        names, order, shapes and units of all that travels
    montage spectrogram_recipe timing spectrogram_images
                                                   pairs of electrodes; ten minutes as regional spectrograms; how long
                                                   a window is
    files atomic shards tables corpus stream       a folder in the competition's layout, read and checked, in parts
    processes                                      which rows of a batch each process gets, where several train
    store windows resident subset folds            its one memory-mapped file; which rows, which patients
    simulate live                                  simulated EEG as such a folder, or as endless windows
    metric scores                                  tables of predictions and what they score
    preprocess augmentation                        from raw electrodes to signals; random changes of both
    pretrained pool norms backbone wavenet_layer extractor fusion model compiled
                                                    from signals to six logits
    loss metrics_csv weighting                     what is minimised, which rows count more
    module guard schedule averaging                how a model learns
    bootstrap                                      how far a figure would move with other patients
    config                                         from words and YAML files to objects, or to mistakes
    settings bundle checkpoint trainer versions runs teacher
                                                   the folder of one trained fold and what is in it
    ensemble inference adaptation predictors submission
                                                   trained models on windows, alone and together
    bundled_model                                  what `hms.load` gives
    recording                                      any EDF and the like, as the project's electrodes and windows
    cost stages fold fit                           the shapes of a model and its price; a fold from first to last
    differences results                            runs side by side
    export                                         what a bundle holds beside weights: model card, ONNX
    report timeline                                pages, tables and annotations
    prepare train evaluate predict compare         the commands, `python -m hms.<name>`, and of packages:
    simulate.__main__ ensemble.__main__ report.__main__ export.__main__
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hms.bundled_model import BundledModel

__version__ = "0.1.0"


def load(bundle: str | Path, accelerator: str = "cpu") -> "BundledModel":
    """The model in a folder that `hms.export` wrote, as in `hms.load("bundle").predict(eeg_uv)`; runs no code of it."""
    from hms.bundled_model import BundledModel  # torch takes seconds to import

    return BundledModel(Path(bundle), accelerator)
