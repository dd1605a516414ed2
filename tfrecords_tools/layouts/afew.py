"""AFEW (EmotiW): `{Train,Val}/{Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/<clip>.avi`, one class per clip.

There is no valence and no arousal: the labels are NaN, and every frame of a clip has its class. The same name in both
splits is two clips, so the subject is the name with its split. A name in two classes of a split is left out: which
class is right is not known.
"""

from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import utterance_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.manifest import LeftOut
from tfrecords_tools.records.schema import EXPRESSIONS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

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


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the clips of both splits, sorted, and what is left out.

    Raises:
      UserError: if there is no clip at all.
    """
    videos, left_out = [], []
    for folder, split in FOLDERS.items():
        clips, twice = tree.by_name(tree.files(source / folder, VIDEO_SUFFIXES))
        left_out += [LeftOut(name, split, reason) for name, reason in sorted(twice.items())]
        for name, path in sorted(clips.items()):
            expression = CLASSES.get(path.parent.name)
            if expression is None:
                reason = f"{path}: must lie in a folder that is one of {', '.join(CLASSES)}."
                left_out.append(LeftOut(name, split, reason))
                continue
            labels = partial(utterance_labels, np.nan, np.nan, EXPRESSIONS.index(expression))
            videos.append(VideoSource(name, split, f"{split}/{name}", path, labels, expression=True))
    if not videos:
        raise UserError(
            f"{source}: no clips. The layout afew needs {{{','.join(FOLDERS)}}}/{{{','.join(CLASSES)}}}/<clip>.avi."
        )
    return videos, left_out
