"""The database of the thesis (chapter 3): videos of 30 frames a second, raters' labels with a clock of their own.

    videos/[<split>/]<name>.mp4                                  at any depth; or, of a flat folder:
    [<split>/]<name>.mp4
    faces/[<split>/]<name>/00001.jpg                             face crops, used where a name has them
    annotations/[<rater>/]{valence,arousal}/<name>.txt           of a rater: rows of seconds and value, or
    annotations/<name>.txt                                       merged: rows of frame, valence, arousal
    videos.csv                                                   if there is one: who is seen, see `video_notes`

Values are from -1000 to 1000, here divided by 1000. Spaces, tabs, commas or semicolons separate the columns; a header
may come first. Frames are numbered from 1. What is in no folder of a split is `train`.

Raters' rows have irregular times. Frame k has the time k / 30, as in the thesis, where frame 2 has 0.06667 seconds, and
takes the row of the nearest time (section 3.2.3). The label is the mean of the raters (ijcv2019 section 3.4), who are
named by their folders; with one rater it is that rater's. Raters are used instead of a merged file where there are
both.

What the command `annotate` writes has `<name>.json` beside `<name>.txt`, with `"clock": "media"`: its rows have the
time that a player reports, 0 for the first frame, so that frame k of 30 a second has (k - 1) / 30. A frame then takes
the row of its own time, at any frame rate.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular, tables
from tfrecords_tools.layouts import tree, video_notes
from tfrecords_tools.layouts.labels import END_TOLERANCE, MAX_HOLE, Labels, NumberedLabels, mean_of, nearest
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS, SPLITS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

RANGE = 1000
FPS = 30.0
MEDIA_CLOCK = "media"  # times from the video's own zero, as players and decoders report them
MOST_FRAMES = 10_000_000  # of one video: no frame has a larger number

# The valence and the arousal file of one rater, None for what the rater did not annotate.
Pair = tuple[Path | None, Path | None]


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos of all splits, sorted by name, and what is left out.

    Raises:
      UserError: if there are neither videos nor crops.
    """
    crops, twice = tree.by_name(tree.folders_of_images(source / "faces"))
    files, again = tree.by_name(tree.files(tree.clips_folder(source), VIDEO_SUFFIXES))
    twice |= {name: reason for name, reason in again.items() if name not in crops}
    paths = files | crops
    if not paths and not twice:
        raise UserError(
            f"{source}: no videos. The layout thesis needs videos/<name>.mp4, <name>.mp4 or faces/<name>/00001.jpg, "
            "and annotations/<rater>/{valence,arousal}/<name>.txt or annotations/<name>.txt."
        )
    merged = {path.stem: path for path in sorted((source / "annotations").glob("*.txt"))}
    raters = _raters(source / "annotations")
    names = tuple(raters) if len(raters) > 1 else ()
    left_out = [LeftOut(name, "train", reason) for name, reason in sorted(twice.items())]
    videos = []
    notes, problems = video_notes.entries(source, paths)
    for name, reason in problems.items():
        split = _split_of(paths[name], source) if name in paths else "train"
        left_out.append(LeftOut(name, split, reason))
    for note in notes:
        name, path = note.name, paths[note.video]
        split = _split_of(path, source)
        pairs = tuple((files.get((name, "valence")), files.get((name, "arousal"))) for files in raters.values())
        if all(any(pair[column] for pair in pairs) for column in (0, 1)):
            labels, resampled = partial(read_raters, pairs), True
        elif name in merged:
            labels, resampled = partial(read_merged, merged[name], len(names)), False
        else:
            left_out.append(LeftOut(name, split, f"{path}: no annotation of both valence and arousal"))
            continue
        cropped = note.video in crops
        videos.append(
            VideoSource(
                name,
                split,
                note.subject,
                path,
                labels,
                annotators=names,
                which=note.which,
                cropped=cropped,
                start=note.start,
                end=note.end,
                fps=FPS if cropped else None,
                resampled=resampled,
                gender=note.gender,
            )
        )
    annotated = {name for files in raters.values() for name, _ in files} | set(merged)
    for name in sorted(annotated - {note.name for note in notes} - set(paths) - set(twice)):
        left_out.append(LeftOut(name, "train", f"{source}: an annotation but neither a video nor crops of this name"))
    return videos, left_out


