"""Kollias et al., CVPRW 2017: tables 4 to 9, on Aff-Wild.

Common to all (sections 2.1, 3, 3.1, 3.2): crops of 224 pixels, Adam at 1e-3 times 0.97 every 400 steps, dropout 0.5,
the loss on the CCC. Batches are 80 frames for a CNN and 100 consecutive frames, about 3 seconds, for a CNN-RNN.
"""

from dataclasses import replace

from affwildnet.experiments import fidelity
from affwildnet.experiments.config import DataConfig, EvaluationConfig, Experiment, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.tables import of_experiment

TITLE = 'Kollias et al., "Recognition of Affect in the wild using Deep Neural Networks", CVPRW 2017'

_NOTES = (
    "One network for valence and one for arousal in every row: section 4.1 uses two from there on, and the row with "
    "landmarks in table 5 has the numbers of table 4. For the same reason, all rows but those without have landmarks. "
    "The paper either fine-tunes all weights or freezes the pre-trained ones and does not say where: all are trained. "
    "It does not give the range of the pixels: that of ijcv2019."
)
_FACE_VALUE = (
    "The paper says that VGG-Face is trained for face recognition, and further on that it is trained on FaceValue: "
    "the former, which are the weights known by that name."
)
# Section 2.1: rare labels are duplicated until the quadrants have these shares.
_SETTINGS = TrainingConfig(
    learning_rate=1e-3, decay_rate=0.97, decay_steps=400, balance=(0.43, 0.24, 0.19, 0.14), init_skip=("*normalise",)
)
_FRAMES = replace(_SETTINGS, batch_size=80, window=1)
# "Batch size 100 (about 3 seconds)": one sequence of 100 frames.
_SEQUENCE = replace(_SETTINGS, batch_size=1, window=100)


def _experiment(
    name: str,
    title: str,
    network: str,
    pretrained: str = "VGG-Face",
    corpus: str = "Aff-Wild",
    units: tuple[int, ...] = (128, 128),
    notes: str = "",
) -> Experiment:
    model = replace(NETWORKS[network], image_size=224, recurrent_units=units)
    frames = model.recurrent == "none"
    return Experiment(
        f"cvprw2017/{name}",
        title,
        model,
        replace(_FRAMES if frames else _SEQUENCE, pretrained=pretrained),
        EvaluationConfig(batch_size=1, window=80 if frames else 100),
        of_experiment(f"cvprw2017/{name}"),
        corpus,
        data=DataConfig("aff_wild", "crop", "one_annotator" if "one annotator" in corpus else ""),
        notes=fidelity.notes(
            _NOTES,
            _FACE_VALUE if pretrained == "VGG-Face" else "",
            notes.strip(),
            fidelity.BOTTLENECKS if model.backbone == "resnet50" else "",
            fidelity.DECAY,
            fidelity.WEIGHT_DECAY,
            fidelity.BALANCE,
            fidelity.PUBLISHED_PIXELS,
            fidelity.HIDDEN_START,
        ),
    )


def _units(layers: int, units: int) -> Experiment:
    """Return a cell of table 8: CNN-GRU with other recurrent layers."""
    plural = "s" * (layers > 1)
    return _experiment(
        f"vggface_gru_{layers}x{units}",
        f"CNN-RNN with {layers} GRU layer{plural} of {units} units",
        "cvprw_gru",
        units=(units,) * layers,
    )


EXPERIMENTS = (
    _experiment(
        "vggface_gru",
        "CNN-RNN: VGG-Face, landmarks, FC 4096, two GRU layers (table 3)",
        "cvprw_gru",
    ),
    _experiment(
        "vggface_lstm",
        "CNN-RNN with LSTM, with peepholes",
        "cvprw_lstm",
    ),
    _units(1, 100),
    _units(1, 128),
    _units(1, 150),
    _units(2, 100),
    _units(2, 150),
    _experiment(
        "vggface",
        "CNN alone: VGG-Face, landmarks, FC 4096, FC 4096, FC 2622 (table 2)",
        "cvprw_vgg",
    ),
    _experiment(
        "vggface_no_landmarks",
        "CNN alone: VGG-Face without landmarks, FC 4096, FC 4096",
        "cvprw_vgg_no_landmarks",
    ),
    _experiment(
        "vggface_one_annotator",
        "CNN alone: VGG-Face, landmarks, labels of one annotator",
        "cvprw_vgg",
        corpus="Aff-Wild, labels of one annotator",
        notes=str(fidelity.NEAREST_ANNOTATOR),
    ),
    _experiment(
        "vgg16",
        "CNN alone: VGG-16, the network of VGG-Face started from ImageNet",
        "cvprw_vgg",
        "ImageNet",
    ),
    _experiment(
        "resnet50",
        "CNN alone: ResNet-50, landmarks, FC 1500, FC 256 (table 1)",
        "cvprw_resnet50",
        "ImageNet",
    ),
)
