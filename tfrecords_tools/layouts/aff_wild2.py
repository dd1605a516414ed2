"""Aff-Wild2: annotations of valence and arousal, with crops or videos.

    annotations/VA_Set/{Training_Set,Validation_Set}/<name>[_left|_right].txt         later releases:
    annotations/VA_Estimation_Challenge/{Train_Set,Validation_Set}/<name>[_left|_right].txt
    cropped_aligned/<name>[_left|_right]/00001.jpg        face crops, used where a name has them, or
    videos/<name>.mp4                                     at any depth; <name> may lack its "-<fps>-<W>x<H>"

An annotation has the header `valence,arousal` and one row per frame: the first row is frame 1 and 00001.jpg. -5 in
either column marks an invalid frame, which has no label; so
does an empty row, or one with an empty cell. Frames without a face have no crop. Where two persons of a
video are annotated, each is a video of its own, with the left or the right face. The frame rate of crops is the one in
the name, else 30. Videos without an annotation of valence and arousal are skipped: the dataset has many.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

FOLDERS = {"Training_Set": "train", "Train_Set": "train", "Validation_Set": "validation"}
SETS = ("VA_Set", "VA_Estimation_Challenge")
INVALID = -5
CROPS_FPS = 30.0


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the annotated videos of both splits, sorted, and what is left out.

    Raises:
      UserError: if there is no annotation at all.
    """
    annotations = {split: _annotations(source, split) for split in ("train", "validation")}
    if not any(annotations.values()):
        raise UserError(
            f"{source}: no annotations. The layout aff_wild2 needs annotations/{'|'.join(SETS)}/{'|'.join(FOLDERS)}/"
            "<name>.txt, and cropped_aligned/<name>/00001.jpg or videos/<name>.mp4."
        )
    crops, _ = tree.by_name(tree.folders_of_images(source / "cropped_aligned"))
    files = tree.files(source / "videos", VIDEO_SUFFIXES)
    videos, left_out = [], []
    for split, paths in annotations.items():
        named, twice = tree.by_name(paths)
        other = {tree.name_of(path) for key, others in annotations.items() if key != split for path in others}
        left_out += [LeftOut(name, split, reason) for name, reason in sorted(twice.items())]
        for name, path in sorted(named.items()):
            try:
                if name in other:
                    raise UserError(f"{path}: a video must be in one split. Received: an annotation in both.")
                videos.append(_video(name, split, path, crops, files))
            except UserError as error:
                left_out.append(LeftOut(name, split, str(error)))
    return videos, left_out


def read_labels(path: Path) -> Labels:
    """Read one annotation; -5 gives NaN for both.

    Raises:
      UserError: naming file and line.
    """
    return Labels(np.array([_pair(row) for row in tables.read_rows(path, DIMENSIONS, keep_empty=True)], np.float32))


def _pair(row: tables.TableRow) -> list[float]:
    if not all(row.text(name) for name in DIMENSIONS):
        return [np.nan, np.nan]
    if any(row.number(name, -np.inf, np.inf) == INVALID for name in DIMENSIONS):
        return [np.nan, np.nan]
    return [row.number(name) for name in DIMENSIONS]


def _annotations(source: Path, split: str) -> list[Path]:
    return [
        path
        for path in tree.files(source / "annotations", (".txt",))
        if FOLDERS.get(path.parent.name) == split and path.parent.parent.name in SETS
    ]


def _video(name: str, split: str, annotation: Path, crops: dict[str, Path], files: list[Path]) -> VideoSource:
    labels = partial(read_labels, annotation)
    if name in crops:
        return VideoSource(name, split, name, crops[name], labels, cropped=True, fps=_rate(name))
    path, which = _file(name, files), "longest"
    side = re.fullmatch(r"(.+)_(left|right)", name)
    if path is None and side:
        path, which = _file(side[1], files), side[2]
    if path is None:
        raise UserError(f"{annotation}: an annotation but neither crops nor a video of this name.")
    return VideoSource(name, split, name, path, labels, which=which)


def _file(name: str, files: list[Path]) -> Path | None:
    pattern = re.compile(re.escape(name) + r"(-[0-9.]+-[0-9]+x[0-9]+)?")
    found = [path for path in files if pattern.fullmatch(path.stem)]
    found = [path for path in found if path.stem == name] or found
    if len(found) > 1:
        raise UserError(f"{' and '.join(map(str, found))}: one video must have the name {name}. Remove the others.")
    return found[0] if found else None


def _rate(name: str) -> float:
    rate = re.search(r"-([0-9]+(?:\.[0-9]+)?)-[0-9]+x[0-9]+", name)
    return float(rate[1]) if rate and float(rate[1]) > 0 else CROPS_FPS
