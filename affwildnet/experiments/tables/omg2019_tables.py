"""Kollias and Zafeiriou, 2019: its tables with results, 1 and 3 to 8."""

from collections.abc import Sequence

from affwildnet.experiments.published import Published, row, table

_OMG = "OMG-Emotion, test set"
_POST_PROCESSING = (
    "Median filters over 81 frames for valence and 3 for arousal (section 7.1), and smoothing of utterances (section "
    "6.3), each where it helps on the validation set."
)
_AUDIO = "From audio and video."
_RESNET = (
    "Called a ResNet-50 here and in section 2; ijcv2019 prints the same numbers in its table {} and points to the form "
    "on VGG-Face."
)
_CNN_1RNN = "CNN-1RNN-2nd-pool_last-pool_fc"
_CNN_3RNN = "CNN-3RNN-2nd-pool_last-pool_fc"
_FUSION = "Model-level Fusion + RNN"

# Valence, arousal and their mean of table 3, with post-processing, which tables 4, 5, 6 and 8 print again.
_PRINTED_AGAIN = {
    "cnn_1rnn": (0.449, 0.303, 0.376),
    "cnn_3rnn": (0.472, 0.329, 0.401),
    "model_fusion_rnn": (0.535, 0.365, 0.450),
}


def _two(name: str, experiment: str, plain: Sequence[float], processed: Sequence[float] = ()) -> list[Published]:
    """Return a row of table 3, which prints the scores with post-processing and, in brackets, without."""
    processed = processed or _PRINTED_AGAIN[experiment]
    return [
        row(f"{name}, with post-processing", experiment, ccc=processed, post_processing=True, note=_POST_PROCESSING),
        row(f"{name}, without post-processing", experiment, ccc=plain, post_processing=False),
    ]


def _processed(name: str, experiment: str, ccc: Sequence[float] = (), mean: bool = False) -> Published:
    """Return a row of tables 4 to 6 and 8, all with post-processing; without `ccc` one that table 3 has too."""
    again = _PRINTED_AGAIN.get(experiment, ())
    return row(name, experiment, ccc=ccc or (again if mean else again[:2]), post_processing=True)


def _starts(name: str, experiment: str, scratch: Sequence[float], aff_wild: Sequence[float]) -> list[Published]:
    """Return a row of table 4, which prints three results side by side."""
    return [
        _processed(f"{name}, from scratch", f"{experiment}_scratch", scratch),
        _processed(f"{name}, pre-trained on Aff-Wild", f"{experiment}_aff_wild", aff_wild),
        _processed(f"{name}, pre-trained on Aff-Wild2", experiment),
    ]


def _landmarks(name: str, experiment: str, without: Sequence[float]) -> list[Published]:
    """Return a row of table 6, which prints two results side by side."""
    return [
        _processed(f"{name}, without landmarks", f"{experiment}_no_landmarks", without),
        _processed(f"{name}, with landmarks", experiment, mean=True),
    ]


def _region(valence: str, arousal: str, mse: Sequence[float]) -> Published:
    """Return a column of table 7."""
    region = f"V in {valence}, A in {arousal}"
    note = "The table does not say whether the predictions are post-processed."
    return row(f"{_CNN_3RNN}, {region}", "cnn_3rnn", mse=mse, region=region, note=note)