def read_raters(pairs: tuple[Pair, ...], max_hole: float = MAX_HOLE) -> Labels:
    """Read the raters' files of one video: a row for each frame at 30 frames a second, and a last row without label.

    Where one has the clock of the media, there is a row for each time in files with that clock instead. A rater has
    given no value in the middle of a hole longer than `max_hole` seconds between two rows.

    Raises:
      UserError: naming file and line.
    """
    clocks = {path: _read_rater(path) for pair in pairs for path in pair if path}
    by_media = {path for path in clocks if _has_media_clock(path)}
    end = max(times[-1] for times, _ in clocks.values()) + END_TOLERANCE
    if by_media:
        media = np.unique(np.concatenate([clocks[path][0] for path in by_media]))
        beyond = np.arange(int(end * FPS) + 2) / FPS if len(by_media) < len(clocks) else np.zeros(0)
        shown = np.concatenate([media, beyond[beyond > media[-1]]])
        thesis = shown + 1 / FPS
    else:
        frames = np.arange(1, int(end * FPS) + 3)  # the last is beyond every rater's end, as are all frames after it
        # Frame k is shown from (k - 1) / 30 on, and a video's frames are matched with rows by that time.
        shown, thesis = (frames - 1) / FPS, frames / FPS
    annotators = np.full((len(shown), len(pairs), 2), np.nan, np.float32)
    for rater, pair in enumerate(pairs):
        for column, path in enumerate(pair):
            if path:
                times, values = clocks[path]
                rows = nearest(times, shown if path in by_media else thesis, max_hole=max_hole)
                annotators[:, rater, column] = np.where(rows < 0, np.nan, values[rows])
    return Labels(mean_of(annotators), shown, annotators if len(pairs) > 1 else None)


def read_merged(path: Path, raters: int = 0) -> Labels:
    """Read a merged file; frames that it does not name have no label. All `raters` are missing in all frames.

    Raises:
      UserError: naming file and line.
    """
    found = {}
    for row in tables.read_number_rows(path, ("frame", *DIMENSIONS)):
        frame = row.integer("frame", 1, MOST_FRAMES)
        if frame in found:
            raise UserError(f"{row.place}: each frame must have one row. Received: frame {frame} again.")
        found[frame] = [row.number(name, -RANGE, RANGE) for name in DIMENSIONS]
    _check_unit(path, np.array(list(found.values())))
    values = np.full((max(found), 2), np.nan, np.float32)
    values[np.array(list(found)) - 1] = np.array(list(found.values())) / RANGE
    annotators = np.full((len(values), raters, 2), np.nan, np.float32) if raters else None
    return NumberedLabels(values, None, annotators)


def _read_rater(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = tables.read_number_rows(path, ("time", "value"))
    values = np.array([row.number("value", -RANGE, RANGE) for row in rows])
    _check_unit(path, values)
    return tables.read_times(rows, "time"), (values / RANGE).astype(np.float32)


def _check_unit(path: Path, values: np.ndarray) -> None:
    # A joystick gives whole numbers; fractions that all lie within -1 and 1 would become thousandths.
    if np.abs(values).max() <= 1 and (values != np.rint(values)).any():
        raise UserError(
            f"{path}: values must be from -{RANGE} to {RANGE}. Received: fractions, all of them from -1 to 1. Multiply "
            f"them by {RANGE}, or use the layout csv, whose values are from -1 to 1."
        )


def _has_media_clock(path: Path) -> bool:
    note = path.with_suffix(".json")
    try:
        text = regular(note).read_text("utf-8", errors="replace")
    except OSError:
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        if '"clock"' not in text:
            return False  # another file that happens to be there
        raise UserError(  # to guess the clock would shift every label
            f"{note}: must be readable JSON, as it says which clock the annotation has. Received: {error}. Write it "
            f'again: {{"clock": "{MEDIA_CLOCK}"}}.'
        ) from None
    return isinstance(found, dict) and found.get("clock") == MEDIA_CLOCK


def _raters(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """Return the path of each (video, dimension) by rater, sorted; "" is the rater without a folder."""
    found = {}
    for path in tree.files(folder, (".txt",)):
        parts = path.relative_to(folder).parts
        if len(parts) in (2, 3) and parts[-2] in DIMENSIONS:
            found.setdefault("".join(parts[:-2]), {})[path.stem, parts[-2]] = path
    return dict(sorted(found.items()))


def _split_of(path: Path, source: Path) -> str:
    return next((part for part in path.relative_to(source).parts[:-1] if part in SPLITS), "train")
