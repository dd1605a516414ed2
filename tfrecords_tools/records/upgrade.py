"""Bring a packed corpus of an earlier version to today's: the index of its records beside its manifest."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import local_path
from tfrecords_tools.files.exchange import Exchange
from tfrecords_tools.records import index, manifest, schema
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.reader import read_columns


def upgrade(folder: str | Path, progress: bool = False) -> bool:
    """Write the index of a corpus of an earlier version; return whether it was one.

    The records stay as they are. Each is read once, with its checksum; if any is damaged, or they are others than the
    manifest says, nothing changes.

    Args:
      folder: of the packed corpus.
      progress: whether to show a progress bar.

    Raises:
      UserError: if there is no readable corpus, its records are not those of its manifest, or nothing can be written
        there.
    """
    folder = local_path(folder)
    packed = manifest.load(folder)
    if packed.has_labels:
        return False
    with Exchange(folder) as exchange:
        shown = tqdm(packed.videos, unit="video", desc="upgrading", file=sys.stderr, disable=not progress)
        videos = tuple(_with_labels(folder, entry, packed) for entry in shown)
        manifest.save(dataclasses.replace(packed, videos=videos, schema_version=schema.SCHEMA_VERSION), exchange.new)
        exchange.complete([manifest.FILE_NAME, index.FILE_NAME], last=manifest.FILE_NAME)
    return True


def _with_labels(folder: Path, entry: VideoEntry, packed: Manifest) -> VideoEntry:
    names = ["frame", "label", *(["expression"] if packed.expression else [])]
    columns = read_columns(folder, entry, names, packed.fields)
    rows = index.rows(columns["frame"], np.asarray(entry.record_bytes), columns["label"], columns.get("expression"))
    _check(rows, entry, folder / entry.file)
    return dataclasses.replace(entry, index=rows)


def _check(rows: np.ndarray, entry: VideoEntry, path: Path) -> None:
    """Raise a `UserError` unless rows can be read again, and are of the frames that the manifest names."""
    try:
        for name, meant in (("frame", "frame numbers"), ("labelled", "labelled frames")):
            if not np.array_equal(rows[name], entry.index[name]):
                raise ValueError(f"the {meant} are not those of the manifest")
        index.check(rows, [entry.file_bytes], [entry.frames], len(schema.EXPRESSIONS))
    except ValueError as error:
        raise UserError(f"{path}: {error}. The corpus was not upgraded. Pack it again.") from None
