"""Kollias et al., CVPRW 2017: tables 4 to 9, on Aff-Wild.

Common to all (sections 2.1, 3.1, 3.2): crops of 224 pixels, Adam at 1e-3 times 0.97 every 400 steps, dropout 0.5, the
loss on the CCC. Batches are 80 frames for a CNN and 100 consecutive frames, about 3 seconds, for a CNN-RNN.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from affwildnet.experiments.config import EvaluationConfig, Experiment, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.published import Published, row

TITLE = 'Kollias et al., "Recognition of Affect in the wild using Deep Neural Networks", CVPRW 2017'

_NOTES = (
    "One network for valence and one for arousal in every row: section 4.1 uses two from there on, and the row with "
    "landmarks in table 5 has the numbers of table 4. For the same reason, all rows but those without have landmarks. "
    "The paper either fine-tunes all weights or freezes the pre-trained ones and does not say where: all are trained. "
    "It does not give the range of the pixels: that of ijcv2019."
)
_FACE_VALUE = (
    " The paper says that VGG-Face is trained for face recognition, and further on that it is trained on FaceValue: "
    "the former, which are the weights known by that name."
)
# Section 2.1: rare labels are duplicated until the quadrants have these shares.
_SETTINGS = TrainingConfig(learning_rate=1e-3, decay_rate=0.97, decay_steps=400, balance=(0.43, 0.24, 0.19, 0.14))
_FRAMES = replace(_SETTINGS, batch_size=80, window=1)
# "Batch size 100 (about 3 seconds)": one sequence of 100 frames.
_SEQUENCE = replace(_SETTINGS, batch_size=1, window=100)

_row = partial(row, "cvprw2017", corpus="Aff-Wild, test set")


def _experiment(
    name: str,
    title: str,
    network: str,
    published: Sequence[Published],
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
        tuple(published),
        corpus,
        notes=_NOTES + (_FACE_VALUE if pretrained == "VGG-Face" else "") + notes,
    )


def _units(layers: int, units: int, ccc: tuple[float, float]) -> Experiment:
    """Return a cell of table 8: CNN-GRU with other recurrent layers."""
    plural = "s" * (layers > 1)
    return _experiment(
        f"vggface_gru_{layers}x{units}",
        f"CNN-RNN with {layers} GRU layer{plural} of {units} units",
        "cvprw_gru",
        [_row("8", f"{layers} hidden layer{plural}, {units}", ccc=ccc)],
        units=(units,) * layers,
    )


EXPERIMENTS = (
    _experiment(
        "vggface_gru",
        "CNN-RNN: VGG-Face, landmarks, FC 4096, two GRU layers (table 3)",
        "cvprw_gru",
        [
            _row("7", "CNN-RNN", ccc=(0.57, 0.43), mse=(0.08, 0.06)),
            _row("8", "2 hidden layers, 128", ccc=(0.57, 0.43)),
            _row("9", "CNN-GRU", ccc=(0.57, 0.43), mse=(0.08, 0.06)),
        ],
    ),
    _experiment(
        "vggface_lstm",
        "CNN-RNN with LSTM, with peepholes",
        "cvprw_lstm",
        [_row("9", "CNN-LSTM", ccc=(0.49, 0.38), mse=(0.10, 0.09))],
    ),
    _units(1, 100, (0.40, 0.33)),
    _units(1, 128, (0.49, 0.40)),
    _units(1, 150, (0.44, 0.37)),
    _units(2, 100, (0.47, 0.40)),
    _units(2, 150, (0.50, 0.41)),
    _experiment(
        "vggface",
        "CNN alone: VGG-Face, landmarks, FC 4096, FC 4096, FC 2622 (table 2)",
        "cvprw_vgg",
        [
            _row("4", "VGG Face", ccc=(0.46, 0.35), mse=(0.10, 0.09)),
            _row("5", "With landmarks", ccc=(0.46, 0.35), mse=(0.10, 0.09)),
            _row("6", "Mean of annotators", ccc=(0.46, 0.35), mse=(0.10, 0.09)),
            _row("7", "CNN", ccc=(0.46, 0.35), mse=(0.10, 0.09)),
        ],
    ),
    _experiment(
        "vggface_no_landmarks",
        "CNN alone: VGG-Face without landmarks, FC 4096, FC 4096",
        "cvprw_vgg_no_landmarks",
        [_row("5", "Without landmarks", ccc=(0.38, 0.31), mse=(0.14, 0.11))],
    ),
    _experiment(
        "vggface_one_annotator",
        "CNN alone: VGG-Face, landmarks, labels of one annotator",
        "cvprw_vgg",
        [_row("6", "1 annotator", ccc=(0.35, 0.25), mse=(0.18, 0.14))],
        corpus="Aff-Wild, labels of one annotator",
        notes=" Trained on the labels of the annotator that correlate most with the landmarks.",
    ),
    _experiment(
        "vgg16",
        "CNN alone: VGG-16, the network of VGG-Face started from ImageNet",
        "cvprw_vgg",
        [_row("4", "VGG-16", ccc=(0.40, 0.30), mse=(0.13, 0.11))],
        "ImageNet",
    ),
    _experiment(
        "resnet50",
        "CNN alone: ResNet-50, landmarks, FC 1500, FC 256 (table 1)",
        "cvprw_resnet50",
        [_row("4", "ResNet-50", ccc=(0.33, 0.24), mse=(0.16, 0.13))],
        "ImageNet",
    ),
)

OTHERS: tuple[Published, ...] = ()
