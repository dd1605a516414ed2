"""Predicts valence and arousal for every frame of a video, of each video in a folder, of images, or of a camera.

python -m affwildnet.predict VIDEO --model=runs/demo --output=runs/demo/predicted [--overlay] [--faces=all]
"""

import os
import sys
from pathlib import Path

from absl import app, flags, logging

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.quiet import import_tensorflow

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "A .keras file, a working directory of train.py, or a SavedModel.")
flags.DEFINE_string("output", None, "Folder for the tables, pictures and videos.")
flags.DEFINE_integer("camera", None, "Number of a camera to predict from, until Ctrl-C.")
flags.DEFINE_enum("faces", "one", ["one", "all"], "One face at a time, or all faces of each frame.")
flags.DEFINE_bool("overlay", False, "Write a video with faces, landmarks and predictions drawn into it.")
flags.DEFINE_bool("overwrite", False, "Replace files of an earlier prediction.")
flags.DEFINE_float("seconds", None, "Predict only the first so many seconds.")
flags.DEFINE_float("image_fps", 25.0, "Frames per second of a folder of images.")
flags.DEFINE_integer("every", 10, "Search every n-th image whole, follow faces in between.")
flags.DEFINE_integer("upsample", 0, "Double the image so many times to find small faces.")
flags.DEFINE_string("yunet_model", None, "Find faces with this YuNet model instead of dlib's detector.")
flags.DEFINE_string("landmark_model", None, "Path of the 68-point model.")
flags.DEFINE_string("alignment", None, "crop or procrustes, where the model's file does not say it.")
flags.DEFINE_float("margin", None, "Widening of the face's box on each side, where the model's file does not say it.")
flags.DEFINE_string("precision", None, "float32 or bfloat16. Default: what the model's file says.")
flags.DEFINE_integer("gpu", None, "Number of the GPU; -1 is the CPU. Default: the first GPU, if any.")
flags.mark_flags_as_required(["model", "output"])


def main(arguments: list[str]) -> int:
    logging.set_verbosity(logging.WARNING)
    return exit_status(lambda: _predict(arguments[1:]))


def _predict(paths: list[str]) -> int:
    if len(paths) + (FLAGS.camera is not None) != 1:
        raise UserError(
            "One video, folder of videos or folder of images must be named, or `--camera`. "
            f"Received: {' and '.join([*paths, *(['--camera'] if FLAGS.camera is not None else [])]) or 'none'}."
        )
    if FLAGS.upsample < 0:
        raise UserError(f"`--upsample` must be at least 0. Received: {FLAGS.upsample}")
    from affwildnet.predict.frame_sources import camera, find_sources

    sources = find_sources(Path(paths[0]), FLAGS.image_fps) if paths else [camera(FLAGS.camera)]
    import_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(FLAGS.gpu), flush=True)
    from affwildnet.predict.predict_source import PredictOptions, predict_all
    from affwildnet.predict.predictor import FaceFinder, Predictor

    options = PredictOptions(
        Path(FLAGS.output), FLAGS.faces, FLAGS.every, FLAGS.overlay, FLAGS.overwrite, FLAGS.seconds
    )
    finder = FaceFinder(FLAGS.upsample, FLAGS.yunet_model, FLAGS.landmark_model)
    predictor = Predictor.load(
        FLAGS.model, alignment=FLAGS.alignment, margin=FLAGS.margin, precision=FLAGS.precision, finder=finder
    )
    print(predictor.description, flush=True)
    failed = 0
    for source, outcome in predict_all(sources, predictor, options):
        if isinstance(outcome, Exception):
            failed += 1
            print(f"error: {outcome}", file=sys.stderr, flush=True)
        else:
            print(outcome.summary(source.where), flush=True)
    if len(sources) > 1:
        print(f"{len(sources) - failed} of {len(sources)} videos predicted" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
