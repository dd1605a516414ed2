"""The baselines as experiments. Needs nothing of TensorFlow."""

from dataclasses import replace
from pathlib import Path

from affwildnet import experiments
from affwildnet.experiments.config import DataConfig, Experiment
from affwildnet.experiments.overrides import override
from tfrecords_tools.records import manifest

# Checkpoints of CNN-M to choose from on the validation split.
CHECKPOINTS = 10

SIFT_SVR = Experiment(
    name="baselines/sift_svr",
    title="SIFT descriptors of the face and support vector regression (cvprw2017 chapter 4)",
    notes="The paper gives no numbers for it, nor the descriptors and settings: see sift_svr.py.",
)


def cnn_m(data_dir: Path, settings: list[str]) -> Experiment:
    """Return the challenge's baseline CNN-M (ijcv2019 A.1) for the faces of a packed corpus.

    Args:
      settings: overridden fields of the experiment, such as "training.steps=2000".

    Raises:
      UserError: if there is no corpus, or as `experiments.overrides.override`.
    """
    experiment = experiments.get("ijcv2019/cnn_m")
    size = manifest.load(data_dir).image_size
    # A baseline is for any corpus.
    experiment = replace(experiment, model=replace(experiment.model, image_size=size), data=DataConfig())
    experiment = override(experiment, settings)
    # Trainer and watcher run one after the other here, so that all checkpoints must be kept until they are scored.
    every = -(-experiment.training.steps // CHECKPOINTS)
    return replace(
        experiment, training=replace(experiment.training, checkpoint_steps=every, keep_checkpoints=CHECKPOINTS)
    )
