"""Kollias et al., CVPRW 2017: its tables with results, 4 to 9."""

from affwildnet.experiments.published import row, table

_AFF_WILD = "Aff-Wild, test set"
_CNN = {"ccc": (0.46, 0.35), "mse": (0.10, 0.09)}
_CNN_RNN = {"ccc": (0.57, 0.43), "mse": (0.08, 0.06)}

TABLES = (
    table(
        "cvprw2017/4",
        "CNNs that start from three pre-trained networks",
        _AFF_WILD,
        [
            row("VGG Face", "vggface", **_CNN),
            row("VGG-16", "vgg16", ccc=(0.40, 0.30), mse=(0.13, 0.11)),
            row("ResNet-50", "resnet50", ccc=(0.33, 0.24), mse=(0.16, 0.13)),
        ],
        beside=[
            row(
                "SIFT + SVR",
                "baselines/sift_svr",
                note="Chapter 4 calls its CCC very low and gives no numbers.",
            )
        ],
    ),
    table(
        "cvprw2017/5",
        "the best CNN with and without landmarks",
        _AFF_WILD,
        [
            row("With landmarks", "vggface", **_CNN),
            row("Without landmarks", "vggface_no_landmarks", ccc=(0.38, 0.31), mse=(0.14, 0.11)),
        ],
    ),
    table(
        "cvprw2017/6",
        "the best CNN with the labels of one annotator or their mean",
        _AFF_WILD,
        [
            row("1 annotator", "vggface_one_annotator", ccc=(0.35, 0.25), mse=(0.18, 0.14)),
            row("Mean of annotators", "vggface", **_CNN),
        ],
    ),
    table(
        "cvprw2017/7",
        "the best CNN and the best CNN-RNN",
        _AFF_WILD,
        [row("CNN", "vggface", **_CNN), row("CNN-RNN", "vggface_gru", **_CNN_RNN)],
    ),
    table(
        "cvprw2017/8",
        "number of recurrent layers and of their units",
        _AFF_WILD,
        [
            row("1 hidden layer, 100", "vggface_gru_1x100", ccc=(0.40, 0.33)),
            row("2 hidden layers, 100", "vggface_gru_2x100", ccc=(0.47, 0.40)),
            row("1 hidden layer, 128", "vggface_gru_1x128", ccc=(0.49, 0.40)),
            row("2 hidden layers, 128", "vggface_gru", ccc=_CNN_RNN["ccc"]),
            row("1 hidden layer, 150", "vggface_gru_1x150", ccc=(0.44, 0.37)),
            row("2 hidden layers, 150", "vggface_gru_2x150", ccc=(0.50, 0.41)),
        ],
    ),
    table(
        "cvprw2017/9",
        "GRU and LSTM",
        _AFF_WILD,
        [
            row("CNN-GRU", "vggface_gru", **_CNN_RNN),
            row("CNN-LSTM", "vggface_lstm", ccc=(0.49, 0.38), mse=(0.10, 0.09)),
        ],
    ),
)
