"""Your own tables: the source is a .csv file, or a folder with one, or with train.csv, validation.csv and test.csv.

The first line names the columns, in any order:

    video      file, or folder of images named by number, relative to the table                              required
    valence    from -1 to 1; empty: the frame has no label                                                    required
    arousal    the same                                                                                       required
    frame      number of the frame, the first being 1; or instead
    time       seconds from the beginning, not falling: each frame takes the row of the nearest time, up to half a
               second before the first and after the last row
               neither: the one row of a video is the label of all its frames
    subject    who is seen (default: the video)
    split      train, validation or test (default: the table's name if it is one of these, else train)
    which      longest, left or right: the face that is labelled, where there are several (default: longest);
               a video with rows for left and for right is two videos
    start, end seconds between which the video is used
    fps        frames a second of a folder of images (default: 30)
    expression one of `schema.EXPRESSIONS`, or empty

Rows of one video must agree in all columns from `subject` to `fps`. A video's name is its file's without the suffix;
where a split has several of that name, the names of their folders come before it.

A table without `video`, with three columns that are an image's path, valence and arousal, with or without a header,
lists face crops, as the released evaluation code of AffWildNet has them: images of one folder, named by number, are one
video.
"""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.files import tables
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import Labels, NumberedLabels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.manifest import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS, SPLITS

COLUMNS = ("video", *DIMENSIONS, "frame", "time", "subject", "split", "which", "start", "end", "fps", "expression")
CONSTANT = ("subject", "start", "end", "fps")
SIDES = ("longest", "left", "right")
IMAGES = ("image", *DIMENSIONS)
IMAGES_FPS = 30.0
MOST_FRAMES = 10_000_000  # of one video: no frame has a larger number

# Split, path and face, which together identify a video.
Key = tuple[str, Path, str]


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos in the order of the tables, and what is left out.

    Raises:
      UserError: if there is no table, or one has the wrong columns.
    """
    groups: dict[Key, list[tables.TableRow]] = {}
    left_out: list[LeftOut] = []
    for path in _tables(source):
        split = path.stem if path.stem in SPLITS else "train"
        for row in _rows(path):
            try:
                groups.setdefault(_key(row, split, path.parent), []).append(row)
            except UserError as error:
                left_out.append(LeftOut(f"line {row.place.rsplit(' ', 1)[1]}", split, str(error)))
    videos, taken = [], set()
    for key, name in _names(list(groups)).items():
        rows = groups[key]
        try:
            if (key[0], name) in taken:
                raise UserError(f"{rows[0].place}: another video of the split has the name {name}. Rename this one.")
            videos.append(_images(key, name, rows) if "image" in rows[0].columns else _video(key, name, rows))
            taken.add((key[0], name))
        except UserError as error:
            left_out.append(LeftOut(name, key[0], str(error)))
    return videos, left_out


def _tables(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = sorted(path for path in source.glob("*.csv") if not path.name.startswith("."))
    if len(found) == 1 or (found and all(path.stem in SPLITS for path in found)):
        return sorted(found, key=lambda path: SPLITS.index(path.stem) if path.stem in SPLITS else 0)
    raise UserError(
        f"{source}: must be a .csv file, or a folder with one, or with train.csv, validation.csv and test.csv. "
        f"Received: {', '.join(path.name for path in found[:5]) or 'no .csv'}."
    )


def _rows(path: Path) -> list[tables.TableRow]:
    lines = tables.read_lines(path)
    header = lines[0][1]
    if "video" in header:
        for name in header:
            if name:
                check_choice(f"column of {path}", name, COLUMNS)
        if {"frame", "time"} <= set(header):
            raise UserError(f"{path}: must have the column frame or time. Received: both. Remove one.")
        return tables.read_rows(path, ("video", *DIMENSIONS))
    if len(header) == 3 and (tables.is_number(header[1]) or header[1:] == DIMENSIONS):
        return tables.to_rows(path, IMAGES, lines if tables.is_number(header[1]) else lines[1:])
    raise UserError(
        f"{path}: the first line must name the columns video, valence and arousal, or the rows must be an image's "
        f"path, valence and arousal. Received: {','.join(header)[:80]!r}"
    )


def _key(row: tables.TableRow, split: str, folder: Path) -> Key:
    if "image" in row.columns:
        return split, (folder / row.text("image")).parent, "longest"
    if not row.text("video"):
        raise UserError(f"{row.place}, `video`: must name a file or a folder. Received: nothing.")
    split = _choice(row, "split", SPLITS, split)
    return split, folder / row.text("video"), _choice(row, "which", SIDES, "longest")


def _choice(row: tables.TableRow, column: str, choices: tuple[str, ...], default: str) -> str:
    value = row.text(column, default="")
    if value not in ("", *choices):
        raise UserError(f"{row.place}, `{column}`: must be one of {', '.join(choices)}. Received: {value[:40]!r}")
    return value or default


def _names(keys: list[Key]) -> dict[Key, str]:
    """Return a name for each: its file's, with as many folders before it as make it unique in its split."""
    places = {(split, path): (*path.parent.parts, tree.name_of(path)) for split, path, _ in keys}
    names, depth = {}, 0
    while len(names) < len(places):
        depth += 1
        count = Counter((split, parts[-depth:]) for (split, _), parts in places.items())
        for (split, path), parts in places.items():
            if (split, path) not in names and count[split, parts[-depth:]] == 1:
                names[split, path] = "_".join(parts[-depth:])
            elif (split, path) not in names and depth == len(parts):  # a.mp4 and a.avi in one folder
                names[split, path] = path.name
    return {key: names[key[:2]] + ("" if key[2] == "longest" else f"_{key[2]}") for key in keys}


