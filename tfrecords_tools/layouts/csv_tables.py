"""Your own tables: the source is a .csv file, or a folder with one, or with train.csv, validation.csv and test.csv.

Commas, semicolons or tabs separate the cells. The first line names the columns, in any order and in any case:

    video      file, or folder of images named by number, relative to the table                              required
    valence    from -1 to 1; empty: the frame has no label
    arousal    the same; a table with neither has videos without labels
    rater      who gave the row: the records keep each rater's labels, and the label is their mean
    frame      number of the frame, the first being 1; or instead
    time       seconds from the beginning, not falling: each frame takes the row of the nearest time, up to half a
               second before the first and after the last row
               neither: the one row of a video is the label of all its frames
    subject    who is seen (default: the video)
    split      train, validation (also val or dev) or test (default: the table's name if it is one of these, else train)
    which      longest, left or right: the face that is labelled, where there are several (default: longest);
               a video with rows for left and for right is two videos
    start, end seconds between which the video is used
    fps        frames a second of a folder of images (default: 30)
    expression one of `schema.EXPRESSIONS`, or empty

Rows of one video must agree in all columns from `subject` to `fps`. A video's name is its file's without the suffix;
where a split has several of that name, the names of their folders come before it.

A folder of videos without any table is a corpus without labels, to predict from or to annotate: all its videos, at any
depth, are in the split test.

A table without `video`, with three columns that are an image's path, valence and arousal, with or without a header,
lists face crops, as the released evaluation code of AffWildNet has them: images of one folder, named by number, are one
video.
"""

import os
import re
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables
from tfrecords_tools.layouts import rated_rows, tree
from tfrecords_tools.layouts.labels import Labels, NumberedLabels, no_labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS, SPLITS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

COLUMNS = (
    "video",
    *DIMENSIONS,
    "rater",
    "frame",
    "time",
    "subject",
    "split",
    "which",
    "start",
    "end",
    "fps",
    "expression",
)
CONSTANT = ("subject", "start", "end", "fps")
SIDES = ("longest", "left", "right")
IMAGES = ("image", *DIMENSIONS)
IMAGES_FPS = 30.0
SLOWEST = 0.001  # frames a second: one in a quarter of an hour
SEPARATORS = (",", ";", "\t")
_DECIMAL = re.compile(r"^([+-]?[0-9]*),([0-9]+)$")
# Other names of the splits.
SPLIT_NAMES = {**{name: name for name in SPLITS}, "val": "validation", "dev": "validation"}
MOST_FRAMES = 10_000_000  # of one video: no frame has a larger number

# Split, path and face, which together identify a video.
Key = tuple[str, Path, str]


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos in the order of the tables, and what is left out.

    Raises:
      UserError: if there is no table, or one has the wrong columns.
    """
    if source.is_dir() and not _csv_files(source) and (found := _unlabelled(source)):
        return found
    groups: dict[Key, list[tables.TableRow]] = {}
    left_out: list[LeftOut] = []
    unusable: list[tuple[Path | None, str, tables.TableRow, str]] = []
    for path in _tables(source):
        split = SPLIT_NAMES.get(path.stem.lower(), "train")
        for row in _rows(path):
            try:
                groups.setdefault(_key(row, split, path.parent), []).append(row)
            except UserError as error:
                unusable.append((_path(row, path.parent), split, row, str(error)))
    wrong = {named: reason for named, _, _, reason in reversed(unusable)}  # the first of each video
    known = {path for _, path, _ in groups}
    for named, split, row, reason in unusable:
        if named not in known:
            left_out.append(LeftOut(f"line {row.place.rsplit(' ', 1)[1]}", split, reason))
    raters = _raters(groups)
    videos, taken = [], set()
    for key, name in _names(list(groups)).items():
        rows = groups[key]
        try:
            if key[1] in wrong:
                raise UserError(wrong[key[1]])
            if (key[0], name) in taken:
                raise UserError(f"{rows[0].place}: another video of the split has the name {name}. Rename this one.")
            videos.append(_images(key, name, rows) if "image" in rows[0].columns else _video(key, name, rows, raters))
            taken.add((key[0], name))
        except UserError as error:
            left_out.append(LeftOut(name, key[0], str(error)))
    return videos, left_out


def _unlabelled(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos of a folder without any table, and those whose names occur twice; empty if there are none."""
    videos, twice = tree.by_name(tree.files(source, VIDEO_SUFFIXES))
    left_out = [LeftOut(name, "test", reason) for name, reason in sorted(twice.items())]
    found = [VideoSource(name, "test", name, path, no_labels) for name, path in sorted(videos.items())]
    return (found, left_out) if found else ()


