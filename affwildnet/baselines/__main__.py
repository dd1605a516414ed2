"""Trains the baselines on a packed corpus, scores them, and writes a report of each.

python -m affwildnet.baselines --data_dir=data/aff_wild --workdir=runs/baselines [--split=test]
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from affwildnet.runs import folds
from affwildnet.runs.run import Run
from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import schema

NAMES = ("sift_svr", "cnn_m")

FLAGS = flags.FLAGS
flags.DEFINE_string("data_dir", None, "Folder of the packed corpus.", required=True)
flags.DEFINE_string("workdir", None, "Where the baselines go, each in a folder of its name.", required=True)
flags.DEFINE_multi_enum("only", NAMES, NAMES, "Which of them.")
flags.DEFINE_enum("split", "test", schema.SPLITS, "What is scored.")
flags.DEFINE_integer("fold", None, "The fold whose splits are used, from 1 on. Default: the corpus's own splits.")
flags.DEFINE_string("folds", None, "With --fold: the file of the folds. Default: folds.json in --data_dir.")
flags.DEFINE_integer("svr_frames", 4000, "Frames of the training split that the SVR is fitted on, at most.")
flags.DEFINE_multi_string("set", [], "A field of the experiment of CNN-M, such as training.steps=2000.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its every saved file
    return exit_status(lambda: _baselines(arguments[1:]))


def _baselines(more: list[str]) -> int:
    if stray := [argument for argument in more if "=" not in argument]:
        raise UserError(f"Only `name=value` may follow the flags. Received: {' '.join(stray)}")
    if FLAGS.svr_frames < 2:
        raise UserError(f"`--svr_frames` must be at least 2. Received: {FLAGS.svr_frames}")
    import_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(FLAGS.gpu), flush=True)
    from affwildnet.baselines import baseline_runs

    data_dir, workdir = Path(FLAGS.data_dir), Path(FLAGS.workdir)
    fold = folds.chosen(data_dir, FLAGS.fold, Path(FLAGS.folds) if FLAGS.folds else None)
    reports = {}
    if "sift_svr" in FLAGS.only:
        settings = baseline_runs.Settings(frames=FLAGS.svr_frames)
        run = Run(baseline_runs.SIFT_SVR, data_dir, fold=fold)
        reports["SIFT + SVR"] = baseline_runs.sift_svr(run, workdir / "sift_svr", FLAGS.split, settings)
    if "cnn_m" in FLAGS.only:
        run = Run(baseline_runs.cnn_m_experiment(data_dir, FLAGS.set + more), data_dir, fold=fold)
        reports["CNN-M"] = baseline_runs.cnn_m(run, workdir / "cnn_m", FLAGS.split)
    print(baseline_runs.table(reports))
    return 0


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