def _images(key: Key, name: str, rows: list[tables.TableRow]) -> VideoSource:
    split, folder, _ = key
    there = tree.numbered(folder)
    if not there:
        raise UserError(f"{rows[0].place}: the folder {folder} must hold images named by number. Received: none.")
    numbers = [_image_number(row) for row in rows]
    first = 0 if 0 in there or 0 in numbers else 1
    labels = _numbered_labels(rows, [number + 1 - first for number in numbers])
    return VideoSource(name, split, name, folder, labels, cropped=True, fps=IMAGES_FPS, first=first)


def _image_number(row: tables.TableRow) -> int:
    stem = Path(row.text("image")).stem
    if not (stem.isascii() and stem.isdecimal() and len(stem) <= 7):
        raise UserError(f"{row.place}: an image must be named by its number, such as 00012.jpg. Received: {stem[:40]}")
    return int(stem)


def _video(key: Key, name: str, rows: list[tables.TableRow]) -> VideoSource:
    split, path, which = key
    constant = {}
    for column in CONSTANT:
        if column not in rows[0].columns:
            continue
        for row in rows:
            if row.text(column) != rows[0].text(column):
                raise UserError(f"{row.place}, `{column}`: must be the same in all rows of a video, here {path.name}.")
        if rows[0].text(column):
            is_text = column == "subject"
            constant[column] = rows[0].text(column) if is_text else rows[0].number(column, 0, tables.LONGEST)
    if constant.get("start", 0) >= constant.get("end", np.inf):
        raise UserError(f"{rows[0].place}: `start` must lie before `end`.")
    folder = path.is_dir()
    images = tree.numbered(path) if folder else {}
    if not (images or path.is_file()):
        raise UserError(f"{rows[0].place}: the video {path} must be a file, or a folder of images named by number.")
    return VideoSource(
        name,
        split,
        constant.get("subject", name),
        path,
        _labels(rows),
        which=which,
        expression="expression" in rows[0].columns,
        start=constant.get("start"),
        end=constant.get("end"),
        fps=constant.get("fps") or IMAGES_FPS if folder else None,
        first=0 if 0 in images else 1,
    )


def _labels(rows: list[tables.TableRow]) -> partial:
    if "frame" in rows[0].columns:
        return _numbered_labels(rows, [row.integer("frame", 1, MOST_FRAMES) for row in rows])
    if "time" in rows[0].columns:
        return partial(Labels, _values(rows), tables.read_times(rows, "time"), None, _expressions(rows))
    if len(rows) > 1:
        raise UserError(f"{rows[1].place}: a video with several rows must have a frame or a time in each.")
    return partial(Labels, _values(rows), np.zeros(1), None, _expressions(rows))


def _numbered_labels(rows: list[tables.TableRow], frames: list[int]) -> partial:
    given, seen = _values(rows), set()
    for row, frame in zip(rows, frames, strict=True):
        if frame in seen:
            raise UserError(f"{row.place}: each frame of a video must have one row. Received: a second one.")
        seen.add(frame)
    values = np.full((max(frames), 2), np.nan, np.float32)
    values[np.array(frames) - 1] = given
    classes = _expressions(rows)
    if classes is not None:
        given, classes = classes, np.full(max(frames), -1, np.int64)
        classes[np.array(frames) - 1] = given
    return partial(NumberedLabels, values, None, None, classes)


def _values(rows: list[tables.TableRow]) -> np.ndarray:
    return np.array(
        [[row.number(name) if row.text(name) else np.nan for name in DIMENSIONS] for row in rows], np.float32
    )


def _expressions(rows: list[tables.TableRow]) -> np.ndarray | None:
    if "expression" not in rows[0].columns:
        return None
    names = [_choice(row, "expression", EXPRESSIONS, "") for row in rows]
    return np.array([EXPRESSIONS.index(name) if name else -1 for name in names], np.int64)
