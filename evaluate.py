"""Scores a training's checkpoints: one of them, with a report, or each new one beside the trainer.

python evaluate.py --workdir=runs/aff_wild --watch --patience=10 --gpu=1
python evaluate.py --workdir=runs/aff_wild --split=test --checkpoint=best_mean --export=runs/aff_wild/saved_model
python evaluate.py --workdir=runs/aff_wild --split=test --against=runs/other --compare
python evaluate.py --workdir=runs/fused --fuse=runs/aff_wild,runs/other --split=test
python evaluate.py --workdir=runs/afew_va --split=test --folds
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import schema

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
flags.DEFINE_string("against", None, "Another working directory, scored on the same frames; tells the difference.")
flags.DEFINE_bool("folds", False, "Score the folds that train.py --fold has trained here, each and together.")
flags.DEFINE_list("fuse", [], "Working directories whose networks are fused into a new one, --workdir.")
flags.DEFINE_integer(
    "overlap", None, "Frames that a window has in common with the one before; predictions are averaged."
)
flags.DEFINE_bool("carry_state", None, "Carry the recurrent state from window to window: a video is one sequence.")
flags.DEFINE_multi_string("set", [], "A field of evaluation, such as evaluation.window=40.")
flags.DEFINE_integer("resamples", 1000, "Bootstrap samples of the videos for the intervals; 0 leaves them out.")
flags.DEFINE_string("predictions", None, "Also write the predictions as aff_wild2, image_location, omg or frames.")
flags.DEFINE_string("report", None, "A second place for the report's JSON.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")
flags.DEFINE_string("devices", "", "Several devices at once: all GPUs (all), some (0,1), or, to try it out, cpu:2.")

# What only the one or the other of the two ways to evaluate knows.
_ONCE = (
    "export",
    "report",
    "compare",
    "checkpoint",
    "against",
    "folds",
    "fuse",
    "overlap",
    "carry_state",
    "set",
    "resamples",
    "predictions",
    "devices",
)
_WATCH = ("patience", "timeout")


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its every saved file
    return exit_status(lambda: _evaluate(arguments[1:]))


def _evaluate(more: list[str]) -> int:
    _check_flags(more)
    import_tensorflow()
    from affwildnet.devices import choose_strategy
    from affwildnet.runs.workdir import Workdir

    strategy, told = choose_strategy(FLAGS.gpu, FLAGS.devices)
    print(told, flush=True)
    workdir = Workdir(Path(FLAGS.workdir))
    data_dir = Path(FLAGS.data_dir) if FLAGS.data_dir else None
    if FLAGS.watch:
        from affwildnet.evaluation.watching import watch

        return watch(workdir, data_dir, FLAGS.patience, FLAGS.timeout)
    from affwildnet.evaluation import fused_run, scored_run
    from affwildnet.evaluation.trained import Choices

    split = FLAGS.split or ("test" if FLAGS.folds else "validation")
    choices = Choices(split, FLAGS.checkpoint, data_dir, _settings(), FLAGS.resamples, strategy)
    if FLAGS.fuse:
        fused_run.fuse([Path(path) for path in FLAGS.fuse], workdir, choices)
    score = scored_run.folds if FLAGS.folds else scored_run.once
    outcome = score(workdir, choices, Workdir(Path(FLAGS.against)) if FLAGS.against else None)
    _show(outcome)
    _write_more(outcome)
    return 0


def _settings() -> list[str]:
    flags_of = {"overlap": FLAGS.overlap, "carry_state": FLAGS.carry_state}
    return [*FLAGS.set, *(f"evaluation.{name}={value}" for name, value in flags_of.items() if value is not None)]


def _write_more(outcome) -> None:
    from affwildnet.runs.json_files import write_json

    predicted = outcome.predicted
    if FLAGS.predictions:
        from affwildnet.evaluation.reporting import submissions

        path = outcome.paths["report"].with_name(f"predictions-{FLAGS.predictions}-{predicted.final.split}")
        path = path if FLAGS.predictions == "aff_wild2" else path.with_suffix(".csv")
        config = predicted.experiment.evaluation
        told = submissions.write(predicted.final, FLAGS.predictions, path, predicted.corpus, config)
        print("\n".join([f"{'predictions':<12}{path}", *told]))
    if FLAGS.report:
        write_json(Path(FLAGS.report), outcome.report)
        print(f"{'report':<12}{FLAGS.report}")
    if FLAGS.export:
        from affwildnet.export import saved_model
        from affwildnet.runs import card

        keys = ("experiment", "checkpoint", "step", "versions")
        provenance = {key: outcome.report[key] for key in keys}
        saved_model.write(predicted.model, Path(FLAGS.export), provenance, card.read(predicted.checkpoint))
        print(f"{'SavedModel':<12}{FLAGS.export}")


def _check_flags(more: list[str]) -> None:
    if more:
        raise UserError(f"Nothing may follow the flags. Received: {' '.join(more)}")
    if FLAGS.watch and FLAGS.split not in (None, "validation"):
        raise UserError(f"`--watch` chooses checkpoints, so `--split` must be validation. Received: {FLAGS.split}")
    for name in _ONCE if FLAGS.watch else _WATCH:
        if FLAGS[name].present:
            raise UserError(f"`--{name}` {'cannot be used with' if FLAGS.watch else 'needs'} `--watch`.")
    if FLAGS.resamples < 0:
        raise UserError(f"`--resamples` must be at least 0. Received: {FLAGS.resamples}")
    if FLAGS.folds:
        for name in ("fuse", "export"):
            if FLAGS[name].present:
                raise UserError(
                    f"`--{name}` is of one network, and cannot be used with `--folds`, which scores several."
                )


def _show(outcome) -> None:
    from affwildnet.evaluation.reporting.score_tables import score_table

    report = outcome.report
    print(
        f"{report['experiment']}, {report['checkpoint']}: {report['frames_scored']} of {report['frames_labelled']} "
        f"labelled frames of {report['videos']} {report['split']} videos scored"
    )
    print(score_table(report, published=FLAGS.compare))
    for name, path in outcome.paths.items():
        print(f"{name:<12}{path}")


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
