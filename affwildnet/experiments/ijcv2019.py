"""Kollias et al., IJCV 2019: tables 5 and 7 to 14, on Aff-Wild, RECOLA, AFEW-VA and EmotiW.

Common to the CNN-RNN networks (section 4.2.3): batches of 4 sequences of 80 frames, Adam at a constant 1e-4, dropout
0.5, the loss of eq. 3. Common to the CNNs (4.2.2): batches of 50 frames, the same rate, dropout and loss. The paper
does not give the number of steps: training ends when the CCC on the validation split no longer improves.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.published import Published, accuracy_row, row

TITLE = (
    'Kollias et al., "Deep Affect Prediction in-the-wild: Aff-Wild Database and Challenge, Deep Architectures, '
    'and Beyond", IJCV 2019'
)
_AFF_WILD = "Aff-Wild, test set"
_ONE_ANNOTATOR = "Aff-Wild, labels of one annotator"
_EMOTIW = "AFEW 5.0 (EmotiW 2017)"

_SEQUENCES = TrainingConfig(batch_size=4, window=80, learning_rate=1e-4)
# AFEW and AFEW-VA have 63 and 50 frames per clip on average (table 2).
_SHORT_SEQUENCES = replace(_SEQUENCES, window_rule="padded")
_FRAMES = TrainingConfig(batch_size=50, window=1, learning_rate=1e-4)
# Without recurrence the window does not change the result, only how many frames are read at once.
_SCORED_FRAMES = EvaluationConfig(batch_size=1, window=80)

# Section 4.2.1 D: consecutive frames are duplicated until the quadrants have these shares.
_BALANCE = (0.43, 0.24, 0.19, 0.14)
_LIKE_VGG_FACE = (
    "Table 9 does not say whether landmarks are used: they are, because its row VGG-Face is the one with landmarks in "
    "table 7."
)
_ANNOTATOR = (
    "Trained on the labels of the annotator that correlate most with the landmarks. The paper does not say which "
    "labels the test set has: the mean of the annotators, as everywhere else."
)
_FINE_TUNED = "The paper does not give the settings: those of section 4.2.3."
_PADDED = "Clips that are shorter than a sequence, which most are, are padded and masked."
_CLASSIFIED = (
    "The paper does not give settings, loss, landmarks or the kind of RNN: settings of sections 4.2.2 and 4.2.3, "
    "cross-entropy, as is usual for classes, and landmarks and GRU as in the fine-tuned AffWildNet, so that the rows "
    f"differ only in the CNN and its weights. {_PADDED}"
)

_row = partial(row, "ijcv2019")


def _experiment(
    name: str, title: str, model: ModelConfig, pretrained: str, published: Sequence[Published] = (), **fields
) -> Experiment:
    """Return an experiment with the paper's settings for CNNs or, if the network is recurrent, for CNN-RNNs."""
    frames = model.recurrent == "none"
    balance = _BALANCE if fields.get("corpus", "Aff-Wild").startswith("Aff-Wild") else ()
    settings = {
        "training": replace(_FRAMES if frames else _SEQUENCES, pretrained=pretrained, balance=balance),
        "evaluation": _SCORED_FRAMES if frames else EvaluationConfig(),
    }
    return Experiment(f"ijcv2019/{name}", title, model, published=tuple(published), **{**settings, **fields})


def _units(layers: int, units: int, ccc: tuple[float, float]) -> Experiment:
    """Return a row of table 8: VGG-Face-GRU with other recurrent layers."""
    return _experiment(
        f"affwildnet_vggface_{layers}x{units}",
        f"AffWildNet with {layers} GRU layer{'s' * (layers > 1)} of {units} units",
        replace(NETWORKS["affwildnet_vggface"], recurrent_units=(units,) * layers),
        "VGG-Face",
        [_row("8", f"{layers} layer{'s' * (layers > 1)}, {units}", _AFF_WILD, ccc)],
    )


