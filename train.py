"""Trains an experiment.

python train.py --experiment=ijcv2019/affwildnet_vggface --data_dir=data/aff_wild --workdir=runs/aff_wild --gpu=0

Where the experiment has stages, all of them in order, or with --stage=NAME that one.
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from affwildnet import experiments
from affwildnet.experiments.overrides import override
from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow

FLAGS = flags.FLAGS
flags.DEFINE_string("experiment", None, "Name of the experiment; `python -m affwildnet.experiments` lists them.")
flags.DEFINE_string("data_dir", None, "Folder of the packed corpus.")
flags.DEFINE_string("workdir", None, "Where checkpoints and logs go; a training begun there goes on.")
flags.DEFINE_multi_string("set", [], "A field of the experiment, such as training.batch_size=2; more may follow.")
flags.DEFINE_string("stage", "", "The one stage to run of an experiment with stages. Default: all, in order.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")
flags.mark_flags_as_required(["experiment", "data_dir", "workdir"])


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its every saved file
    return exit_status(lambda: _train(arguments[1:]))


def _train(more: list[str]) -> int:
    if stray := [argument for argument in more if "=" not in argument]:
        raise UserError(f"Only `name=value` may follow the flags. Received: {' '.join(stray)}")
    experiment = override(experiments.get(FLAGS.experiment), FLAGS.set + more)
    import_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(FLAGS.gpu))
    from affwildnet.training import train
    from affwildnet.workdir import Workdir

    return train(experiment, Path(FLAGS.data_dir), Workdir(Path(FLAGS.workdir)), FLAGS.stage)


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
