"""Kollias and Zafeiriou, 2019: tables 3 to 8, on OMG-Emotion.

Common to all (sections 5.1, 6.1, 7): batches of 4 sequences of 80 frames, Adam at a constant 1e-4, the loss of eq. 3,
dropout 0.5 after the FC, 0.8 after the first GRU layer. Each sequence of an utterance has the utterance's label; its
prediction is the median over its frames. All predictions are post-processed (section 6.3).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.published import Published, row

TITLE = (
    'Kollias and Zafeiriou, "Exploiting multi-CNN features in CNN-RNN based Dimensional Emotion Recognition on the '
    'OMG in-the-wild Dataset", 2019'
)
_OMG = "OMG-Emotion, test set"
_SETTINGS = TrainingConfig(batch_size=4, window=80, learning_rate=1e-4)
_SCORING = EvaluationConfig(sequence=80, aggregation="median", post_process=("median_filter", "smoothing"))

_END_TO_END = (
    "Trained end to end at 1e-4 or 1e-5; the paper does not say which: 1e-4, the rate of its CNNs. The dropout of 0.8 "
    "after the first GRU layer is read as the share to keep; dropping 0.8 would leave 26 of 128 units."
)
_CNN = "The paper does not give the number of sequences in a batch of a CNN: 4, as for the CNN-RNNs."
_BELOW_FC = " No recurrent stack reads the FC layer, the only one that reads the landmarks: both are left out."
_MEMBERS = " The paper does not say how many networks were fused: the CNN-1RNN and the CNN-3RNN of table 3."
_WEIGHTED = " The members are trained separately, as the experiments cnn_1rnn and cnn_3rnn."
_OPEN = (
    " The paper gives no numbers, only that such networks are 4 to 5 % below CNN-1RNN and CNN-3RNN (section 5.3). It "
    "names neither the features nor the units of an FC: the two highest of the best three, and 128 as in section 5.4.1."
)
_ENCODED = " The paper gives no numbers, only that 512, 1024 and 2048 units made no difference (section 7)."
_POST_PROCESSING = (
    "Median filters over 81 frames for valence and 3 for arousal (section 7.1), and smoothing of utterances (section "
    "6.3), each where it helps on the validation set."
)
_AUDIO = "From audio and video."

# Names in other tables of a row of table 3.
_AGAIN = {
    "4": "{}, pre-trained on Aff-Wild2",
    "5": "2nd pool + last pool + fc",
    "6": "{}, with landmarks",
    "8": "{}",
}

_row = partial(row, "omg2019", corpus=_OMG)


def _experiment(
    name: str,
    title: str,
    model: ModelConfig,
    published: Sequence[Published],
    pretrained: str = "Aff-Wild2",
    notes: str = "",
) -> Experiment:
    common = _END_TO_END if model.recurrent != "none" or model.members else _CNN
    training = replace(_SETTINGS, pretrained=pretrained)
    return Experiment(
        f"omg2019/{name}",
        title,
        model,
        training,
        _SCORING,
        tuple(published),
        corpus="OMG-Emotion",
        protocol="utterances",
        notes=common + notes,
    )


def _component(
    network: str,
    row_name: str,
    title: str,
    processed: tuple[float, float, float],
    plain: tuple[float, float, float],
    again: str = "",
    regions: tuple[Published, ...] = (),
    notes: str = "",
) -> Experiment:
    """Return a row of table 3, (valence, arousal, mean) with and without post-processing.

    `again` holds the numbers of the tables that print it again, with post-processing; `regions` is table 7.
    """
    published = [
        _row("3", f"{row_name}, with post-processing", ccc=processed, note=_POST_PROCESSING),
        _row("3", f"{row_name}, without post-processing", ccc=plain),
    ]
    for table in again:
        published.append(_row(table, _AGAIN[table].format(row_name), ccc=processed[: 3 if table in "56" else 2]))
    name = network.removeprefix("omg_").replace("vgg_face", "vggface")
    return _experiment(name, title, NETWORKS[network], (*published, *regions), notes=notes)


def _starts(
    network: str, row_name: str, scratch: tuple[float, float], aff_wild: tuple[float, float]
) -> tuple[Experiment, ...]:
    """Return a row of table 4, except for its last columns, which are in table 3 too."""
    model = NETWORKS[network]
    return (
        _experiment(
            f"{network}_scratch",
            f"{_short(row_name)} from scratch",
            model,
            [_row("4", f"{row_name}, from scratch", ccc=scratch)],
            "",
            " From scratch is taken literally: all weights are random, those of the backbone too.",
        ),
        _experiment(
            f"{network}_aff_wild",
            f"{_short(row_name)} pre-trained on Aff-Wild",
            model,
            [_row("4", f"{row_name}, pre-trained on Aff-Wild", ccc=aff_wild)],
            "Aff-Wild",
        ),
    )


def _taps(row_name: str, taps: tuple[str, str, str], ccc: tuple[float, float, float]) -> Experiment:
    """Return a row of table 5: CNN-3RNN on other features."""
    model = replace(NETWORKS["cnn_3rnn"], rnn_inputs=taps)
    if "fc" not in taps:
        model = replace(model, hidden=(), landmarks=False)
    name, title = "_".join(taps), ", ".join(taps)
    notes = "" if "fc" in taps else _BELOW_FC
    return _experiment(f"cnn_3rnn_{name}", f"CNN-3RNN on {title}", model, [_row("5", row_name, ccc=ccc)], notes=notes)


def _without_landmarks(network: str, row_name: str, ccc: tuple[float, float, float]) -> Experiment:
    """Return the left half of a row of table 6."""
    model = NETWORKS[network]
    if model.members:
        model = replace(model, members=tuple(replace(member, landmarks=False) for member in model.members))
    else:
        model = replace(model, landmarks=False)
    published = [_row("6", f"{row_name}, without landmarks", ccc=ccc)]
    return _experiment(f"{network}_no_landmarks", f"{_short(row_name)} without landmarks", model, published)


def _short(row_name: str) -> str:
    return row_name.removesuffix("-2nd-pool_last-pool_fc")


def _unpublished(network: str, title: str) -> Experiment:
    """Return a network that the paper mentions without numbers."""
    notes = _ENCODED if NETWORKS[network].landmark_encoder else _OPEN
    return _experiment(network, title, NETWORKS[network], (), notes=notes)


def _region(valence: str, arousal: str, mse: tuple[float, float]) -> Published:
    """Return a column of table 7: a region of the plane of valence and arousal."""
    note = "The table does not say whether the predictions are post-processed."
    return _row("7", f"{_CNN_3RNN}, V in {valence}, A in {arousal}", mse=mse, note=note)


_CNN_1RNN = "CNN-1RNN-2nd-pool_last-pool_fc"
_CNN_3RNN = "CNN-3RNN-2nd-pool_last-pool_fc"
_FUSION = "Model-level Fusion + RNN"

_REGIONS = (
    _region("[0, 1]", "[0, 0.5)", (0.101, 0.031)),
    _region("[0, 1]", "[0.5, 1]", (0.055, 0.021)),
    _region("[-1, 0)", "[0, 0.5)", (0.154, 0.061)),
    _region("[-1, 0)", "[0.5, 1]", (0.110, 0.040)),
    _region("[-1, 1]", "[0, 1]", (0.110, 0.041)),
)

COMPONENTS = (
    _component(
        "omg_vgg_face",
        "VGG-Face",
        "CNN alone: VGG-Face, landmarks, FC 4096",
        (0.378, 0.203, 0.291),
        (0.361, 0.193, 0.277),
    ),
    _component(
        "omg_densenet121",
        "DenseNet-121",
        "CNN alone: DenseNet-121, landmarks, FC 1500",
        (0.365, 0.191, 0.278),
        (0.350, 0.184, 0.267),
    ),
    _component(
        "omg_resnet50",
        "ResNet-50",
        "CNN alone: ResNet-50, landmarks, FC 1500",
        (0.359, 0.195, 0.277),
        (0.344, 0.189, 0.267),
    ),
    _component(
        "omg_affwildnet",
        "AffWildNet",
        "AffWildNet on ResNet-50 (table 2)",
        (0.409, 0.224, 0.317),
        (0.390, 0.219, 0.305),
    ),
    _component(
        "densenet_rnn", "DenseNet-RNN", "AffWildNet on DenseNet-121", (0.394, 0.211, 0.303), (0.378, 0.209, 0.294)
    ),
    _component(
        "cnn_1rnn",
        _CNN_1RNN,
        "One GRU stack on pool2, pool5 and FC together (figure 7)",
        (0.449, 0.303, 0.376),
        (0.441, 0.297, 0.369),
        "46",
    ),
    _component(
        "cnn_3rnn",
        _CNN_3RNN,
        "A GRU stack each on pool2, pool5 and FC (figure 5)",
        (0.472, 0.329, 0.401),
        (0.463, 0.322, 0.393),
        "4568",
        _REGIONS,
    ),
    _component(
        "decision_fusion",
        "Decision-Level Fusion",
        "Weighted mean of the predictions of CNN-1RNN and CNN-3RNN (eq. 1)",
        (0.501, 0.332, 0.417),
        (0.482, 0.321, 0.402),
        notes=_MEMBERS + _WEIGHTED,
    ),
    _component(
        "model_fusion_fc",
        "Model-level Fusion + FC",
        "CNN-1RNN and CNN-3RNN joined by FC 128",
        (0.518, 0.348, 0.433),
        (0.500, 0.328, 0.414),
        notes=_MEMBERS,
    ),
    _component(
        "model_fusion_rnn",
        _FUSION,
        "CNN-1RNN and CNN-3RNN joined by a GRU layer of 128 units",
        (0.535, 0.365, 0.450),
        (0.512, 0.340, 0.426),
        "468",
        notes=_MEMBERS,
    ),
)

STARTS = (
    *_starts("cnn_1rnn", _CNN_1RNN, (0.371, 0.210), (0.419, 0.278)),
    *_starts("cnn_3rnn", _CNN_3RNN, (0.385, 0.192), (0.448, 0.302)),
    *_starts("model_fusion_rnn", _FUSION, (0.431, 0.265), (0.511, 0.342)),
)

TAPS = (
    _taps("8th conv + last pool + fc", ("conv8", "pool5", "fc"), (0.416, 0.261, 0.339)),
    _taps("5th conv + last pool + fc", ("conv5", "pool5", "fc"), (0.455, 0.322, 0.389)),
    _taps("3rd conv + 7th conv + fc", ("conv3", "conv7", "fc"), (0.402, 0.267, 0.335)),
    _taps("last conv + last pool + fc", ("conv13", "pool5", "fc"), (0.440, 0.248, 0.344)),
    _taps("6th conv + 7th conv + 8th conv", ("conv6", "conv7", "conv8"), (0.328, 0.162, 0.245)),
    _taps("7th conv + 8th conv + 9th conv", ("conv7", "conv8", "conv9"), (0.334, 0.172, 0.253)),
    _taps("3rd conv + 4th conv + 5th conv", ("conv3", "conv4", "conv5"), (0.345, 0.185, 0.265)),
)

WITHOUT_LANDMARKS = (
    _without_landmarks("cnn_1rnn", _CNN_1RNN, (0.429, 0.291, 0.360)),
    _without_landmarks("cnn_3rnn", _CNN_3RNN, (0.454, 0.310, 0.382)),
    _without_landmarks("model_fusion_rnn", _FUSION, (0.524, 0.352, 0.438)),
)

UNPUBLISHED = (
    _unpublished("cnn_2rnn", "A GRU stack each on pool5 and FC"),
    _unpublished("cnn_2rnn_1fc", "A GRU stack each on pool5 and FC, joined by FC 128"),
    _unpublished("cnn2_to_1rnn", "One GRU stack on pool5 and FC together"),
    _unpublished("cnn_3rnn_1fc", "CNN-3RNN, joined by FC 128"),
    _unpublished("cnn_3rnn_encoded_landmarks", "CNN-3RNN with FC 1024 on the landmarks"),
)

EXPERIMENTS = COMPONENTS + STARTS + TAPS + WITHOUT_LANDMARKS + UNPUBLISHED

OTHERS = (
    _row("8", "VNet [51]", ccc=(0.438, 0.244)),
    _row("8", "ANet + VNet [51]", ccc=(0.442, 0.236), note=_AUDIO),
    _row("8", "A: openSMILE + LSTMs, V: VGG-FACE-BLSTM [60]", ccc=(0.258, 0.277), note=_AUDIO),
    _row("8", "A: openSMILE + LSTMs, V: VGG-FACE-BLSTM + openSMILE + LSTMs [60]", ccc=(0.369, 0.286), note=_AUDIO),
    _row("8", "openSMILE + LSTMs [60]", ccc=(0.361, 0.293), note="From audio alone."),
    _row("8", "Single Multi-Modal [64]", ccc=(0.484, 0.345), note=_AUDIO),
    _row("8", "Ensemble I [64]", ccc=(0.496, 0.356), note=_AUDIO),
    _row("8", "Ensemble II [64]", ccc=(0.499, 0.361), note=_AUDIO),
)
