"""AffWildNet small enough to train on two CPU cores, for the synthetic sample corpus (`make demo`).

    python train.py --experiment=sample/affwildnet --data_dir=data/sample_packed --workdir=runs/demo

Trains in a few minutes on two cores. What it learns from two animated portraits says nothing about people.
"""

from affwildnet.experiments.config import EvaluationConfig, Experiment, ModelConfig, TrainingConfig

EXPERIMENTS = (
    Experiment(
        name="sample/affwildnet",
        title="AffWildNet an eighth as wide, for the sample corpus",
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
        notes="Chosen on the validation clips. Short windows put eight clips into a batch, whose CCC is then steadier; "
        "scoring in longer ones leaves the recurrent state more frames to settle. Landmarks are standardised and "
        "jittered, as fourteen clips are few to learn their spread from.",
    ),
)
