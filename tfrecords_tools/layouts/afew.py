"""AFEW (EmotiW): `{Train,Val}/{Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/<clip>.avi`, one class per clip.

There is no valence and no arousal: the labels are NaN, and every frame of a clip has its class. The same name in both
splits is two clips, so the subject is the name with its split. A name in two classes of a split is left out: which
class is right is not known. The folders may also be named `Train_AFEW` and `Val_AFEW`.

The challenge's own face crops, where they lie beside the clips, are what is used: ijcv2019 section 5.2.1 (ii) takes
only those, "and not our own detection". They are `AlignedFaces_LBPTOP_Points[_Val]/Faces/<clip>/`, images whose names
end in a number: `I_1001.jpg` is frame 1, `1.jpg` too. A clip of a split that has crops, but none of this clip, is left
out with that reason. Take the folder `Faces` away to have the faces of all clips detected.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import utterance_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import EXPRESSIONS
from tfrecords_tools.video.images import IMAGE_FPS, IMAGE_SUFFIXES, read_image
from tfrecords_tools.video.reading import VIDEO_SUFFIXES, Frame

FOLDERS = {"Train": "train", "Val": "validation"}
CLASSES = {
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
CROPS = "AlignedFaces_LBPTOP_Points*/**/Faces/*"
FIRST_OF_THOUSAND = 1001  # the crops of a clip count from here


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the clips of both splits, sorted, and what is left out.

    Raises:
      UserError: if there is no clip at all.
    """
    videos, left_out = [], []
    for folder, split in FOLDERS.items():
        roots = [source / folder, source / f"{folder}_AFEW"]
        clips, twice = tree.by_name(path for root in roots for path in tree.files(root, VIDEO_SUFFIXES))
        crops, again = tree.by_name(path for root in roots for path in sorted(root.glob(CROPS)) if path.is_dir())
        left_out += [LeftOut(name, split, reason) for name, reason in sorted((again | twice).items())]
        for name, path in sorted(clips.items()):
            if name in again:
                continue
            expression = CLASSES.get(path.parent.name)
            if expression is None:
                reason = f"{path}: must lie in a folder that is one of {', '.join(CLASSES)}."
                left_out.append(LeftOut(name, split, reason))
                continue
            if crops and name not in crops:
                reason = f"{path}: has no crops, and the challenge's own crops of this split are what is used."
                left_out.append(LeftOut(name, split, reason))
                continue
            labels = partial(utterance_labels, np.nan, np.nan, EXPRESSIONS.index(expression))
            clip = VideoSource(name, split, f"{split}/{name}", path, labels, expression=True)
            videos.append(_cropped(clip, crops[name]) if crops else clip)
        for name in sorted(set(crops) - set(clips) - set(twice)):
            left_out.append(LeftOut(name, split, f"{crops[name]}: crops but no clip of this name, so that no class"))
    if not videos:
        raise UserError(
            f"{source}: no clips. The layout afew needs {{{','.join(FOLDERS)}}}/{{{','.join(CLASSES)}}}/<clip>.avi."
        )
    return videos, left_out


def read_crops(folder: Path) -> Iterator[Frame]:
    """Yield the challenge's crops of one clip.

    Raises:
      UserError: if there is none, or two have one number.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = re.search(r"[0-9]{1,6}$", path.stem)
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith(".") or number is None:
            continue
        if found.setdefault(int(number[0]), path) != path:
            raise UserError(f"{path}: a number must occur once. {found[int(number[0])].name} has it too: remove one.")
    if not found:
        raise UserError(f"{folder}: must hold images whose names end in a number, such as I_1001.jpg. Received: none.")
    before = FIRST_OF_THOUSAND - 1 if min(found) >= FIRST_OF_THOUSAND else 0 if min(found) else -1
    for number, path in sorted(found.items()):
        yield Frame(number - before, (number - before - 1) / IMAGE_FPS, read_image(path), number - before)


def _cropped(clip: VideoSource, folder: Path) -> VideoSource:
    return replace(clip, path=folder, cropped=True, fps=IMAGE_FPS, frames=partial(read_crops, folder))
