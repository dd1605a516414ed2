"""Folders of an export, whose files are exchanged as a whole: those of an earlier export, and no others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from affwildnet.export import description
from affwildnet.export.export_checks import check_export_folder
from affwildnet.models.network_digest import digest
from affwildnet.runs.card import ASSET, SAVED_MODEL, Card
from tfrecords_tools.errors import UserError
from tfrecords_tools.errors.failures import is_full_disk
from tfrecords_tools.files.exchange import FOLDER, Exchange


def check_replaceable(
    folder: Path, marker: str, model: keras.Model | None = None, card: Card | None = None, overwrite: bool = True
) -> None:
    """Raise a `UserError` as `export_checks.check_export_folder`, or if an export may not be replaced.

    Args:
      folder: a new folder, or one that an export may replace.
      marker: the file that every export of this format has.
      model: what will be exported.
      card: how crops are cut out for it.
      overwrite: whether an export of another network, or with another card, may be replaced.
    """
    check_export_folder(folder, marker)
    if model is not None:
        _check_same(folder, marker, model, card, overwrite)


def _check_same(folder: Path, marker: str, model: keras.Model, card: Card | None, overwrite: bool) -> None:
    if overwrite or not (folder / marker).is_file():
        return
    found = _described(folder)
    expected = json.loads(json.dumps(description.identity(digest(model), card)))
    if any(found.get(name) != value for name, value in expected.items()):
        which = ", ".join(str(found[name]) for name in ("experiment", "checkpoint") if found.get(name))
        raise UserError(
            f"{folder}: exists already, an export of another network{f' ({which})' if which else ''}. Replace it with "
            "`overwrite`, or choose another folder."
        )


def _described(folder: Path) -> dict:
    try:
        found = json.loads(
            (folder / (ASSET if (folder / SAVED_MODEL).is_file() else description.FILE)).read_text("utf-8")
        )
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def replacing(
    folder: Path, marker: str, model: keras.Model, card: Card | None = None, overwrite: bool = False
) -> Iterator[Path]:
    """Yield an empty folder, whose files take their places in `folder` at the end of the block.

    They replace files of the same names; others stay. On an error in the block, an earlier export stays.

    Args:
      folder, marker, model, card, overwrite: see `check_replaceable`.

    Raises:
      UserError: as `check_replaceable`, or if the folder cannot be written.
    """
    check_replaceable(folder, marker)
    try:
        with Exchange(folder) as exchange:
            if any(path.name != FOLDER for path in folder.iterdir()) and not (folder / marker).is_file():
                raise UserError(f"{folder}: must be a new folder or an earlier export. Choose another one.")
            _check_same(folder, marker, model, card, overwrite)
            yield exchange.new
            exchange.complete(last=marker)
    except OSError as error:
        if is_full_disk(error):
            raise
        raise UserError(f"{folder}: cannot be written ({error}). Choose another folder, or make room.") from None
