"""Liu's MSc thesis: tables 6.2, 6.4 and 6.5, on its extension of Aff-Wild by 159 videos.

Common to all (table 6.1): batches of 2 sequences of 80 frames, Adam, two recurrent layers of 128 units on the
backbone's features, the loss on the CCC (section 5.3), sequences by the looser rule (section 5.1.2). Where a table has
a row twice, two checkpoints of one run were scored: the best for valence and the best for arousal on the validation
split.
"""

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, Stage, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.published import Published, row
from tfrecords_tools.errors import check_choice

TITLE = 'Liu, "Aff-Wild Database and AffWildNet", MSc thesis, Imperial College London, 2018'

_CORPUS = "Aff-Wild, the thesis's 159 videos"
_OUTPUT = "valence_arousal"

# Patterns of the backbones' layers, and the last convolution of those for which case c1 is published.
_CNN = {
    "vgg16": ("conv*",),
    "resnet50": ("conv*",),
    "densenet121": ("conv*", "pool*", "bn"),
    "densenet169": ("conv*", "pool*", "bn"),
}
_LAST_CONVOLUTION = {"vgg16": "conv13", "resnet50": "conv5_block3_3_conv"}

_NOTES = {
    "c0": "",
    "c1": "The thesis gives the rate only for c0 (section 6.2): 1e-4, which is that of the same network there.",
    "c2": "The thesis gives the rate only for c0 (section 6.2): 1e-4, which is that of the same network there.",
    "c3": "The rate is 1e-5 (section 6.5), read as that of the last stage; in c2 it is 1e-4, as in c0. The thesis does "
    "not mention the output layer: it starts where the recurrent layers start.",
}
_TWO = " The thesis does not say which of two checkpoints is the best for valence and which for arousal."

CASES = tuple(_NOTES)

# CCC of valence and arousal, MSE of valence and arousal.
Score = tuple[float, float, float, float]


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
    if case == "c0":
        return (Stage("c0", (cell, _OUTPUT), fresh, rate),)
    if case == "c1":
        check_choice("backbone", model.backbone, _LAST_CONVOLUTION)
        return (Stage("c1", (_LAST_CONVOLUTION[model.backbone], cell, _OUTPUT), fresh, rate),)
    c2 = Stage("c2", ("*",), fresh, rate)
    if case == "c2":
        return (c2,)
    return (c2, Stage("c3", ("*",), (("*", "c2"), *fresh[1:]), 1e-5))


def _experiment(
    name: str,
    title: str,
    network: str,
    case: str,
    rows: dict[tuple[str, str], tuple[Score, ...]],
    pretrained: str = "VGG-Face",
    window: int = 80,
    notes: str = "",
) -> Experiment:
    """Return an experiment; `rows` holds by (table, row) the scores of one or two checkpoints."""
    model = NETWORKS[network]
    steps = stages(case, model)
    training = TrainingConfig(
        batch_size=2,
        window=window,
        window_rule="first_to_last",
        pretrained=pretrained,
        stages=steps,
        learning_rate=steps[-1].learning_rate,
    )
    two = any(len(scores) > 1 for scores in rows.values())
    return Experiment(
        f"thesis2018/{name}",
        title,
        model,
        training,
        EvaluationConfig(batch_size=2, window=window),
        tuple(published for (table, name), scores in rows.items() for published in _rows(table, name, scores)),
        _CORPUS,
        notes=f"{_NOTES[case]}{_TWO if two else ''}{notes}".strip(),
    )


def _rows(table: str, name: str, scores: tuple[Score, ...]) -> list[Published]:
    names = [name] if len(scores) == 1 else [f"{name}, {nth} checkpoint" for nth in ("first", "second")]
    return [
        row("thesis2018", table, name, f"{_CORPUS}, test set", numbers[:2], numbers[2:])
        for name, numbers in zip(names, scores, strict=True)
    ]


_ATTENTION = ", two GRU layers with attention"
_TITLES = {
    "c0": "{} frozen",
    "c1": "{}, its last convolution trained",
    "c2": "{} trained with the rest",
    "c3": "{} trained with the rest, after c2",
}


def _vggface(case: str, rows: dict[tuple[str, str], tuple[Score, ...]], window: int = 80) -> Experiment:
    name = f"vggface_attention_{case}" if window == 80 else f"vggface_attention_{window}_{case}"
    title = _TITLES[case].format("VGG-Face") + _ATTENTION + ("" if window == 80 else f", {window} frames")
    return _experiment(name, title, "thesis_vgg_face_attention", case, rows, window=window)


