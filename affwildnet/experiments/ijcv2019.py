"""Kollias et al., "Deep Affect Prediction in-the-Wild", IJCV 2019: the networks of tables 5, 7 and 9 on Aff-Wild.

Common to the CNN-RNN networks (section 4.2.3): batches of 4 sequences of 80 frames, Adam at a constant 1e-4, dropout
0.5, the loss of eq. 3. Common to the CNNs (4.2.2): batches of 50 frames, the same rate and dropout.
"""

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, Published, TrainingConfig

AFF_WILD = "Aff-Wild, test set"
_SEQUENCES = TrainingConfig(batch_size=4, window=80, learning_rate=1e-4)
_FRAMES = TrainingConfig(batch_size=50, window=1, learning_rate=1e-4)
# Without recurrence the window does not matter to the result, only to how many frames are read at once.
_SCORED_FRAMES = EvaluationConfig(batch_size=1, window=80)
_STAGES_NOTE = "Starts from random weights unless weights are given; the paper starts from VGG-Face or ImageNet."


def _published(table: str, row: str, ccc: tuple[float, float], mse: tuple[float, float]) -> tuple[Published, ...]:
    scores = {
        name: {"valence": valence, "arousal": arousal} for name, (valence, arousal) in (("ccc", ccc), ("mse", mse))
    }
    return (Published("ijcv2019", table, row, AFF_WILD, scores),)


EXPERIMENTS = (
    Experiment(
        name="ijcv2019/affwildnet_vggface",
        title="AffWildNet: VGG-Face, landmarks, FC 4096, two GRU layers (table 6)",
        model=ModelConfig(trunk="vgg16", landmarks=True, hidden=(4096,), recurrent="gru"),
        training=_SEQUENCES,
        published=_published("9", "AffWildNet", (0.57, 0.43), (0.08, 0.06)),
        notes=_STAGES_NOTE,
    ),
    Experiment(
        name="ijcv2019/affwildnet_resnet50",
        title="AffWildNet on ResNet-50: landmarks, FC 1500, two GRU layers (table 6)",
        model=ModelConfig(trunk="resnet50", landmarks=True, hidden=(1500,), recurrent="gru"),
        training=_SEQUENCES,
        notes=_STAGES_NOTE + " The paper gives no numbers of this variant on Aff-Wild.",
    ),
    Experiment(
        name="ijcv2019/vggface",
        title="CNN alone: VGG-Face, landmarks, FC 4096, FC 4096 (table 16)",
        model=ModelConfig(trunk="vgg16", landmarks=True, hidden=(4096, 4096)),
        training=_FRAMES,
        evaluation=_SCORED_FRAMES,
        published=_published("7", "Mean of annotators, with landmarks", (0.51, 0.33), (0.10, 0.08)),
        notes=_STAGES_NOTE,
    ),
    Experiment(
        name="ijcv2019/cnn_m",
        title="The challenge's baseline: CNN-M, FC 4096 (table 15)",
        model=ModelConfig(trunk="cnn_m", hidden=(4096,), dropout=0.0),
        training=TrainingConfig(batch_size=80, window=1, learning_rate=1e-3, loss="mse"),
        evaluation=_SCORED_FRAMES,
        published=_published("5", "Baseline", (0.150, 0.100), (0.130, 0.140)),
        notes="Starts from random weights; the paper starts from FaceValue weights. It names no loss and no dropout: "
        "mean squared error, its second criterion, and none.",
    ),
)
