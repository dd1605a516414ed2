"""Kollias and Zafeiriou, 2019: tables 3 to 8, on OMG-Emotion.

Common to all (sections 5.1, 6.1, 7): batches of 4 sequences of 80 frames, a constant rate of 1e-4, the loss of eq. 3,
dropout 0.5 after the FC, 0.8 after the first GRU layer. Each sequence of an utterance has the utterance's label; its
prediction is the median over its frames. All predictions are post-processed (section 6.3).
"""

from dataclasses import replace

from affwildnet.experiments import fidelity
from affwildnet.experiments.config import DataConfig, EvaluationConfig, Experiment, ModelConfig, Stage, TrainingConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.experiments.tables import of_experiment

TITLE = (
    'Kollias and Zafeiriou, "Exploiting multi-CNN features in CNN-RNN based Dimensional Emotion Recognition on the '
    'OMG in-the-wild Dataset", 2019'
)
_SETTINGS = TrainingConfig(batch_size=4, window=80, learning_rate=1e-4, init_skip=("*normalise",))
_SCORING = EvaluationConfig(sequence=80, aggregation="median", post_process=("median_filter", "smoothing"))

_CNN = "The paper does not give the number of sequences in a batch of a CNN: 4, as for the CNN-RNNs."
_BELOW_FC = " No recurrent stack reads the FC layer, the only one that reads the landmarks: both are left out."
_MEMBERS = " The paper does not say how many networks were fused: the CNN-1RNN and the CNN-3RNN of table 3."
_WEIGHTED = " The members are trained separately, as the experiments cnn_1rnn and cnn_3rnn."
_OPEN = (
    " The paper gives no numbers, only that such networks are 4 to 5 % below CNN-1RNN and CNN-3RNN (section 5.3). It "
    "names neither the features nor the units of an FC: the two highest of the best three, and 128 as in section 5.4.1."
)
_ENCODED = " The paper gives no numbers, only that 512, 1024 and 2048 units made no difference (section 7)."


def _experiment(
    name: str,
    title: str,
    model: ModelConfig,
    pretrained: str = "Aff-Wild2",
    notes: str = "",
    stages: tuple[Stage, ...] = (),
) -> Experiment:
    recurrent = model.recurrent != "none" or bool(model.members)
    common = (
        *((fidelity.OMG_RATE if not stages else "", fidelity.OMG_DROPOUT) if recurrent else (_CNN,)),
        notes.strip(),
        fidelity.NO_OPTIMIZER,
        fidelity.OMG_PRETRAINING if pretrained else "",
        fidelity.PUBLISHED_PIXELS,
        fidelity.HIDDEN_START,
    )
    training = replace(_SETTINGS, pretrained=pretrained, stages=stages)
    if stages:
        training = replace(training, learning_rate=stages[-1].learning_rate)
    return Experiment(
        f"omg2019/{name}",
        title,
        model,
        training,
        _SCORING,
        of_experiment(f"omg2019/{name}"),
        corpus="OMG-Emotion",
        protocol="utterances",
        data=DataConfig("omg", "procrustes"),
        notes=fidelity.notes(*common),
    )


def _component(network: str, title: str, notes: str = "") -> Experiment:
    """Return a row of table 3."""
    name = network.removeprefix("omg_").replace("vgg_face", "vggface")
    return _experiment(name, title, NETWORKS[network], notes=notes)


def _starts(network: str, title: str) -> tuple[Experiment, ...]:
    """Return a row of table 4, except for its last columns, which are in table 3 too."""
    model = NETWORKS[network]
    literal = " From scratch is taken literally: all weights are random, those of the backbone too."
    return (
        _experiment(f"{network}_scratch", f"{title} from scratch", model, "", literal),
        _experiment(f"{network}_aff_wild", f"{title} pre-trained on Aff-Wild", model, "Aff-Wild"),
    )


def _taps(*taps: str) -> Experiment:
    """Return a row of table 5: CNN-3RNN on other features."""
    model = replace(NETWORKS["cnn_3rnn"], rnn_inputs=taps)
    if "fc" not in taps:
        model = replace(model, hidden=(), landmarks=False)
    notes = "" if "fc" in taps else _BELOW_FC
    return _experiment(f"cnn_3rnn_{'_'.join(taps)}", f"CNN-3RNN on {', '.join(taps)}", model, notes=notes)