def _csv_files(source: Path) -> list[Path]:
    return sorted(path for path in source.glob("*") if path.suffix.lower() == ".csv" and not tree.is_junk(path.name))


def _tables(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = _csv_files(source)
    splits = [SPLIT_NAMES.get(path.stem.lower()) for path in found]
    if len(found) == 1 or (found and None not in splits and len(set(splits)) == len(splits)):
        return sorted(found, key=lambda path: SPLITS.index(SPLIT_NAMES.get(path.stem.lower(), "train")))
    nothing = "a folder with neither a .csv nor a video" if source.is_dir() else "a path that does not exist"
    raise UserError(
        f"{source}: must be a .csv file, a folder with one, or with train.csv, validation.csv (or val.csv, dev.csv) "
        "and test.csv, or a folder of videos without a table. "
        f"Received: {', '.join(path.name for path in found[:5]) or nothing}."
    )


def _rows(path: Path) -> list[tables.TableRow]:
    lines = _lines(path)
    header = tuple(name.lower() for name in lines[0][1])
    while header and not header[-1]:
        header = header[:-1]
    if "video" in header:
        _check_header(path, header)
        if len(lines) == 1:
            raise UserError(f"{path}: must hold rows below its header. Received: none.")
        return tables.to_rows(path, header, lines[1:])
    if len(header) == 3 and (tables.is_number(header[1]) or header[1:] == DIMENSIONS):
        return tables.to_rows(path, IMAGES, lines if tables.is_number(header[1]) else lines[1:])
    raise UserError(
        f"{path}: the first line must name the columns, which are {', '.join(COLUMNS)}, video among them; or "
        f"the rows must be an image's path, valence and arousal. Received: {','.join(lines[0][1])[:80]!r}"
    )


def _lines(path: Path) -> list[tables.Line]:
    """Return the lines of a table with the separator that its first line has most of."""
    first = next((line for line in tables.read_text(path).split("\n") if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    lines = tables.read_lines(path, separator)
    if separator == ",":
        return lines
    # Where a comma separates nothing, it may be the decimal point.
    return [(number, tuple(_DECIMAL.sub(r"\1.\2", cell) for cell in cells)) for number, cells in lines]


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    tables.check_columns(path, header, COLUMNS)
    if len(set(header)) < len(header):
        raise UserError(f"{path}: the first line must name each column once. Received: {','.join(header)[:80]!r}")
    if {"frame", "time"} <= set(header):
        raise UserError(f"{path}: must have the column frame or time. Received: both. Remove one.")
    if {"rater", "expression"} <= set(header):
        raise UserError(f"{path}: must have the column rater or expression. Received: both. Remove one.")
    if len(set(DIMENSIONS) & set(header)) == 1:
        raise UserError(f"{path}: must have both columns, valence and arousal, or neither. Received: one.")


def _raters(groups: dict[Key, list[tables.TableRow]]) -> tuple[str, ...]:
    """Return the names of all raters, sorted; none where there are not several."""
    rows = [
        row for rows in groups.values() for row in rows if "rater" in row.columns and len(row.cells) == len(row.columns)
    ]
    names = sorted({row.text("rater") for row in rows} - {""})
    return tuple(names) if len(names) > 1 else ()


def _key(row: tables.TableRow, split: str, folder: Path) -> Key:
    if "image" in row.columns:
        return split, (folder / row.text("image")).parent, "longest"
    if not row.text("video"):
        raise UserError(f"{row.place}, `video`: must name a file or a folder. Received: nothing.")
    split = SPLIT_NAMES[_choice(row, "split", tuple(SPLIT_NAMES), split)]
    return split, folder / row.text("video"), _choice(row, "which", SIDES, "longest")


def _path(row: tables.TableRow, folder: Path) -> Path | None:
    """Return the path of the video of a row whose other cells may be wrong, or None."""
    column = "image" if "image" in row.columns else "video"
    cell = "".join(row.cells[row.columns.index(column) :][:1])
    if not cell:
        return None
    return (folder / cell).parent if column == "image" else folder / cell


def _choice(row: tables.TableRow, column: str, choices: tuple[str, ...], default: str) -> str:
    value = row.text(column, default="").lower()
    if value not in ("", *choices):
        raise UserError(f"{row.place}, `{column}`: must be one of {', '.join(choices)}. Received: {value[:40]}")
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


def _video(key: Key, name: str, rows: list[tables.TableRow], raters: tuple[str, ...]) -> VideoSource:
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
            low = SLOWEST if column == "fps" else 0
            constant[column] = rows[0].text(column) if is_text else rows[0].number(column, low, tables.LONGEST)
    if constant.get("start", 0) >= constant.get("end", np.inf):
        raise UserError(f"{rows[0].place}: `start` must lie before `end`.")
    if raters and "rater" not in rows[0].columns:
        raise UserError(f"{rows[0].place}: must have the column rater, as other tables here have it.")
    folder = os.path.isdir(path)  # False also for names that no file system takes
    images = tree.numbered(path) if folder else {}
    if not (images or os.path.isfile(path)):
        raise UserError(
            f"{rows[0].place}: the video {path} must be a file, or a folder of images named by number. "
            f"Received: {'a folder without such images' if folder else 'nothing there'}."
        )
    return VideoSource(
        name,
        split,
        constant.get("subject", name),
        path,
        _rated(rows, raters) if raters else _labels(rows),
        annotators=raters,
        resampled=bool(raters) and "time" in rows[0].columns,
        which=which,
        expression="expression" in rows[0].columns,
        start=constant.get("start"),
        end=constant.get("end"),
        fps=constant.get("fps", IMAGES_FPS) if folder else None,
        first=0 if 0 in images else 1,
    )


def _labels(rows: list[tables.TableRow]) -> partial:
    if "frame" in rows[0].columns:
        return _numbered_labels(rows, _frames(rows))
    if "time" in rows[0].columns:
        return partial(Labels, _values(rows), tables.read_times(rows, "time"), None, _expressions(rows))
    if len(rows) > 1:
        raise UserError(f"{rows[1].place}: a video with several rows must have a frame or a time in each.")
    return partial(Labels, _values(rows), np.zeros(1), None, _expressions(rows))


def _rated(rows: list[tables.TableRow], raters: tuple[str, ...]) -> partial:
    own = rated_rows.by_rater(rows, raters)
    if "frame" in rows[0].columns:
        return partial(rated_rows.numbered, [(_frames(each), _values(each)) for each in own])
    if "time" in rows[0].columns:
        return partial(rated_rows.timed, [(tables.read_times(each, "time"), _values(each)) for each in own])
    for each in own:
        if len(each) > 1:
            raise UserError(
                f"{each[1].place}: a rater with several rows of a video must have a frame or a time in each."
            )
    return partial(rated_rows.whole_video, [_values(each) for each in own])


def _frames(rows: list[tables.TableRow]) -> list[int]:
    """Return the frame of each row, each of which must be another one."""
    frames, seen = [row.integer("frame", 1, MOST_FRAMES) for row in rows], set()
    for row, frame in zip(rows, frames, strict=True):
        if frame in seen:
            raise UserError(f"{row.place}: each frame of a video must have one row. Received: a second one.")
        seen.add(frame)
    return frames


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
    values = [[row.number(name) if row.text(name, "") else np.nan for name in DIMENSIONS] for row in rows]
    return np.array(values, np.float32).reshape(len(rows), len(DIMENSIONS))


def _expressions(rows: list[tables.TableRow]) -> np.ndarray | None:
    if "expression" not in rows[0].columns:
        return None
    names = [_choice(row, "expression", EXPRESSIONS, "") for row in rows]
    return np.array([EXPRESSIONS.index(name) if name else -1 for name in names], np.int64)
