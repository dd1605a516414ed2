"""AFEW-VA: clips as folders of images, `<01..12>/<clip>/00000.png`, and `<01..12>/<clip>/<clip>.json` beside them.

The JSON has `actor`, and `frames` by the images' names, which begin at 0: each with `valence` and `arousal`, integers
from -10 to 10, here divided by 10 (ijcv2019 section 5.1.2), and 68 `landmarks` in pixels, whose extent is the face's
box.

The dataset has no splits: all clips are `train` with the actor as subject, and the packed corpus is divided into folds
by subject. Films have 25 frames a second.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.files.tables import read_text, to_number
from tfrecords_tools.layouts import pts, tree
from tfrecords_tools.layouts.labels import Labels, NumberedLabels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS, LANDMARKS

RANGE = 10
FPS = 25.0
FIRST = 0  # number of the first image; frame numbers are one more


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the clips, sorted, and what is left out.

    Raises:
      UserError: if there is no clip at all.
    """
    annotations = [path for path in tree.files(source, (".json",)) if path.stem == path.parent.name]
    described, twice = tree.by_name(annotations)
    left_out = [LeftOut(name, "train", reason) for name, reason in sorted(twice.items())]
    videos = []
    for name, path in sorted(described.items()):
        try:
            actor = _read(path).get("actor")
            if not tree.numbered(path.parent):
                raise UserError(f"{path.parent}: must hold images such as 00000.png. Received: none.")
        except UserError as error:
            left_out.append(LeftOut(name, "train", str(error)))
            continue
        videos.append(
            VideoSource(
                name,
                "train",
                str(actor).strip() if actor else name,
                path.parent,
                partial(read_labels, path),
                partial(read_faces, path),
                which="annotated",
                fps=FPS,
                first=FIRST,
            )
        )
    folders = {path.parent for path in annotations}
    for folder in tree.folders_of_images(source):
        if folder not in folders:
            left_out.append(LeftOut(folder.name, "train", f"{folder / folder.name}.json: no annotation for this clip"))
    if not videos:
        raise UserError(f"{source}: no clips. The layout afew_va needs 01/001/001.json beside 01/001/00000.png.")
    return videos, left_out


def read_labels(path: Path) -> Labels:
    """Read the labels of one clip, valence and arousal from -1 to 1; a frame that is not in the file has NaN.

    Raises:
      UserError: naming the file and the frame.
    """
    frames = _frames(path)
    values = np.full((max(frames), 2), np.nan, np.float32)
    for number, (key, entry) in frames.items():
        for column, name in enumerate(DIMENSIONS):
            place = f"{path}, frame {key}, `{name}`"
            values[number - 1, column] = to_number(str(entry.get(name)), place, -RANGE, RANGE) / RANGE
    return NumberedLabels(values)


def read_faces(path: Path) -> Faces:
    """Read the landmarks of one clip; a frame with none has no face.

    Raises:
      UserError: naming the file and the frame.
    """
    landmarks = {}
    for number, (key, entry) in _frames(path).items():
        if not entry.get("landmarks"):
            continue
        try:
            points = np.array(entry["landmarks"])
        except (TypeError, ValueError):
            points = np.empty(0)
        is_number = np.issubdtype(points.dtype, np.integer) or np.issubdtype(points.dtype, np.floating)
        if points.shape != (LANDMARKS, 2) or not is_number or not (np.abs(points) <= pts.REACH).all():
            raise UserError(f"{path}, frame {key}: `landmarks` must be {LANDMARKS} pairs of numbers, in pixels.")
        landmarks[number] = points.astype(np.float32)
    return Faces({number: pts.extent(points) for number, points in landmarks.items()}, landmarks)


def _frames(path: Path) -> dict[int, tuple[str, dict]]:
    """Return (key in the file, its entry) by 1-based frame number."""
    frames = _read(path)["frames"]
    for key, entry in frames.items():
        if not (key.isascii() and key.isdecimal() and len(key) <= 6 and isinstance(entry, dict)):
            raise UserError(f"{path}, frame {key}: must be a number such as 00012 with an object.")
    found = {int(key) + 1 - FIRST: (key, entry) for key, entry in frames.items()}
    if len(found) < len(frames):
        raise UserError(f"{path}: each frame must have one entry.")
    return found


def _read(path: Path) -> dict:
    text = read_text(path)
    try:
        clip = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: must be JSON. Received: {str(error)[:80]}") from None
    if not isinstance(clip, dict) or not isinstance(clip.get("frames"), dict) or not clip["frames"]:
        raise UserError(f"{path}: must be an object with `frames`, an object that has at least one.")
    if str(clip.get("video_id", path.stem)) != path.stem:
        raise UserError(f"{path}: `video_id` must be the clip's name. Received: {str(clip['video_id'])[:40]}")
    return clip
