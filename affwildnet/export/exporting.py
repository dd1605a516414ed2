"""Exporting a trained network to one or several formats, each in a folder of its name."""

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras

from affwildnet.data import Corpus
from affwildnet.export import export_checks, format_scores
from affwildnet.export.export_folders import check_replaceable
from affwildnet.export.exported_functions import functions_of
from affwildnet.export.format_scores import FormatRunner
from affwildnet.export.formats import FORMATS
from affwildnet.runs import best, checkpoints
from affwildnet.runs.card import Card
from tfrecords_tools.errors import count
from tfrecords_tools.errors.room import needing
from tfrecords_tools.files import folder_at

_log = logging.getLogger(__name__)

# About the bytes of an export beside the weights: graphs, and what describes them.
_OTHER_PARTS = 2_000_000


@dataclass(frozen=True)
class Export:
    """What `export_model` wrote.

    Attributes:
      folders: the folder of each format, by name.
      sizes: bytes that a program needs to run each format.
      scores: a table of each format's scores, as lines of text; "" if none were asked for.
    """

    folders: dict[str, Path]
    sizes: dict[str, int]
    scores: str = ""


def export_model(
    model: keras.Model | str | os.PathLike,
    output: str | os.PathLike,
    formats: Iterable[str] = ("saved_model",),
    *,
    card: Card | None = None,
    data_dir: str | os.PathLike | None = None,
    split: str = "test",
    overwrite: bool = False,
) -> Export:
    """Export a trained network for other programs, and compare the scores of the formats if `data_dir` is given.

    Args:
      model: a network, a `.keras` file, or the working directory of a run (its best checkpoint).
      output: folder in which each format gets a folder of its name.
      formats: names of `FORMATS`: "saved_model", "onnx", "tflite_float16", "tflite_int8".
      card: how crops were cut out for the network; by default what its file says.
      data_dir: a packed corpus to score every format on, beside the network itself. A file without a card is described
        by this corpus.
      split: the split to score on.
      overwrite: whether an export of another network may be replaced; one of the same network always is.

    Returns:
      What was written. Each format is logged when it is done.

    Raises:
      UserError: if an argument cannot be used, a package is missing, or a folder cannot be written. All arguments are
        checked before anything is written.

    Example:
      >>> export_model("runs/demo", "runs/demo/exported", ["saved_model", "onnx"]).folders["onnx"]
      PosixPath('runs/demo/exported/onnx')
    """
    folders = export_checks.folders_of(output, [formats] if isinstance(formats, str) else formats)
    data_dir = None if data_dir is None else folder_at(data_dir)
    path = None if isinstance(model, keras.Model) else best.model_file(Path(model))
    if path is not None and card is None:
        card = export_checks.card_of(path, data_dir)
    network = model if path is None else checkpoints.load(path)
    for name, folder in folders.items():
        check_replaceable(folder, FORMATS[name].marker, network, card, overwrite)
    functions = functions_of(network)
    corpus = None
    if data_dir is not None:
        corpus = Corpus.open(data_dir, split, functions.signature.image_size)
        format_scores.check_scorable(corpus, functions)
    own = sum(weight.nbytes for weight in network.get_weights())
    sizes, provenance = {}, {} if path is None else {"checkpoint": path.name}
    for name, folder in folders.items():
        began = time.monotonic()
        with needing(_OTHER_PARTS + own):  # the largest format has the weights once
            FORMATS[name].write(network, folder, provenance, card, overwrite)
        sizes[name] = FORMATS[name].size(folder)
        _log.info(f"{name:<16}{sizes[name] / 1e6:8.2f} MB{time.monotonic() - began:7.1f} s  {folder}")
    if corpus is None:
        return Export(folders, sizes)
    runners = {"network": FormatRunner(format_scores.keras_step(functions))}
    for name, folder in folders.items():
        runners[name] = FormatRunner(FORMATS[name].load(folder), FORMATS[name].one_frame)
    format_scores.score_formats(corpus, functions, runners)
    frames, videos = count(corpus.frames_labelled, "labelled frame"), count(len(corpus.videos), f"{split} video")
    title = f"{frames} of {videos}, CCC:"
    return Export(folders, sizes, f"{title}\n{format_scores.score_table(runners, {'network': own, **sizes})}")
