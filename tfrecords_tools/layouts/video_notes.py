"""`videos.csv` beside the videos: who is seen in which of them, and in which part.

    video,subject,gender,which,start,end
    52-30-1280x720-p1,anna,female,,,
    52-30-1280x720-p2,anna,female,,,
    74-25-1920x1080,ben,male,left,,
    74-25-1920x1080,cleo,female,right,,

`video` is the name of a video without its suffix, and the only column that must be there. A video in which two persons
are seen has two lines with `which`, left and right, and is two entries, as in thesis section 3.1: `<video>_left` and
`<video>_right`, by which names their annotations go. `start` and `end` are seconds; what lies outside is not used.
Without a line, and without `subject`, the parts `-p1`, `-p2`, ... of one video are of one person, named as the video.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables
from tfrecords_tools.files.spreadsheet_cells import unquoted

FILE_NAME = "videos.csv"
COLUMNS = ("video", "subject", "gender", "which", "start", "end")
GENDERS = ("female", "male", "other")
SIDES = ("left", "right", "longest")


@dataclass(frozen=True)
class VideoNote:
    """One entry of the dataset.

    Attributes:
      name: of the entry, and of its annotations.
      video: name of the video.
      subject: who is seen.
      gender: one of `GENDERS`; "" where it is not given.
      which: the face, see `VideoSource`.
      start, end: seconds between which the video is used; None is its beginning or its end.
    """

    name: str
    video: str
    subject: str
    gender: str = ""
    which: str = "longest"
    start: float | None = None
    end: float | None = None


def without_part(name: str) -> str:
    """Return the name of the whole of which a video is a part: `52-30-p2` is a part of `52-30`."""
    return re.sub(r"-p[0-9]+$", "", name)


def entries(folder: Path, videos: Iterable[str]) -> tuple[list[VideoNote], dict[str, str]]:
    """Return the entries of the named videos, by `videos.csv` in `folder` where there is one, and what is wrong.

    What is wrong is a reason by the name of a video: that video has no entry then.

    Raises:
      UserError: if the table has other columns, or cannot be read.
    """
    rows, problems = _rows(folder / FILE_NAME), {}
    notes = []
    for video in sorted(set(videos) | set(rows)):
        if video not in videos:
            problems[video] = f"{rows[video][0].place}: there is no video or folder of crops of the name {video}."
            continue
        try:
            notes += _notes(video, rows[video]) if video in rows else [VideoNote(video, video, without_part(video))]
        except UserError as error:
            problems[video] = str(error)
    return notes, problems


def _rows(path: Path) -> dict[str, list[tables.TableRow]]:
    found: dict[str, list[tables.TableRow]] = {}
    if not path.is_file():
        return found
    for row in tables.read_rows(path, ("video",)):
        tables.check_columns(path, row.columns, COLUMNS)
        found.setdefault(unquoted(row.filled("video")), []).append(row)
    return found


def _notes(video: str, rows: list[tables.TableRow]) -> list[VideoNote]:
    sides = [_choice(row, "which", SIDES, "longest") for row in rows]
    if len(rows) > 1 and sorted(sides) != ["left", "right"]:
        raise UserError(
            f"{rows[1].place}: {video} must have one line, or one with `which` left and one with right. "
            f"Received: {', '.join(sides)}."
        )
    return [_note(video, row, side, len(rows) > 1) for row, side in zip(rows, sides, strict=True)]


def _note(video: str, row: tables.TableRow, side: str, of_two: bool) -> VideoNote:
    suffix = f"_{side}" if of_two else ""
    start, end = (
        row.number(name, 0, tables.LONGEST) if row.text(name, default="") else None for name in ("start", "end")
    )
    if end is not None and (start or 0) >= end:
        raise UserError(f"{row.place}: `start` must lie before `end`. Received: {start or 0:g} and {end:g} seconds.")
    return VideoNote(
        video + suffix,
        video,
        unquoted(row.text("subject", default="")) or without_part(video) + suffix,
        _choice(row, "gender", GENDERS, ""),
        side,
        start,
        end,
    )


def _choice(row: tables.TableRow, column: str, choices: tuple[str, ...], default: str) -> str:
    value = row.text(column, default="").lower()
    if value not in ("", *choices):
        raise UserError(f"{row.place}, `{column}`: must be one of {', '.join(choices)}. Received: {value[:40]}")
    return value or default
