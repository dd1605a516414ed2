"""Trains an experiment.

python train.py --experiment=ijcv2019/affwildnet_vggface --data_dir=data/aff_wild --workdir=runs/aff_wild --gpu=0

Where the experiment has stages, all of them in order, or with --stage=NAME that one. A cross-validation is trained
fold by fold, each in its own folder of the working directory:

python -m tfrecords_tools partition data/afew_va --folds=5 --output=data/afew_va/folds.json
for i in 1 2 3 4 5; do
  python train.py --experiment=ijcv2019/afew_va_affwildnet --data_dir=data/afew_va --workdir=runs/afew_va --fold=$i
done

On several devices, and on several machines, as docs/guides/devices.md says:

python train.py --experiment=ijcv2019/affwildnet_vggface --data_dir=data/aff_wild --workdir=runs/aff_wild --devices=all
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from affwildnet import experiments
from affwildnet.experiments.overrides import override
from affwildnet.runs import folds
from affwildnet.runs.folds import Fold
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow

FLAGS = flags.FLAGS
flags.DEFINE_string("experiment", None, "Name of the experiment; `python -m affwildnet.experiments` lists them.")
flags.DEFINE_string("data_dir", None, "Folder of the packed corpus.")
flags.DEFINE_string("workdir", None, "Where checkpoints and logs go; a training begun there goes on.")
flags.DEFINE_multi_string("set", [], "A field of the experiment, such as training.batch_size=2; more may follow.")
flags.DEFINE_string("stage", "", "The one stage to run of an experiment with stages. Default: all, in order.")
flags.DEFINE_integer("fold", None, "The fold to train, from 1 on, in the folder fold-<i> of --workdir. Default: none.")
flags.DEFINE_string("folds", None, "With --fold: the file of the folds. Default: folds.json in --data_dir.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")
flags.DEFINE_string("devices", "", "Several devices at once: all GPUs (all), some (0,1), or, to try it out, cpu:2.")
flags.mark_flags_as_required(["experiment", "data_dir", "workdir"])


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its every saved file
    return exit_status(lambda: _train(arguments[1:]))


def _train(more: list[str]) -> int:
    if stray := [argument for argument in more if "=" not in argument]:
        raise UserError(f"Only `name=value` may follow the flags. Received: {' '.join(stray)}")
    experiment = override(experiments.get(FLAGS.experiment), FLAGS.set + more)
    run = Run(experiment, FLAGS.data_dir, fold=_fold())
    import_tensorflow()
    from affwildnet.devices import choose_strategy

    strategy, told = choose_strategy(FLAGS.gpu, FLAGS.devices, os.environ.get("TF_CONFIG", ""))
    print(told, flush=True)
    from affwildnet.runs.workdir import Workdir
    from affwildnet.training import train

    workdir = Workdir(FLAGS.workdir)
    with strategy.scope():
        return train(run, workdir.of_fold(run.fold.number) if run.fold else workdir, FLAGS.stage)


def _fold() -> Fold | None:
    return folds.chosen(Path(FLAGS.data_dir), FLAGS.fold, Path(FLAGS.folds) if FLAGS.folds else None)


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
