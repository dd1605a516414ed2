"""Liu's MSc thesis: its tables with results, 6.2, 6.4 and 6.5."""

from affwildnet.experiments.published import Published, row, table

_TEST = "Aff-Wild, the thesis's 159 videos, test set"
_TWO = (
    "The thesis scored the best checkpoints for valence and for arousal, and does not say which row is which: the one "
    "with the larger CCC of valence is taken for the former."
)

# CCC of valence and arousal, MSE of valence and arousal.
Score = tuple[float, float, float, float]

# Rows that two tables print.
_ATTENTION_C0 = ((0.347, 0.409, 0.033, 0.020), (0.412, 0.342, 0.032, 0.026))
_VGGFACE_C2 = (0.479, 0.327, 0.020, 0.020)
_VGGFACE_C3 = (0.555, 0.456, 0.018, 0.017)


def _rows(name: str, experiment: str, *scores: Score) -> list[Published]:
    """Return a row, or the two of a network of which two checkpoints were scored."""
    if len(scores) == 1:
        ((*ccc, valence, arousal),) = scores
        return [row(name, experiment, ccc=ccc, mse=(valence, arousal))]
    best = max(scores)
    return [
        row(
            f"{name}, {nth} checkpoint",
            experiment,
            ccc=each[:2],
            mse=each[2:],
            checkpoint="best_valence" if each is best else "best_arousal",
            note=_TWO,
        )
        for nth, each in zip(("first", "second"), scores, strict=True)
    ]


TABLES = (
    table(
        "thesis2018/6.2",
        "recurrent cells on a frozen VGG-Face",
        _TEST,
        [
            *_rows("LSTM", "vggface_lstm_c0", (0.290, 0.294, 0.031, 0.023), (0.303, 0.249, 0.037, 0.029)),
            *_rows("GRU", "vggface_gru_c0", (0.156, 0.362, 0.054, 0.022), (0.353, 0.358, 0.034, 0.023)),
            *_rows("GRU-Attention", "vggface_attention_c0", *_ATTENTION_C0),
            *_rows("IndRNN", "vggface_indrnn_c0", (0.332, 0.237, 0.031, 0.027), (0.392, 0.254, 0.028, 0.023)),
        ],
    ),
    table(
        "thesis2018/6.4",
        "backbones, and what of them is trained, with two GRU layers and attention",
        _TEST,
        [
            *_rows("VGGFace(c0)", "vggface_attention_c0", *_ATTENTION_C0),
            *_rows("VGGFace(c1)", "vggface_attention_c1", (0.353, 0.313, 0.024, 0.023)),
            *_rows("VGGFace(c2)", "vggface_attention_c2", _VGGFACE_C2),
            *_rows("VGGFace(c3)", "vggface_attention_c3", _VGGFACE_C3),
            *_rows("ResNet50-IN(c0)", "resnet50_attention_c0", (0.280, 0.107, 0.044, 0.034)),
            *_rows(
                "ResNet50-IN(c1)",
                "resnet50_attention_c1",
                (0.162, 0.071, 0.068, 0.046),
                (0.163, 0.037, 0.048, 0.038),
            ),
            *_rows("ResNet50-IN(c2)", "resnet50_attention_c2", (0.303, 0.393, 0.033, 0.019)),
            *_rows("ResNet50-IN(c3)", "resnet50_attention_c3", (0.332, 0.429, 0.027, 0.019)),
            *_rows("DenseNet121-IN(c0)", "densenet121_attention_c0", (0.154, 0.185, 0.061, 0.034)),
            *_rows("DenseNet121-IN(c2)", "densenet121_attention_c2", (0.468, 0.294, 0.024, 0.022)),
            *_rows(
                "DenseNet121-IN(c3)",
                "densenet121_attention_c3",
                (0.449, 0.306, 0.022, 0.021),
                (0.368, 0.312, 0.025, 0.021),
            ),
        ],
    ),
    table(
        "thesis2018/6.5",
        "length of a sequence, cases c2 and c3",
        _TEST,
        [
            *_rows("70 (c2)", "vggface_attention_70_c2", (0.367, 0.346, 0.023, 0.020)),
            *_rows(
                "70 (c3)",
                "vggface_attention_70_c3",
                (0.403, 0.499, 0.021, 0.016),
                (0.491, 0.424, 0.020, 0.018),
            ),
            *_rows("80 (c2)", "vggface_attention_c2", _VGGFACE_C2),
            *_rows("80 (c3)", "vggface_attention_c3", _VGGFACE_C3),
            *_rows("100 (c2)", "vggface_attention_100_c2", (0.403, 0.459, 0.025, 0.016)),
            *_rows(
                "100 (c3)",
                "vggface_attention_100_c3",
                (0.351, 0.404, 0.025, 0.017),
                (0.498, 0.388, 0.020, 0.018),
            ),
        ],
    ),
)
