"""Liu's MSc thesis: tables 6.2, 6.4 and 6.5, on its extension of Aff-Wild by 159 videos.

Common to all (table 6.1): batches of 2 sequences of 80 frames, Adam, two recurrent layers of 128 units on the
backbone's features, the loss on the CCC (section 5.3), sequences by the looser rule (section 5.1.2). Where a table has
a row twice, two checkpoints of one run were scored: the best for valence and the best for arousal on the validation
split.
"""

from affwildnet.experiments import fidelity
from affwildnet.experiments.config import DataConfig, EvaluationConfig, Experiment, ModelConfig, Stage, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.tables import of_experiment
from tfrecords_tools.errors import check_choice

TITLE = 'Liu, "Aff-Wild Database and AffWildNet", MSc thesis, Imperial College London, 2018'

_CORPUS = "Aff-Wild, the thesis's 159 videos"
_OUTPUT = "valence_arousal"

# Patterns of the backbones' layers, and the last convolution of those for which case c1 is published.
_CNN = {
    "vgg16": ("conv*",),
    "resnet50": ("conv*",),
    "resnet50_slim": ("conv1*", "block*"),
    "densenet121": ("conv*", "pool*", "bn"),
    "densenet169": ("conv*", "pool*", "bn"),
}
_LAST_CONVOLUTION = {"vgg16": "conv13", "resnet50_slim": "block4_unit3_conv3"}
# Printed with `is_training=True` (section 5.2.1).
_NORMALISE_IN_TRAINING = ("resnet50_slim", "densenet121", "densenet169")

_NOTES = {
    "c0": "",
    "c1": fidelity.THESIS_RATE,
    "c2": fidelity.THESIS_RATE,
    "c3": fidelity.THESIS_LAST_RATE,
}
_OF_BACKBONE = {
    "resnet50_slim": (fidelity.SLIM_RESNET,),
    "densenet121": (fidelity.DENSENET,),
    "densenet169": (fidelity.DENSENET,),
}
_OF_CELL = {"gru": fidelity.THESIS_GRU, "indrnn": fidelity.INDRNN}

CASES = tuple(_NOTES)


def stages(case: str, model: ModelConfig) -> tuple[Stage, ...]:
    """Return the stages of a case of table 6.3.

    c0: the CNN is frozen; c1: its last convolution is trained too; c2: everything is trained. The CNN starts from its
    pre-trained weights, the other layers from random ones. c3: after c2, everything is trained again, the CNN from its
    pre-trained weights and the other layers from the best checkpoint of c2.

    Raises:
      UserError: if there is no such case, or no last convolution is known for the backbone in c1.
    """
    check_choice("case", case, CASES)
    cell = "attention" if model.attention else f"{model.recurrent}*"
    fresh = (("*", "random"), *((pattern, "init") for pattern in _CNN[model.backbone]))
    rate = 1e-4 if model.attention or model.recurrent == "indrnn" else 1e-3
    frozen = "training" if model.backbone in _NORMALISE_IN_TRAINING else "inference"
    if case == "c0":
        return (Stage("c0", (cell, _OUTPUT), fresh, rate, frozen_normalisation=frozen),)
    if case == "c1":
        check_choice("backbone", model.backbone, _LAST_CONVOLUTION)
        trained = (_LAST_CONVOLUTION[model.backbone], cell, _OUTPUT)
        return (Stage("c1", trained, fresh, rate, frozen_normalisation=frozen),)
    c2 = Stage("c2", ("*",), fresh, rate)
    if case == "c2":
        return (c2,)
    return (c2, Stage("c3", ("*",), (("*", "c2"), *fresh[1:]), 1e-5))