def _emotiw(
    name: str, title: str, network: str, pretrained: str, row_name: str, accuracies: Sequence[float], note: str = ""
) -> Experiment:
    """Return a row of table 12: seven expressions."""
    model = replace(NETWORKS[network], head="expression")
    training = replace(
        _FRAMES if model.recurrent == "none" else _SHORT_SEQUENCES,
        pretrained=pretrained,
        # Seven outputs replace valence and arousal (section 5.2.1), and cannot start from given weights.
        init_skip=("expression",),
        loss="cross_entropy",
    )
    published = [accuracy_row("ijcv2019", "12", row_name, "EmotiW 2017, validation set", accuracies, note)]
    if pretrained == "Aff-Wild":
        published.append(accuracy_row("ijcv2019", "14", row_name, "EmotiW 2017, validation set", accuracies[-1:]))
    return _experiment(
        f"emotiw_{name}",
        title,
        model,
        pretrained,
        published,
        training=training,
        corpus=_EMOTIW,
        protocol="videos",
        notes=_CLASSIFIED,
    )


AFF_WILD = (
    _experiment(
        "affwildnet_vggface",
        "AffWildNet: VGG-Face, landmarks, FC 4096, two GRU layers (table 6)",
        NETWORKS["affwildnet_vggface"],
        "VGG-Face",
        [
            _row("9", "AffWildNet", _AFF_WILD, (0.57, 0.43, 0.50), (0.08, 0.06, 0.07)),
            _row("8", "2 layers, 128", _AFF_WILD, (0.57, 0.43)),
        ],
    ),
    _experiment(
        "affwildnet_resnet50",
        "AffWildNet on ResNet-50: landmarks, FC 1500, two GRU layers (table 6)",
        NETWORKS["affwildnet_resnet50"],
        "ImageNet",
        notes="The paper gives no numbers for this variant on Aff-Wild.",
    ),
    _experiment(
        "vggface_lstm",
        "VGG-Face-LSTM: AffWildNet with LSTM, with peepholes",
        NETWORKS["vgg_face_lstm"],
        "VGG-Face",
        [_row("9", "VGG-Face-LSTM", _AFF_WILD, (0.52, 0.38, 0.45), (0.10, 0.09, 0.10))],
    ),
    _units(1, 100, (0.44, 0.36)),
    _units(1, 128, (0.53, 0.40)),
    _units(1, 150, (0.46, 0.39)),
    _units(2, 100, (0.50, 0.41)),
    _units(2, 150, (0.51, 0.41)),
    _experiment(
        "vggface",
        "CNN alone: VGG-Face, landmarks, FC 4096, FC 4096 (table 16)",
        NETWORKS["vgg_face"],
        "VGG-Face",
        [
            _row("9", "VGG-Face", _AFF_WILD, (0.51, 0.33, 0.42), (0.10, 0.08, 0.09)),
            _row("7", "Mean of annotators, with landmarks", _AFF_WILD, (0.51, 0.33), (0.10, 0.08)),
        ],
    ),
    _experiment(
        "vggface_no_landmarks",
        "CNN alone: VGG-Face without landmarks",
        NETWORKS["vgg_face_no_landmarks"],
        "VGG-Face",
        [_row("7", "Mean of annotators, without landmarks", _AFF_WILD, (0.44, 0.32), (0.12, 0.11))],
    ),
    _experiment(
        "vggface_one_annotator",
        "CNN alone: VGG-Face, landmarks, labels of one annotator",
        NETWORKS["vgg_face"],
        "VGG-Face",
        [_row("7", "One annotator, with landmarks", _AFF_WILD, (0.39, 0.27), (0.15, 0.13))],
        corpus=_ONE_ANNOTATOR,
        notes=_ANNOTATOR,
    ),
    _experiment(
        "vggface_one_annotator_no_landmarks",
        "CNN alone: VGG-Face without landmarks, labels of one annotator",
        NETWORKS["vgg_face_no_landmarks"],
        "VGG-Face",
        [
            _row(
                "7",
                "One annotator, without landmarks",
                _AFF_WILD,
                (0.35, 0.25),
                (0.16, 0.14),
                note="CCC from a poor print, in which it may also be 0.55 and 0.23. cvprw2017 table 6 has 0.35 and "
                "0.25 for one annotator, and 0.55 would be above the mean of the annotators.",
            )
        ],
        corpus=_ONE_ANNOTATOR,
        notes=_ANNOTATOR,
    ),
    _experiment(
        "resnet50",
        "CNN alone: ResNet-50, landmarks, FC 1500, FC 256 (figure 16)",
        NETWORKS["resnet50"],
        "ImageNet",
        [_row("9", "ResNet-50", _AFF_WILD, (0.43, 0.30, 0.37), (0.11, 0.11, 0.11))],
        notes=_LIKE_VGG_FACE,
    ),
    _experiment(
        "vgg16",
        "CNN alone: VGG-16, the network of VGG-Face started from ImageNet",
        NETWORKS["vgg_face"],
        "ImageNet",
        [_row("9", "VGG-16", _AFF_WILD, (0.40, 0.30, 0.35), (0.13, 0.11, 0.12))],
        notes=_LIKE_VGG_FACE,
    ),
    _experiment(
        "cnn_m",
        "The challenge's baseline: CNN-M, FC 4096 (table 15)",
        NETWORKS["cnn_m"],
        "FaceValue",
        [_row("5", "Baseline", _AFF_WILD, (0.150, 0.100, 0.125), (0.130, 0.140, 0.135))],
        training=TrainingConfig(batch_size=80, window=1, learning_rate=1e-3, loss="mse", pretrained="FaceValue"),
        notes="The paper names neither loss nor dropout: mean squared error, its second criterion, and no dropout. Its "
        "crops have 224 or 96 pixels: 96, as for the other networks.",
    ),
)