TABLES = (
    table(
        "omg2019/1",
        "earlier methods on several corpora",
        "",
        [
            row(
                "[22] CNN-RNN",
                rmse=(0.107,),
                pearson=(0.554,),
                ccc=(0.507,),
                corpus="RECOLA, the part of the AVEC challenge",
                note="Valence alone.",
            ),
            row(
                "[6] features of sound, face and text + LSTM",
                rmse=(0.081, 0.086),
                pearson=(0.758, 0.702),
                ccc=(0.756, 0.672),
                corpus="SEWA",
                note="From audio, video and text.",
            ),
            row("[5] FATAUVA-Net", ccc=(0.396, 0.282), mse=(0.123, 0.095), corpus="Aff-Wild, test set"),
            row(
                "[26] [29] AffWildNet, Aff-Wild",
                "ijcv2019/affwildnet_resnet50",
                ccc=(0.570, 0.430),
                corpus="Aff-Wild, test set",
                note=_RESNET.format("9"),
            ),
            row(
                "[26] [29] AffWildNet, RECOLA",
                "ijcv2019/recola_affwildnet",
                ccc=(0.526, 0.273),
                corpus="RECOLA, test set",
                note=_RESNET.format("10") + " The experiment is that of ijcv2019.",
            ),
            row(
                "[26] [29] AffWildNet, AFEW-VA",
                "ijcv2019/afew_va_affwildnet",
                ccc=(0.515, 0.556),
                corpus="AFEW-VA",
                note=_RESNET.format("13") + " The experiment is that of ijcv2019.",
            ),
        ],
    ),
    table(
        "omg2019/3",
        "CNN, CNN-RNN, CNN plus several RNNs, and their fusion, all pre-trained on Aff-Wild2",
        _OMG,
        [
            *_two("VGG-Face", "vggface", (0.361, 0.193, 0.277), (0.378, 0.203, 0.291)),
            *_two("DenseNet-121", "densenet121", (0.350, 0.184, 0.267), (0.365, 0.191, 0.278)),
            *_two("ResNet-50", "resnet50", (0.344, 0.189, 0.267), (0.359, 0.195, 0.277)),
            *_two("AffWildNet", "affwildnet", (0.390, 0.219, 0.305), (0.409, 0.224, 0.317)),
            *_two("DenseNet-RNN", "densenet_rnn", (0.378, 0.209, 0.294), (0.394, 0.211, 0.303)),
            *_two(_CNN_1RNN, "cnn_1rnn", (0.441, 0.297, 0.369)),
            *_two(_CNN_3RNN, "cnn_3rnn", (0.463, 0.322, 0.393)),
            *_two("Decision-Level Fusion", "decision_fusion", (0.482, 0.321, 0.402), (0.501, 0.332, 0.417)),
            *_two("Model-level Fusion + FC", "model_fusion_fc", (0.500, 0.328, 0.414), (0.518, 0.348, 0.433)),
            *_two(_FUSION, "model_fusion_rnn", (0.512, 0.340, 0.426)),
        ],
    ),
    table(
        "omg2019/4",
        "from scratch, pre-trained on Aff-Wild, pre-trained on Aff-Wild2",
        _OMG,
        [
            *_starts(_CNN_1RNN, "cnn_1rnn", (0.371, 0.210), (0.419, 0.278)),
            *_starts(_CNN_3RNN, "cnn_3rnn", (0.385, 0.192), (0.448, 0.302)),
            *_starts(_FUSION, "model_fusion_rnn", (0.431, 0.265), (0.511, 0.342)),
        ],
    ),
    table(
        "omg2019/5",
        "CNN-3RNN on the features of different layers",
        _OMG,
        [
            _processed("8th conv + last pool + fc", "cnn_3rnn_conv8_pool5_fc", (0.416, 0.261, 0.339)),
            _processed("5th conv + last pool + fc", "cnn_3rnn_conv5_pool5_fc", (0.455, 0.322, 0.389)),
            _processed("2nd pool + last pool + fc", "cnn_3rnn", mean=True),
            _processed("3rd conv + 7th conv + fc", "cnn_3rnn_conv3_conv7_fc", (0.402, 0.267, 0.335)),
            _processed("last conv + last pool + fc", "cnn_3rnn_conv13_pool5_fc", (0.440, 0.248, 0.344)),
            _processed("6th conv + 7th conv + 8th conv", "cnn_3rnn_conv6_conv7_conv8", (0.328, 0.162, 0.245)),
            _processed("7th conv + 8th conv + 9th conv", "cnn_3rnn_conv7_conv8_conv9", (0.334, 0.172, 0.253)),
            _processed("3rd conv + 4th conv + 5th conv", "cnn_3rnn_conv3_conv4_conv5", (0.345, 0.185, 0.265)),
        ],
    ),
    table(
        "omg2019/6",
        "with and without landmarks",
        _OMG,
        [
            *_landmarks(_CNN_1RNN, "cnn_1rnn", (0.429, 0.291, 0.360)),
            *_landmarks(_CNN_3RNN, "cnn_3rnn", (0.454, 0.310, 0.382)),
            *_landmarks(_FUSION, "model_fusion_rnn", (0.524, 0.352, 0.438)),
        ],
    ),
    table(
        "omg2019/7",
        "the error of CNN-3RNN in four regions of the plane, and in all of it",
        _OMG,
        [
            _region("[0, 1]", "[0, 0.5)", (0.101, 0.031)),
            _region("[0, 1]", "[0.5, 1]", (0.055, 0.021)),
            _region("[-1, 0)", "[0, 0.5)", (0.154, 0.061)),
            _region("[-1, 0)", "[0.5, 1]", (0.110, 0.040)),
            _region("[-1, 1]", "[0, 1]", (0.110, 0.041)),
        ],
    ),
    table(
        "omg2019/8",
        "the challenge's participants",
        _OMG,
        [
            row("VNet [51]", ccc=(0.438, 0.244)),
            row("ANet + VNet [51]", ccc=(0.442, 0.236), note=_AUDIO),
            row("A: openSMILE + LSTMs, V: VGG-FACE-BLSTM [60]", ccc=(0.258, 0.277), note=_AUDIO),
            row("A: openSMILE + LSTMs, V: VGG-FACE-BLSTM + openSMILE + LSTMs [60]", ccc=(0.369, 0.286), note=_AUDIO),
            row("openSMILE + LSTMs [60]", ccc=(0.361, 0.293), note="From audio alone."),
            row("Single Multi-Modal [64]", ccc=(0.484, 0.345), note=_AUDIO),
            row("Ensemble I [64]", ccc=(0.496, 0.356), note=_AUDIO),
            row("Ensemble II [64]", ccc=(0.499, 0.361), note=_AUDIO),
            _processed(_CNN_3RNN, "cnn_3rnn"),
            _processed(_FUSION, "model_fusion_rnn"),
        ],
    ),
)
