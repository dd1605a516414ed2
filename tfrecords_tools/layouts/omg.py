"""OMG-Emotion: three tables, and clips `<video>/utterance_<N>.mp4` below folders of any name.

    omg_TrainVideos.csv, omg_ValidationVideos.csv, omg_TestVideos_WithLabels.csv
        link,start,end,video,utterance,arousal,valence,EmotionMaxVote

Arousal comes first, and is from 0 to 1; valence is from -1 to 1 (omg2019 section 3.3). Both stay as they are. An
utterance has one label and one class, which every frame of its clip gets. A video's name is `<video>_utterance_<N>`,
its subject is the video. `start` and `end` are seconds of the video that the clip was cut from, and are not used.

A clip below a folder whose name begins with train, valid or test belongs to that split only.
"""

from functools import partial
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import utterance_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

TABLES = {
    "train": "omg_TrainVideos.csv",
    "validation": "omg_ValidationVideos.csv",
    "test": "omg_TestVideos_WithLabels.csv",
}
LABEL_RANGE = {"valence": (-1.0, 1.0), "arousal": (0.0, 1.0)}
COLUMNS = ("video", "utterance", "arousal", "valence", "EmotionMaxVote")
# EmotionMaxVote 0 to 6 is anger, disgust, fear, happy, neutral, sad, surprise: the order of `schema.EXPRESSIONS`.
CLASSES = 7


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the utterances of the splits whose table is there, in its order, and what is left out.

    Raises:
      UserError: if there is no table, or one lacks a column.
    """
    present = {split: source / name for split, name in TABLES.items() if (source / name).is_file()}
    if not present:
        raise UserError(f"{source}: the layout omg needs {', '.join(TABLES.values())}, or one of them. Received: none.")
    clips: dict[tuple[str, str], list[Path]] = {}
    for path in tree.files(source, VIDEO_SUFFIXES):
        clips.setdefault((path.parent.name, path.stem), []).append(path)
    videos, left_out, used = [], [], {}
    for split, table in present.items():
        for row in tables.read_rows(table, COLUMNS):
            name = f"line {row.place.rsplit(' ', 1)[1]}"
            try:
                video, utterance = row.text("video"), Path(row.text("utterance")).stem
                name = f"{video}_{utterance}"
                path = _clip(clips.get((video, utterance), []), split, source, row.place)
                if path in used:
                    raise UserError(f"{row.place}: a clip must have one row. Received: {path}, also of {used[path]}")
                labels = _labels(row)
            except UserError as error:
                left_out.append(LeftOut(name, split, str(error)))
                continue
            used[path] = row.place
            videos.append(VideoSource(name, split, video, path, labels, expression=True))
    return videos, left_out


def _labels(row: tables.TableRow) -> partial:
    voted = row.integer("EmotionMaxVote", 0, CLASSES - 1) if row.text("EmotionMaxVote") else -1
    return partial(utterance_labels, *(row.number(name, *LABEL_RANGE[name]) for name in DIMENSIONS), voted)


def _clip(paths: list[Path], split: str, source: Path, place: str) -> Path:
    splits = [_split_of(path.relative_to(source).parts[:-2]) for path in paths]
    fits = [path for path, own in zip(paths, splits, strict=True) if own == split]
    fits = fits or [path for path, own in zip(paths, splits, strict=True) if own is None]
    if len(fits) != 1:
        found = " and ".join(map(str, fits)) or "none"
        raise UserError(f"{place}: must have one clip <video>/<utterance>.mp4 of the split. Received: {found}")
    return fits[0]


def _split_of(folders: tuple[str, ...]) -> str | None:
    for folder in folders:
        for split in TABLES:
            if folder.lower().startswith(split[:5]):
                return split
    return None