OTHER_CORPORA = (
    _experiment(
        "recola_affwildnet",
        "AffWildNet fine-tuned on RECOLA",
        NETWORKS["affwildnet_vggface"],
        "Aff-Wild",
        [_row("10", "Fine-tuned AffWildNet", "RECOLA, test set", (0.526, 0.273))],
        corpus="RECOLA",
        notes="The paper does not say which of the two AffWildNets: the one on VGG-Face, whose numbers table 9 gives. "
        + _FINE_TUNED,
    ),
    _experiment(
        "recola_resnet50_gru",
        "ResNet-GRU on RECOLA: ResNet-50, two GRU layers",
        replace(NETWORKS["affwildnet_resnet50"], landmarks=False, hidden=()),
        "ImageNet",
        [_row("10", "ResNet-GRU", "RECOLA, test set", (0.462, 0.209))],
        corpus="RECOLA",
        notes="Described as a ResNet-50 with two GRU layers on top: taken literally, without FC and landmarks, and "
        "from ImageNet as the paper's other ResNet-50. " + _FINE_TUNED,
    ),
    _experiment(
        "afew_va_affwildnet",
        "AffWildNet fine-tuned on AFEW-VA, five folds",
        NETWORKS["affwildnet_vggface"],
        "Aff-Wild",
        [
            _row("11", "Fine-tuned AffWildNet", "AFEW-VA, five folds", pearson=(0.514, 0.575)),
            _row(
                "13",
                "Fine-tuned AffWildNet",
                "AFEW-VA",
                (0.515, 0.556),
                note="The caption says training set; read as the five folds of table 11.",
            ),
        ],
        training=replace(_SHORT_SEQUENCES, pretrained="Aff-Wild"),
        corpus="AFEW-VA",
        protocol="folds",
        notes=f"{_FINE_TUNED} {_PADDED}",
    ),
    _experiment(
        "afew_va_cnn",
        "CNN alone on AFEW-VA, five folds: VGG-Face, FC 4096, FC 2048",
        NETWORKS["afew_va_cnn"],
        "VGG-Face",
        [_row("13", "only CNN", "AFEW-VA", (0.44, 0.474), note="The caption says training set, see AffWildNet's row.")],
        corpus="AFEW-VA",
        protocol="folds",
        notes="The paper does not mention landmarks: none. It does not give the settings: those of section 4.2.2.",
    ),
    _emotiw(
        "affwildnet",
        "AffWildNet fine-tuned on EmotiW's expressions",
        "affwildnet_expression",
        "Aff-Wild",
        "Fine-tuned AffWildNet",
        (0.569, 0.627, 0.051, 0.023, 0.746, 0.709, 0.111, 0.454),
        "Sad, 0.709, is not a share of the 58 videos that the other rows imply (41 of them are 0.707).",
    ),
    _emotiw(
        "vggface_gru",
        "VGG-Face, FC 4096, two GRU layers on EmotiW's expressions",
        "affwildnet_vggface",
        "VGG-Face",
        "VGG-Face + RNN",
        (0.552, 0.593, 0.026, 0.047, 0.794, 0.259, 0.111, 0.384),
    ),
    _emotiw(
        "vgg16_gru",
        "VGG-16, FC 4096, two GRU layers on EmotiW's expressions",
        "affwildnet_vggface",
        "ImageNet",
        "VGG-16 + RNN",
        (0.431, 0.559, 0.026, 0.07, 0.444, 0.259, 0.044, 0.293),
    ),
    _emotiw(
        "vgg16",
        "CNN alone: VGG-16 on EmotiW's expressions",
        "vgg_face",
        "ImageNet",
        "VGG-16",
        (0.327, 0.424, 0.102, 0.093, 0.476, 0.138, 0.133, 0.263),
    ),
    _emotiw(
        "resnet50_gru",
        "ResNet-50, FC 1500, two GRU layers on EmotiW's expressions",
        "affwildnet_resnet50",
        "ImageNet",
        "ResNet + RNN",
        (0.431, 0.237, 0.077, 0.07, 0.587, 0.155, 0.089, 0.261),
    ),
    _emotiw(
        "resnet50",
        "CNN alone: ResNet-50 on EmotiW's expressions",
        "resnet50",
        "ImageNet",
        "ResNet",
        (0.31, 0.153, 0.077, 0.023, 0.534, 0.207, 0.067, 0.211),
        "Happy, 0.534, is not a share of the 63 videos that the other rows imply.",
    ),
)

