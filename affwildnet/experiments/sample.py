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
            width=0.125,
            landmarks=True,
            standardise_landmarks=True,
            hidden=(512,),
            recurrent="gru",
        ),
        training=TrainingConfig(
            batch_size=8,
            window=20,
            steps=360,
            learning_rate=4e-4,
            decay_rate=0.9,
            decay_steps=25,
            clip_norm=1.0,
            flip=True,
            colour_jitter=0.2,
            landmark_jitter=0.01,
            checkpoint_steps=60,
        ),
        evaluation=EvaluationConfig(batch_size=2, window=120, patience=3),
        notes="Settings chosen on the validation clips. With short windows a batch holds eight clips, and its CCC "
        "varies less; longer windows in evaluation give the recurrent state more frames to settle. Landmarks are "
        "standardised and jittered, because fourteen clips are too few to learn their spread.",
    ),
)