def _experiment(
    name: str,
    title: str,
    network: str,
    case: str,
    pretrained: str = "VGG-Face",
    window: int = 80,
    notes: str = "",
) -> Experiment:
    model = NETWORKS[network]
    steps = stages(case, model)
    training = TrainingConfig(
        batch_size=2,
        window=window,
        window_rule="first_to_last",
        pretrained=pretrained,
        init_skip=("*normalise",),
        stages=steps,
        learning_rate=steps[-1].learning_rate,
        l2=1e-4 if model.backbone == "resnet50_slim" else 0.0,
        distinct_videos=True,
    )
    name = f"thesis2018/{name}"
    published = of_experiment(name)
    two = any(row.checkpoint != "best_mean" for row in published)
    return Experiment(
        name,
        title,
        model,
        training,
        EvaluationConfig(batch_size=2, window=window, window_rule="first_to_last"),
        published,
        _CORPUS,
        data=DataConfig("thesis", "crop"),
        notes=fidelity.notes(
            _NOTES[case],
            fidelity.TWO_CHECKPOINTS if two else "",
            notes,
            *_OF_BACKBONE.get(model.backbone, ()),
            fidelity.THESIS_NORMALISATION if model.backbone in _NORMALISE_IN_TRAINING and case in ("c0", "c1") else "",
            _OF_CELL.get(model.recurrent, ""),
            fidelity.THESIS_WINDOWS,
            fidelity.THESIS_BATCHES,
            fidelity.PUBLISHED_PIXELS,
            fidelity.THESIS_FACES,
        ),
    )


_ATTENTION = ", two GRU layers with attention"
_TITLES = {
    "c0": "{} frozen",
    "c1": "{}, its last convolution trained",
    "c2": "{} trained with the rest",
    "c3": "{} trained with the rest, after c2",
}


def _vggface(case: str, window: int = 80) -> Experiment:
    name = f"vggface_attention_{case}" if window == 80 else f"vggface_attention_{window}_{case}"
    title = _TITLES[case].format("VGG-Face") + _ATTENTION + ("" if window == 80 else f", {window} frames")
    return _experiment(name, title, "thesis_vgg_face_attention", case, window=window)


def _resnet50(case: str) -> Experiment:
    title = _TITLES[case].format("ResNet-50") + _ATTENTION
    return _experiment(f"resnet50_attention_{case}", title, "thesis_resnet50_attention", case, "ImageNet")


def _densenet121(case: str) -> Experiment:
    title = _TITLES[case].format("DenseNet-121") + _ATTENTION
    return _experiment(f"densenet121_attention_{case}", title, "thesis_densenet121_attention", case, "ImageNet")


EXPERIMENTS = (
    _experiment(
        "vggface_lstm_c0",
        "VGG-Face frozen, two LSTM layers, with peepholes",
        "thesis_vgg_face_lstm",
        "c0",
    ),
    _experiment(
        "vggface_gru_c0",
        "VGG-Face frozen, two GRU layers",
        "thesis_vgg_face_gru",
        "c0",
    ),
    _experiment(
        "vggface_indrnn_c0",
        "VGG-Face frozen, two IndRNN layers",
        "thesis_vgg_face_indrnn",
        "c0",
    ),
    _vggface("c0"),
    _vggface("c1"),
    _vggface("c2"),
    _vggface("c3"),
    _vggface("c2", 70),
    _vggface("c3", 70),
    _vggface("c2", 100),
    _vggface("c3", 100),
    _resnet50("c0"),
    _resnet50("c1"),
    _resnet50("c2"),
    _resnet50("c3"),
    _densenet121("c0"),
    _densenet121("c2"),
    _densenet121("c3"),
    _experiment(
        "densenet169_attention_c0",
        "DenseNet-169 frozen" + _ATTENTION,
        "thesis_densenet169_attention",
        "c0",
        "ImageNet",
        notes="The thesis gives no numbers, only that DenseNet-121 is better (section 6.3.1).",
    ),
    _experiment(
        "resnet50_vggface2_attention_c0",
        "ResNet-50 of VGGFace2 frozen" + _ATTENTION,
        "thesis_resnet50_vggface2_attention",
        "c0",
        "VGGFace2",
        notes="The thesis gives no numbers, only that it is below VGG-Face, and doubts the conversion of its weights "
        "(section 6.3.1).",
    ),
)
