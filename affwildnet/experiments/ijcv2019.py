"""Kollias et al., IJCV 2019: tables 5 and 7 to 14, on Aff-Wild, RECOLA, AFEW-VA and EmotiW.

Common to the CNN-RNN networks (section 4.2.3): batches of 4 sequences of 80 frames, a constant rate of 1e-4, dropout
0.5, the loss of eq. 3 (section 4.2.1). Common to the CNNs (4.2.2): batches of 50 frames, the same rate, dropout and
loss. The paper does not give the number of steps: training ends when the CCC on the validation split no longer
improves.
"""

from dataclasses import replace

from affwildnet.experiments import fidelity
from affwildnet.experiments.config import DataConfig, EvaluationConfig, Experiment, ModelConfig, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.tables import of_experiment

TITLE = (
    'Kollias et al., "Deep Affect Prediction in-the-wild: Aff-Wild Database and Challenge, Deep Architectures, '
    'and Beyond", IJCV 2019'
)
_ONE_ANNOTATOR = "Aff-Wild, labels of one annotator"
_EMOTIW = "AFEW 5.0 (EmotiW 2017)"
_LAYOUTS = {"Aff-Wild": "aff_wild", "RECOLA": "recola_46", "AFEW-VA": "afew_va", _EMOTIW: "afew"}
_LABELS = {_ONE_ANNOTATOR: "one_annotator"}

# Published weights get the pixels of the paper, see `fidelity.PUBLISHED_PIXELS`.
_PIXELS = ("*normalise",)
_SEQUENCES = TrainingConfig(batch_size=4, window=80, learning_rate=1e-4, init_skip=_PIXELS)
# AFEW and AFEW-VA have 63 and 50 frames per clip on average (table 2).
_SHORT_SEQUENCES = replace(_SEQUENCES, window_rule="padded")
_FRAMES = TrainingConfig(batch_size=50, window=1, learning_rate=1e-4, init_skip=_PIXELS)
# Without recurrence the window does not change the result, only how many frames are read at once.
_SCORED_FRAMES = EvaluationConfig(batch_size=1, window=80)

# Section 4.2.1 D: consecutive frames are duplicated until the quadrants have these shares.
_BALANCE = (0.43, 0.24, 0.19, 0.14)
_LIKE_VGG_FACE = (
    "Table 9 does not say whether landmarks are used: they are, because its row VGG-Face is the one with landmarks in "
    "table 7."
)
_ANNOTATOR = fidelity.notes(
    fidelity.NEAREST_ANNOTATOR,
    "The paper does not say which labels the test set has: the mean of the annotators, as everywhere else.",
)
_FINE_TUNED = "The paper does not give the settings: those of section 4.2.3."
_PADDED = "Clips that are shorter than a sequence, which most are, are padded and masked."
_CLASSIFIED = (
    "The paper does not give settings, loss, landmarks or the kind of RNN: settings of sections 4.2.2 and 4.2.3, "
    "cross-entropy, as is usual for classes, and landmarks and GRU as in the fine-tuned AffWildNet, so that the rows "
    f"differ only in the CNN and its weights. {_PADDED}"
)


def _experiment(name: str, title: str, model: ModelConfig, pretrained: str, **fields) -> Experiment:
    """Return an experiment with the paper's settings for CNNs or, if the network is recurrent, for CNN-RNNs."""
    frames = model.recurrent == "none"
    balance = _BALANCE if fields.get("corpus", "Aff-Wild").startswith("Aff-Wild") else ()
    corpus = fields.get("corpus", "Aff-Wild")
    common = (
        fidelity.NO_OPTIMIZER if model.backbone != "cnn_m" else "",
        fidelity.PIXELS if model.backbone != "cnn_m" else "",
        fidelity.PUBLISHED_PIXELS if pretrained != "Aff-Wild" else "",
        fidelity.BALANCE if balance else "",
        fidelity.HIDDEN_START,
    )
    settings = {
        "data": DataConfig(
            _LAYOUTS[corpus.split(",")[0]], "" if corpus == _EMOTIW else "crop", _LABELS.get(corpus, "")
        ),
        "training": replace(_FRAMES if frames else _SEQUENCES, pretrained=pretrained, balance=balance),
        "evaluation": _SCORED_FRAMES if frames else EvaluationConfig(),
    }
    name = f"ijcv2019/{name}"
    notes = fidelity.notes(fields.pop("notes", ""), *common)
    return Experiment(name, title, model, published=of_experiment(name), notes=notes, **{**settings, **fields})


def _units(layers: int, units: int) -> Experiment:
    """Return a row of table 8: VGG-Face-GRU with other recurrent layers."""
    return _experiment(
        f"affwildnet_vggface_{layers}x{units}",
        f"AffWildNet with {layers} GRU layer{'s' * (layers > 1)} of {units} units",
        replace(NETWORKS["affwildnet_vggface"], recurrent_units=(units,) * layers),
        "VGG-Face",
    )