def _resnet50(case: str, *scores: Score) -> Experiment:
    title = _TITLES[case].format("ResNet-50") + _ATTENTION
    rows = {("6.4", f"ResNet50-IN({case})"): scores}
    return _experiment(f"resnet50_attention_{case}", title, "thesis_resnet50_attention", case, rows, "ImageNet")


def _densenet121(case: str, *scores: Score) -> Experiment:
    title = _TITLES[case].format("DenseNet-121") + _ATTENTION
    rows = {("6.4", f"DenseNet121-IN({case})"): scores}
    return _experiment(f"densenet121_attention_{case}", title, "thesis_densenet121_attention", case, rows, "ImageNet")


EXPERIMENTS = (
    _experiment(
        "vggface_lstm_c0",
        "VGG-Face frozen, two LSTM layers, with peepholes",
        "thesis_vgg_face_lstm",
        "c0",
        {("6.2", "LSTM"): ((0.290, 0.294, 0.031, 0.023), (0.303, 0.249, 0.037, 0.029))},
    ),
    _experiment(
        "vggface_gru_c0",
        "VGG-Face frozen, two GRU layers",
        "thesis_vgg_face_gru",
        "c0",
        {("6.2", "GRU"): ((0.156, 0.362, 0.054, 0.022), (0.353, 0.358, 0.034, 0.023))},
    ),
    _experiment(
        "vggface_indrnn_c0",
        "VGG-Face frozen, two IndRNN layers",
        "thesis_vgg_face_indrnn",
        "c0",
        {("6.2", "IndRNN"): ((0.332, 0.237, 0.031, 0.027), (0.392, 0.254, 0.028, 0.023))},
    ),
    _vggface(
        "c0",
        {
            ("6.4", "VGGFace(c0)"): ((0.347, 0.409, 0.033, 0.020), (0.412, 0.342, 0.032, 0.026)),
            ("6.2", "GRU-Attention"): ((0.347, 0.409, 0.033, 0.020), (0.412, 0.342, 0.032, 0.026)),
        },
    ),
    _vggface("c1", {("6.4", "VGGFace(c1)"): ((0.353, 0.313, 0.024, 0.023),)}),
    _vggface(
        "c2",
        {
            ("6.4", "VGGFace(c2)"): ((0.479, 0.327, 0.020, 0.020),),
            ("6.5", "80 (c2)"): ((0.479, 0.327, 0.020, 0.020),),
        },
    ),
    _vggface(
        "c3",
        {
            ("6.4", "VGGFace(c3)"): ((0.555, 0.456, 0.018, 0.017),),
            ("6.5", "80 (c3)"): ((0.555, 0.456, 0.018, 0.017),),
        },
    ),
    _vggface("c2", {("6.5", "70 (c2)"): ((0.367, 0.346, 0.023, 0.020),)}, 70),
    _vggface("c3", {("6.5", "70 (c3)"): ((0.403, 0.499, 0.021, 0.016), (0.491, 0.424, 0.020, 0.018))}, 70),
    _vggface("c2", {("6.5", "100 (c2)"): ((0.403, 0.459, 0.025, 0.016),)}, 100),
    _vggface("c3", {("6.5", "100 (c3)"): ((0.351, 0.404, 0.025, 0.017), (0.498, 0.388, 0.020, 0.018))}, 100),
    _resnet50("c0", (0.280, 0.107, 0.044, 0.034)),
    _resnet50("c1", (0.162, 0.071, 0.068, 0.046), (0.163, 0.037, 0.048, 0.038)),
    _resnet50("c2", (0.303, 0.393, 0.033, 0.019)),
    _resnet50("c3", (0.332, 0.429, 0.027, 0.019)),
    _densenet121("c0", (0.154, 0.185, 0.061, 0.034)),
    _densenet121("c2", (0.468, 0.294, 0.024, 0.022)),
    _densenet121("c3", (0.449, 0.306, 0.022, 0.021), (0.368, 0.312, 0.025, 0.021)),
    _experiment(
        "densenet169_attention_c0",
        "DenseNet-169 frozen" + _ATTENTION,
        "thesis_densenet169_attention",
        "c0",
        {},
        "ImageNet",
        notes="The thesis gives no numbers, only that DenseNet-121 is better (section 6.3.1).",
    ),
    _experiment(
        "resnet50_vggface2_attention_c0",
        "ResNet-50 of VGGFace2 frozen" + _ATTENTION,
        "thesis_resnet50_attention",
        "c0",
        {},
        "VGGFace2",
        notes="The thesis gives no numbers, only that it is below VGG-Face, and doubts the conversion of its weights "
        "(section 6.3.1).",
    ),
)

OTHERS: tuple[Published, ...] = ()
