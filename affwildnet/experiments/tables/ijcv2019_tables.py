"""Kollias et al., IJCV 2019: its tables with results, 5 and 7 to 14."""

from affwildnet.experiments.published import Published, row, table

_AFF_WILD = "Aff-Wild, test set"
_EMOTIW = "EmotiW 2017, validation set"
_TRAINING_SET = "The caption says training set; read as the five folds of table 11."
_FER = "after fine-tuning on FER2013"
_AUGMENTED = "data augmentation"


def _challenge(name: str, accuracy: float, after: str = "") -> Published:
    """Return a cell of table 14; `after` is the heading of its column, empty for "Original"."""
    note = "The columns of the values of [28] are from a poor print." if name.startswith("[28]") else ""
    return row(f"{name}, {after}" if after else name, accuracy=(accuracy,), note=note)


TABLES = (
    table(
        "ijcv2019/5",
        "the challenge's participants and its baseline",
        _AFF_WILD,
        [
            row("MM-Net", ccc=(0.196, 0.214, 0.205), mse=(0.134, 0.088, 0.111)),
            row("FATAUVA-Net", ccc=(0.396, 0.282, 0.339), mse=(0.123, 0.095, 0.109)),
            row("DRC-Net", ccc=(0.042, 0.291, 0.167), mse=(0.161, 0.094, 0.128)),
            row("Baseline", "cnn_m", ccc=(0.150, 0.100, 0.125), mse=(0.130, 0.140, 0.135)),
        ],
    ),
    table(
        "ijcv2019/7",
        "VGG-Face with the labels of one annotator or their mean, with and without landmarks",
        _AFF_WILD,
        [
            row("One annotator, with landmarks", "vggface_one_annotator", ccc=(0.39, 0.27), mse=(0.15, 0.13)),
            row(
                "One annotator, without landmarks",
                "vggface_one_annotator_no_landmarks",
                ccc=(0.35, 0.25),
                mse=(0.16, 0.14),
            ),
            row("Mean of annotators, with landmarks", "vggface", ccc=(0.51, 0.33), mse=(0.10, 0.08)),
            row("Mean of annotators, without landmarks", "vggface_no_landmarks", ccc=(0.44, 0.32), mse=(0.12, 0.11)),
        ],
    ),
    table(
        "ijcv2019/8",
        "number of GRU layers and of their units in AffWildNet",
        _AFF_WILD,
        [
            row("1 layer, 100", "affwildnet_vggface_1x100", ccc=(0.44, 0.36)),
            row("1 layer, 128", "affwildnet_vggface_1x128", ccc=(0.53, 0.40)),
            row("1 layer, 150", "affwildnet_vggface_1x150", ccc=(0.46, 0.39)),
            row("2 layers, 100", "affwildnet_vggface_2x100", ccc=(0.50, 0.41)),
            row("2 layers, 128", "affwildnet_vggface", ccc=(0.57, 0.43)),
            row("2 layers, 150", "affwildnet_vggface_2x150", ccc=(0.51, 0.41)),
        ],
    ),
    table(
        "ijcv2019/9",
        "CNNs and CNN-RNNs",
        _AFF_WILD,
        [
            row("VGG-16", "vgg16", ccc=(0.40, 0.30, 0.35), mse=(0.13, 0.11, 0.12)),
            row("ResNet-50", "resnet50", ccc=(0.43, 0.30, 0.37), mse=(0.11, 0.11, 0.11)),
            row("VGG-Face", "vggface", ccc=(0.51, 0.33, 0.42), mse=(0.10, 0.08, 0.09)),
            row("VGG-Face-LSTM", "vggface_lstm", ccc=(0.52, 0.38, 0.45), mse=(0.10, 0.09, 0.10)),
            row("AffWildNet", "affwildnet_vggface", ccc=(0.57, 0.43, 0.50), mse=(0.08, 0.06, 0.07)),
        ],
    ),
    table(
        "ijcv2019/10",
        "fine-tuning on RECOLA",
        "RECOLA, test set",
        [
            row("Fine-tuned AffWildNet", "recola_affwildnet", ccc=(0.526, 0.273)),
            row("ResNet-GRU", "recola_resnet50_gru", ccc=(0.462, 0.209)),
        ],
    ),
    table(
        "ijcv2019/11",
        "fine-tuning on AFEW-VA",
        "AFEW-VA, five folds",
        [
            row("best of [31]", pearson=(0.407, 0.45)),
            row("Fine-tuned AffWildNet", "afew_va_affwildnet", pearson=(0.514, 0.575)),
        ],
    ),
    table(
        "ijcv2019/12",
        "seven expressions",
        _EMOTIW,
        [
            row("VGG-16", "emotiw_vgg16", accuracy=(0.327, 0.424, 0.102, 0.093, 0.476, 0.138, 0.133, 0.263)),
            row("VGG-16 + RNN", "emotiw_vgg16_gru", accuracy=(0.431, 0.559, 0.026, 0.07, 0.444, 0.259, 0.044, 0.293)),
            row(
                "ResNet",
                "emotiw_resnet50",
                accuracy=(0.31, 0.153, 0.077, 0.023, 0.534, 0.207, 0.067, 0.211),
                note="Happy, 0.534, is not a share of the 63 videos that the other rows imply.",
            ),
            row(
                "ResNet + RNN", "emotiw_resnet50_gru", accuracy=(0.431, 0.237, 0.077, 0.07, 0.587, 0.155, 0.089, 0.261)
            ),
            row(
                "VGG-Face + RNN",
                "emotiw_vggface_gru",
                accuracy=(0.552, 0.593, 0.026, 0.047, 0.794, 0.259, 0.111, 0.384),
            ),
            row(
                "Fine-tuned AffWildNet",
                "emotiw_affwildnet",
                accuracy=(0.569, 0.627, 0.051, 0.023, 0.746, 0.709, 0.111, 0.454),
                note="Sad, 0.709, is not a share of the 58 videos that the other rows imply (41 of them are 0.707).",
            ),
        ],
    ),
    table(
        "ijcv2019/13",
        "a CNN and AffWildNet on AFEW-VA",
        "AFEW-VA",
        [
            row("only CNN", "afew_va_cnn", ccc=(0.44, 0.474), note=_TRAINING_SET),
            row("Fine-tuned AffWildNet", "afew_va_affwildnet", ccc=(0.515, 0.556), note=_TRAINING_SET),
        ],
    ),
    table(
        "ijcv2019/14",
        "the challenge's winners, expressions",
        _EMOTIW,
        [
            _challenge("[26] DenseNet-121", 0.414),
            _challenge("[26] HoloNet", 0.41),
            _challenge("[26] ResNet-50", 0.418),
            _challenge("[28] VGG-Face", 0.379),
            _challenge("[28] VGG-Face", 0.483, _FER),
            _challenge("[28] FR-Net-A", 0.337),
            _challenge("[28] FR-Net-A", 0.446, _FER),
            _challenge("[28] FR-Net-B", 0.334),
            _challenge("[28] FR-Net-B", 0.488, _FER),
            _challenge("[28] FR-Net-C", 0.376),
            _challenge("[28] FR-Net-C", 0.452, _FER),
            _challenge("[28] LSTM + FR-Net-B", 0.465, _FER),
            _challenge("[28] LSTM + FR-Net-B", 0.504, _AUGMENTED),
            _challenge("[60] Weighted C3D (no overlap)", 0.421, _AUGMENTED),
            _challenge("[60] LSTM C3D (no overlap)", 0.432, _AUGMENTED),
            _challenge("[60] VGG-Face", 0.414, _AUGMENTED),
            _challenge("[60] VGG-LSTM 1 layer", 0.486, _AUGMENTED),
            row("Fine-tuned AffWildNet", "emotiw_affwildnet", accuracy=(0.454,)),
        ],
    ),
)
