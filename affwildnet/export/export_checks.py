"""What an export needs of its arguments and of files, checked before TensorFlow is loaded: that takes a while."""

import importlib.util
import logging
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from affwildnet.data.corpus import Corpus
from affwildnet.runs import best, checkpoint_files
from affwildnet.runs import card as network_card
from affwildnet.runs.card import MEMBER, SAVED_MODEL, Card
from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import check_place
from tfrecords_tools.files.exchange import FOLDER
from tfrecords_tools.records import manifest

_log = logging.getLogger(__name__)

# By the name of a format: the file that every export of it has, which distinguishes it from other folders.
MARKERS = {"saved_model": SAVED_MODEL, "onnx": MEMBER, "tflite_float16": MEMBER, "tflite_int8": MEMBER}
_ONNX = ("tf2onnx", "onnx", "onnxruntime")


def check(model: Path, output: Path, formats: Iterable[str], data_dir: Path | None, split: str) -> None:
    """Raise a `UserError` for whatever can be known to keep a network from being exported; see `export_model`."""
    folders_of(output, formats)
    check_place(output)
    path = best.model_file(model)
    card = card_of(path, data_dir, quietly=True)
    checkpoint_files.check_archive(path)
    if data_dir is not None:
        Corpus.open(data_dir, split, card.image_size)


def folders_of(output: str | os.PathLike, formats: Iterable[str]) -> dict[str, Path]:
    """Return the folder of each format by its name.

    Raises:
      UserError: if there is no such format, a package for it is missing, or something else is in its folder.
    """
    folders = {}
    for name in dict.fromkeys(formats):
        check_choice("formats", name, MARKERS)
        if name == "onnx":
            check_onnx()
        folders[name] = Path(output) / name
        check_export_folder(folders[name], MARKERS[name])
    return folders


def check_export_folder(folder: Path, marker: str) -> None:
    """Raise a `UserError` if `folder` holds something, but not the file `marker`, which every earlier export has."""
    if (folder / FOLDER).is_dir():
        return  # an export was killed there: `replacing` completes it first
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if os.path.lexists(folder) and not (folder / marker).is_file():
        what = "a folder without it" if folder.is_dir() else "a file"
        raise UserError(
            f"{folder}: must be a new folder or an earlier export, which holds {marker}. Received: {what}. "
            "Delete it, or choose another one."
        )


def check_onnx() -> None:
    """Raise a `UserError` unless the packages that write and run ONNX files are installed."""
    missing = [name for name in _ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'ONNX files need {", ".join(missing)}: pip install -e ".[onnx]"')


def card_of(path: Path, data_dir: Path | None, quietly: bool = False) -> Card:
    """Return the card of a `.keras` file; for a file without one, the card of the packed corpus.

    Raises:
      UserError: if there is neither, or the file is not one that Keras wrote.
    """
    try:
        card = network_card.read(path)
    except zipfile.BadZipFile:
        raise UserError(f"{path}: must be a .keras file. Received: a file of another kind, or one cut off.") from None
    if card is not None:
        return card
    if data_dir is None:
        raise UserError(
            f"{path}: must say how crops were cut out for it ({MEMBER} inside the file). Received: a file "
            "without. Name the packed corpus that it was trained on with `data_dir`."
        )
    if not quietly:
        _log.info(f"{path}: does not say how crops were cut out for it; taken from {data_dir}")
    return Card.of(manifest.load(data_dir))
