"""Scores a training's checkpoints: one of them, with a report, or each new one beside the trainer.

python evaluate.py --workdir=runs/aff_wild --watch --patience=10 --gpu=1
python evaluate.py --workdir=runs/aff_wild --split=test --checkpoint=best_mean --export=runs/aff_wild/saved_model
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from tfrecords_tools import schema
from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Working directory of train.py.", required=True)
flags.DEFINE_string("data_dir", None, "Folder of the packed corpus. Default: the one that train.py used.")
flags.DEFINE_enum("split", None, schema.SPLITS, "What to score. Default: validation.")
flags.DEFINE_string("checkpoint", "best_mean", "best_mean, best_valence, best_arousal, latest, or a .keras file.")
flags.DEFINE_bool("watch", False, "Score each new checkpoint until the trainer has finished.")
flags.DEFINE_integer("patience", None, "With --watch: stop after so many checkpoints without a better mean CCC.")
flags.DEFINE_float("timeout", 0, "With --watch: give up after so many minutes without a new checkpoint; 0 waits.")
flags.DEFINE_string("export", None, "Folder for a SavedModel of the checkpoint.")
flags.DEFINE_bool("compare", False, "Print the published rows beside the scores.")
flags.DEFINE_string("report", None, "A second place for the report's JSON.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its every saved file
    return exit_status(lambda: _evaluate(arguments[1:]))


def _evaluate(more: list[str]) -> int:
    _check_flags(more)
    import_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(FLAGS.gpu), flush=True)
    from affwildnet.evaluation import run
    from affwildnet.workdir import Workdir, write_json

    workdir = Workdir(Path(FLAGS.workdir))
    data_dir = Path(FLAGS.data_dir) if FLAGS.data_dir else None
    split = FLAGS.split or "validation"
    if FLAGS.watch:
        return run.watch(workdir, data_dir, split, FLAGS.patience, FLAGS.timeout)
    scored = run.once(workdir, data_dir, split, FLAGS.checkpoint)
    _show(scored)
    if FLAGS.report:
        write_json(Path(FLAGS.report), scored.report)
        print(f"{'report':<12}{FLAGS.report}")
    if FLAGS.export:
        from affwildnet.export import export

        keys = ("experiment", "checkpoint", "step", "versions")
        export(scored.model, Path(FLAGS.export), {key: scored.report[key] for key in keys})
        print(f"{'SavedModel':<12}{FLAGS.export}")
    return 0


def _check_flags(more: list[str]) -> None:
    if more:
        raise UserError(f"Nothing may follow the flags. Received: {' '.join(more)}")
    if FLAGS.watch and FLAGS.split not in (None, "validation"):
        raise UserError(f"`--watch` chooses checkpoints, so `--split` must be validation. Received: {FLAGS.split}")
    alone = ("export", "report", "compare", "checkpoint") if FLAGS.watch else ("patience", "timeout")
    for name in alone:
        if FLAGS[name].present:
            raise UserError(f"`--{name}` {'cannot be used with' if FLAGS.watch else 'needs'} `--watch`.")


def _show(scored) -> None:
    from affwildnet.evaluation.report import score_table

    report = scored.report
    print(
        f"{report['experiment']}, {report['checkpoint']}: {report['frames_scored']} of {report['frames_labelled']} "
        f"labelled frames of {report['videos']} {report['split']} videos scored"
    )
    print(score_table(report, published=FLAGS.compare))
    for name, path in scored.paths.items():
        print(f"{name:<12}{path}")


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
