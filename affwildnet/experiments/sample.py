"""An AffWildNet for the synthetic sample corpus (`make demo`), small enough to train on two CPU cores.

    python train.py --experiment=sample/affwildnet --data_dir=data/sample_packed --workdir=runs/demo

It trains in a few minutes. What it learns from two animated portraits says nothing about people.
"""

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="sample/affwildnet",
        title="AffWildNet an eighth as wide, for the sample corpus",
        corpus="the sample corpus",
        model=ModelConfig(
            backbone="vgg16",
            image_size=64,
            width=0.125,
            landmarks=True,
            standardise_landmarks=True,
            hidden=(512,),
            dropout=0.1,
            recurrent="gru",
            recurrent_units=(256, 256),
            recurrent_dropout=0.0,
        ),
        training=TrainingConfig(
            batch_size=8,
            window=20,
            steps=1000,
            learning_rate=8e-4,
            decay_rate=0.9,
            decay_steps=75,
            clip_norm=1.0,
            flip=True,
            colour_jitter=0.2,
            landmark_jitter=0.003,
            checkpoint_steps=100,
        ),
        evaluation=EvaluationConfig(batch_size=2, window=120, carry_state=True, patience=5),
        notes="Settings chosen on the validation clips; docs/demo.md lists what was tried. With short windows a batch "
        "holds eight clips, and its CCC varies less; in evaluation the state is carried through a clip, so that no "
        "curve jumps where a window ends. So narrow a network underfits: it drops little. Noise on the landmarks as "
        "large as what is to be seen in them would hide it, so there is little. Crops of 64 pixels take half the time "
        "of 96.",
    ),
)