_RELEASED = "Not in a table: the network whose weights the authors released."
RELEASED = (
    _experiment(
        "released_affwildnet_vggface",
        "As released: AffWildNet on VGG-Face without landmarks",
        NETWORKS["affwildnet_vggface_no_landmarks"],
        "VGG-Face",
        notes=_RELEASED,
    ),
    _experiment(
        "released_affwildnet_resnet50",
        "As released: ResNet-50 in its TF-slim form, two GRU layers",
        NETWORKS["affwildnet_resnet50_released"],
        "ImageNet",
        notes=_RELEASED,
    ),
    _experiment(
        "released_vggface_2000",
        "As released: VGG-Face, FC 4096, FC 2000",
        NETWORKS["vgg_face_2000"],
        "VGG-Face",
        notes=_RELEASED,
    ),
)

EXPERIMENTS = AFF_WILD + OTHER_CORPORA + RELEASED


def _challenge(name: str, accuracy: float, after: str = "") -> Published:
    """Return a cell of table 14; `after` is the heading of its column, empty for "Original"."""
    note = "The columns of the values of [28] are from a poor print." if name.startswith("[28]") else ""
    name = f"{name}, {after}" if after else name
    return accuracy_row("ijcv2019", "14", name, "EmotiW 2017, validation set", (accuracy,), note)


_FER = "after fine-tuning on FER2013"
_AUGMENTED = "data augmentation"
OTHERS = (
    _row("5", "MM-Net", _AFF_WILD, (0.196, 0.214, 0.205), (0.134, 0.088, 0.111)),
    _row("5", "FATAUVA-Net", _AFF_WILD, (0.396, 0.282, 0.339), (0.123, 0.095, 0.109)),
    _row("5", "DRC-Net", _AFF_WILD, (0.042, 0.291, 0.167), (0.161, 0.094, 0.128)),
    _row("11", "best of [31]", "AFEW-VA, five folds", pearson=(0.407, 0.45)),
    _challenge("[26] DenseNet-121", 0.414),
    _challenge("[26] HoloNet", 0.41),
    _challenge("[26] ResNet-50", 0.418),
    _challenge("[28] VGG-Face", 0.379),
    _challenge("[28] FR-Net-A", 0.337),
    _challenge("[28] FR-Net-B", 0.334),
    _challenge("[28] FR-Net-C", 0.376),
    _challenge("[28] VGG-Face", 0.483, _FER),
    _challenge("[28] FR-Net-A", 0.446, _FER),
    _challenge("[28] FR-Net-B", 0.488, _FER),
    _challenge("[28] FR-Net-C", 0.452, _FER),
    _challenge("[28] LSTM + FR-Net-B", 0.465, _FER),
    _challenge("[28] LSTM + FR-Net-B", 0.504, _AUGMENTED),
    _challenge("[60] Weighted C3D (no overlap)", 0.421, _AUGMENTED),
    _challenge("[60] LSTM C3D (no overlap)", 0.432, _AUGMENTED),
    _challenge("[60] VGG-Face", 0.414, _AUGMENTED),
    _challenge("[60] VGG-LSTM 1 layer", 0.486, _AUGMENTED),
)