def _emotiw(name: str, title: str, network: str, pretrained: str) -> Experiment:
    """Return a row of table 12: seven expressions."""
    model = replace(NETWORKS[network], head="expression")
    training = replace(
        _FRAMES if model.recurrent == "none" else _SHORT_SEQUENCES,
        pretrained=pretrained,
        # Seven outputs replace valence and arousal (section 5.2.1), and cannot start from given weights.
        init_skip=(*_PIXELS, "expression"),
        loss="cross_entropy",
    )
    return _experiment(
        f"emotiw_{name}",
        title,
        model,
        pretrained,
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
    ),
    _experiment(
        "affwildnet_resnet50",
        "AffWildNet on ResNet-50: landmarks, FC 1500, two GRU layers (table 6)",
        NETWORKS["affwildnet_resnet50"],
        "ImageNet",
        notes="The paper gives no numbers for this variant on Aff-Wild. omg2019 (table 1 and section 2) prints 0.57 "
        "and 0.43 for it, which table 9 here prints for a network that table 8 calls VGG-Face-GRU.",
    ),
    _experiment(
        "vggface_lstm",
        "VGG-Face-LSTM: AffWildNet with LSTM, with peepholes",
        NETWORKS["vgg_face_lstm"],
        "VGG-Face",
    ),
    _units(1, 100),
    _units(1, 128),
    _units(1, 150),
    _units(2, 100),
    _units(2, 150),
    _experiment(
        "vggface",
        "CNN alone: VGG-Face, landmarks, FC 4096, FC 4096 (table 16)",
        NETWORKS["vgg_face"],
        "VGG-Face",
    ),
    _experiment(
        "vggface_no_landmarks",
        "CNN alone: VGG-Face without landmarks",
        NETWORKS["vgg_face_no_landmarks"],
        "VGG-Face",
    ),
    _experiment(
        "vggface_one_annotator",
        "CNN alone: VGG-Face, landmarks, labels of one annotator",
        NETWORKS["vgg_face"],
        "VGG-Face",
        corpus=_ONE_ANNOTATOR,
        notes=_ANNOTATOR,
    ),
    _experiment(
        "vggface_one_annotator_no_landmarks",
        "CNN alone: VGG-Face without landmarks, labels of one annotator",
        NETWORKS["vgg_face_no_landmarks"],
        "VGG-Face",
        corpus=_ONE_ANNOTATOR,
        notes=_ANNOTATOR,
    ),
    _experiment(
        "resnet50",
        "CNN alone: ResNet-50, landmarks, FC 1500, FC 256 (figure 16)",
        NETWORKS["resnet50"],
        "ImageNet",
        notes=_LIKE_VGG_FACE,
    ),
    _experiment(
        "vgg16",
        "CNN alone: VGG-16, the network of VGG-Face started from ImageNet",
        NETWORKS["vgg_face"],
        "ImageNet",
        notes=_LIKE_VGG_FACE,
    ),
    _experiment(
        "cnn_m",
        "The challenge's baseline: CNN-M, FC 4096 (table 15)",
        NETWORKS["cnn_m"],
        "FaceValue",
        training=TrainingConfig(
            batch_size=80, window=1, learning_rate=1e-3, loss="mse", pretrained="FaceValue", init_skip=_PIXELS
        ),
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
        corpus="RECOLA",
        notes="The paper does not say which of the two AffWildNets: the one on VGG-Face, whose numbers table 9 gives. "
        + _FINE_TUNED,
    ),
    _experiment(
        "recola_resnet50_gru",
        "ResNet-GRU on RECOLA: ResNet-50, two GRU layers",
        replace(NETWORKS["affwildnet_resnet50"], landmarks=False, hidden=()),
        "ImageNet",
        corpus="RECOLA",
        notes="Described as a ResNet-50 with two GRU layers on top: taken literally, without FC and landmarks, and "
        "from ImageNet as the paper's other ResNet-50. " + _FINE_TUNED,
    ),
    _experiment(
        "afew_va_affwildnet",
        "AffWildNet fine-tuned on AFEW-VA, five folds",
        NETWORKS["affwildnet_vggface"],
        "Aff-Wild",
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
        corpus="AFEW-VA",
        protocol="folds",
        notes="The paper does not mention landmarks: none. It does not give the settings: those of section 4.2.2.",
    ),
    _emotiw(
        "affwildnet",
        "AffWildNet fine-tuned on EmotiW's expressions",
        "affwildnet_expression",
        "Aff-Wild",
    ),
    _emotiw(
        "vggface_gru",
        "VGG-Face, FC 4096, two GRU layers on EmotiW's expressions",
        "affwildnet_vggface",
        "VGG-Face",
    ),
    _emotiw(
        "vgg16_gru",
        "VGG-16, FC 4096, two GRU layers on EmotiW's expressions",
        "affwildnet_vggface",
        "ImageNet",
    ),
    _emotiw(
        "vgg16",
        "CNN alone: VGG-16 on EmotiW's expressions",
        "vgg_face",
        "ImageNet",
    ),
    _emotiw(
        "resnet50_gru",
        "ResNet-50, FC 1500, two GRU layers on EmotiW's expressions",
        "affwildnet_resnet50",
        "ImageNet",
    ),
    _emotiw(
        "resnet50",
        "CNN alone: ResNet-50 on EmotiW's expressions",
        "resnet50",
        "ImageNet",
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