def _without_landmarks(network: str, title: str) -> Experiment:
    """Return the left half of a row of table 6."""
    model = NETWORKS[network]
    if model.members:
        model = replace(model, members=tuple(replace(member, landmarks=False) for member in model.members))
    else:
        model = replace(model, landmarks=False)
    return _experiment(f"{network}_no_landmarks", f"{title} without landmarks", model)


def _frozen(name: str, network: str, title: str) -> Experiment:
    """Return a CNN-RNN whose CNN is frozen, the first of the two strategies of section 5.2."""
    # The names of the recurrent layers begin with the taps of their stack where there are several.
    stage = Stage("frozen", ("fc*", "*gru*", "valence_arousal"), (("*", "init"),), 1e-3)
    notes = (
        " Section 5.2 (i): all layers start from the network that was pre-trained, and the CNN is kept fixed, at 1e-3 "
        "(section 6.1). The paper gives no numbers, only that training end to end is better. The batch normalisation "
        "of a fixed CNN is in inference mode: the paper does not say."
    )
    return _experiment(f"{name}_frozen", f"{title}, the CNN frozen", NETWORKS[network], notes=notes, stages=(stage,))


def _unpublished(network: str, title: str) -> Experiment:
    """Return a network that the paper mentions without numbers."""
    notes = _ENCODED if NETWORKS[network].landmark_encoder else _OPEN
    return _experiment(network, title, NETWORKS[network], notes=notes)


COMPONENTS = (
    _component("omg_vgg_face", "CNN alone: VGG-Face, landmarks, FC 4096"),
    _component("omg_densenet121", "CNN alone: DenseNet-121, landmarks, FC 1500"),
    _component("omg_resnet50", "CNN alone: ResNet-50, landmarks, FC 1500"),
    _component("omg_affwildnet", "AffWildNet on ResNet-50 (table 2)"),
    _component("densenet_rnn", "AffWildNet on DenseNet-121"),
    _component("cnn_1rnn", "One GRU stack on pool2, pool5 and FC together (figure 7)"),
    _component("cnn_3rnn", "A GRU stack each on pool2, pool5 and FC (figure 5)"),
    _component(
        "decision_fusion",
        "Weighted mean of the predictions of CNN-1RNN and CNN-3RNN (eq. 1)",
        f"{_MEMBERS}{_WEIGHTED} {fidelity.OMG_FUSION}",
    ),
    _component("model_fusion_fc", "CNN-1RNN and CNN-3RNN joined by FC 128", _MEMBERS),
    _component("model_fusion_rnn", "CNN-1RNN and CNN-3RNN joined by a GRU layer of 128 units", _MEMBERS),
)

STARTS = (
    *_starts("cnn_1rnn", "CNN-1RNN"),
    *_starts("cnn_3rnn", "CNN-3RNN"),
    *_starts("model_fusion_rnn", "Model-level Fusion + RNN"),
)

TAPS = (
    _taps("conv8", "pool5", "fc"),
    _taps("conv5", "pool5", "fc"),
    _taps("conv3", "conv7", "fc"),
    _taps("conv13", "pool5", "fc"),
    _taps("conv6", "conv7", "conv8"),
    _taps("conv7", "conv8", "conv9"),
    _taps("conv3", "conv4", "conv5"),
)

WITHOUT_LANDMARKS = (
    _without_landmarks("cnn_1rnn", "CNN-1RNN"),
    _without_landmarks("cnn_3rnn", "CNN-3RNN"),
    _without_landmarks("model_fusion_rnn", "Model-level Fusion + RNN"),
)

UNPUBLISHED = (
    _unpublished("cnn_2rnn", "A GRU stack each on pool5 and FC"),
    _unpublished("cnn_2rnn_1fc", "A GRU stack each on pool5 and FC, joined by FC 128"),
    _unpublished("cnn2_to_1rnn", "One GRU stack on pool5 and FC together"),
    _unpublished("cnn_3rnn_1fc", "CNN-3RNN, joined by FC 128"),
    _unpublished("cnn_3rnn_encoded_landmarks", "CNN-3RNN with FC 1024 on the landmarks"),
    _frozen("affwildnet", "omg_affwildnet", "AffWildNet on ResNet-50"),
    _frozen("densenet_rnn", "densenet_rnn", "AffWildNet on DenseNet-121"),
    _frozen("cnn_1rnn", "cnn_1rnn", "CNN-1RNN"),
    _frozen("cnn_3rnn", "cnn_3rnn", "CNN-3RNN"),
)

EXPERIMENTS = COMPONENTS + STARTS + TAPS + WITHOUT_LANDMARKS + UNPUBLISHED
