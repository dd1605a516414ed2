"""Clips by a recipe: parts of longer videos, cut out and brought to one frame rate (thesis section 3.1, steps 3 to 5).

    source,start,end,name,subject,gender,which
    downloads/52.mkv,0:12,4:31.5,52-p1,anna,female,
    downloads/52.mkv,271.5,,52-p2,anna,female,

`source` is a file, relative to the recipe; `start` and `end` are seconds, `m:ss` or `h:mm:ss`, and empty for its
beginning and end; `name` is the clip's. The last three columns may be missing: they are what `videos.csv` says of the
clip, see `tfrecords_tools.layouts.video_notes`. Two lines with one name, source, start and end, and `which` left and
right, are one clip with two persons.

The clips are `videos/<name>.mp4` in a folder as `annotate` and the layout thesis read it: H.264 with the source's
sound, frames upright and at a fixed rate, each the source's nearest by its time. Beside them `clips.json` says which
clip is of what. The thesis asks for a face in the first and the last frame, for at most ten minutes, and of two persons
for the part in which both are seen: a recipe has to see to that.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables, whole
from tfrecords_tools.files.spreadsheet_cells import quoted
from tfrecords_tools.video.reading import read_frames

FPS = 30.0
COLUMNS = ("source", "start", "end", "name", "subject", "gender", "which")
NOTES = ("subject", "gender", "which")
NOTE = "clips.json"
SHORT_BY = 0.5  # seconds by which a source may end before a clip's end


@dataclass(frozen=True)
class Clip:
    """One clip of a recipe.

    Attributes:
      place: file and line, for errors.
      name: of the clip.
      source: the video that it is a part of.
      start, end: seconds of the source; None is its end.
      notes: a line of `videos.csv` for each person that the recipe names, by column.
    """

    place: str
    name: str
    source: Path
    start: float
    end: float | None
    notes: tuple[dict[str, str], ...] = ()

    @property
    def facts(self) -> dict:
        """What decides the clip, as JSON can hold it."""
        size = self.source.stat().st_size if self.source.is_file() else None
        return {"source": str(self.source), "bytes": size, "start": self.start, "end": self.end}


def read_recipe(path: Path) -> list[Clip]:
    """Return the clips of a recipe, in its order.

    Raises:
      UserError: naming file and line.
    """
    clips: dict[str, Clip] = {}
    for row in tables.read_rows(path, COLUMNS[:4]):
        tables.check_columns(path, row.columns, COLUMNS)
        clip = _clip(path, row)
        known = clips.setdefault(clip.name, clip)
        if known is not clip:
            both = [*known.notes, *clip.notes]
            sides = sorted(note.get("which", "") for note in both)
            if (known.source, known.start, known.end) != (clip.source, clip.start, clip.end) or sides != [
                "left",
                "right",
            ]:
                raise UserError(
                    f"{row.place}: a clip's name must occur once, or twice for the left and the right person of one "
                    f"clip. Received: {clip.name} again."
                )
            clips[clip.name] = Clip(known.place, known.name, known.source, known.start, known.end, tuple(both))
    return list(clips.values())


def make_clips(clips: Sequence[Clip], folder: Path, fps: float = FPS) -> Iterator[tuple[Clip, str | None, list[str]]]:
    """Cut the clips into `folder/videos`; yield each with what prevented it (None: it is there) and with remarks.

    A clip that is there already is kept, so that the same call goes on after it was killed. `videos.csv` is written for
    the clips whose subject, gender or side the recipe says.

    Raises:
      UserError: if a file is in the way that another recipe or another program has made, or PyAV is not installed.
    """
    _check_pyav()
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    made = _read_note(folder / NOTE)
    for clip in clips:
        target = folder / "videos" / f"{clip.name}.mp4"
        if target.exists() and made.get(clip.name) != {**clip.facts, "fps": fps}:
            raise UserError(f"{target}: is there already, of another recipe. Rename this clip, or delete the file.")
    _write_notes(clips, folder)
    for clip in clips:
        target = folder / "videos" / f"{clip.name}.mp4"
        if target.exists():
            yield clip, None, []
            continue
        made[clip.name] = {**clip.facts, "fps": fps}
        with whole(folder / NOTE) as partial:  # first: a clip without its note would be taken for another's
            partial.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
        try:
            yield clip, None, cut(clip, target, fps)
        except UserError as error:
            yield clip, str(error), []


def cut(clip: Clip, target: Path, fps: float = FPS) -> list[str]:
    """Write one clip, whole or not at all; return remarks.

    Raises:
      UserError: if the source cannot be read, or ends before the clip does.
    """
    from tfrecords_tools.video.h264 import H264Writer

    frames = read_frames(clip.source, fps=fps, start=clip.start, end=clip.end)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{clip.place}: the source must go on after {clip.start:g} seconds. Received: {clip.source}.")
    height, width = (side // 2 * 2 for side in first.image.shape[:2])  # H.264 wants even sides
    with H264Writer(target, (width, height), fps, clip.source, first.timestamp) as video:
        video.write(first.image[:height, :width], 0.0)
        last = first
        for last in frames:
            video.write(last.image[:height, :width], last.timestamp - first.timestamp)
        if clip.end is not None and last.timestamp + 1 / fps < clip.end - SHORT_BY:
            raise UserError(
                f"{clip.place}: the source must go on until {clip.end:g} seconds. Received: {clip.source}, which ends "
                f"at {last.timestamp + 1 / fps:.1f}."
            )
    return video.remarks


def _clip(path: Path, row: tables.TableRow) -> Clip:
    name = row.filled("name")
    if name in (".", "..") or name.startswith(".") or re.search(r'[/\\:*?"<>|\x00-\x1f]', name) or len(name) > 200:
        raise UserError(f"{row.place}, `name`: must be a file's name without its suffix. Received: {name[:40]!r}")
    start = _seconds(row, "start", 0.0)
    end = _seconds(row, "end", None)
    if end is not None and start >= end:
        raise UserError(f"{row.place}: `start` must lie before `end`. Received: {start:g} and {end:g} seconds.")
    notes = {column: value for column in NOTES if (value := row.text(column, default=""))}
    return Clip(row.place, name, path.parent / row.filled("source"), start, end, (notes,) if notes else ())


def _seconds(row: tables.TableRow, column: str, default: float | None) -> float | None:
    text = row.text(column)
    if not text:
        return default
    *sixties, seconds = text.split(":")
    if len(sixties) > 2 or not all(part.isascii() and part.isdigit() for part in sixties):
        raise UserError(f"{row.place}, `{column}`: must be seconds, m:ss or h:mm:ss. Received: {text[:40]!r}")
    total = tables.to_number(seconds, f"{row.place}, `{column}`", 0, 60 if sixties else tables.LONGEST)
    for power, part in enumerate(reversed(sixties), start=1):
        total += int(part) * 60**power
    return total


def _write_notes(clips: Sequence[Clip], folder: Path) -> None:
    rows = [{"video": clip.name, **note} for clip in clips for note in clip.notes]
    path, header = folder / "videos.csv", ("video", *NOTES)
    if not rows:
        return
    lines = [[quoted(row.get(column, "")) for column in header] for row in rows]
    if path.is_file():
        held = [list(cells) for _, cells in tables.read_lines(path)]
        if held == [list(header), *lines]:
            return
        raise UserError(
            f"{path}: is there already and says something else than the recipe. Move it away, or leave subject, gender "
            "and which out of the recipe."
        )
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def _read_note(path: Path) -> dict[str, dict]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path}: must be what this command wrote. Move it away, and the clips beside it.")
    return found


def _check_pyav() -> None:
    try:
        import av  # noqa: F401
    except ImportError:
        from tfrecords_tools.video.timed_writing import INSTALL

        raise UserError(f"Clips need PyAV: {INSTALL}") from None
