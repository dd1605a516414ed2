"""RECOLA: videos `P<id>.mp4` with `{arousal,valence}/P<id>.csv`, or AVEC's `<set>_<n>.mp4` with `.arff` files.

Videos and annotations are found at any depth, by name and by the name of the annotation's folder. An annotation is

  - the corpus's own table of six raters, `time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3`: the label is the raters' mean, and the
    records keep each rater's (in the order of `RATERS`, whatever the file's);
  - a gold standard of AVEC, an `.arff` with the attributes frameTime and GoldStandard, used instead of the raters where
    a video has both;
  - a gold standard with commas, a header, the time in the first column and the value in the second.

All are from -1 to 1 and have times: every 40 ms, from 0 to 300 seconds in 7,501 rows. Videos have 25 frames a second,
and frame k (1-based) is shown from (k - 1) / 25 seconds: the row of t = 0 is the label of frame 1, the next row that of
frame 2, and the last, of t = 300, comes after the last of 7,500 frames. To drop the row of t = 0 and count rows instead
would give each frame the label of the next one.

The splits of the layout recola are those of AVEC: `train`, `dev` (here validation), and all other participants test.
Those of the layout recola_46 are the corpus's own of all 46 participants, 16, 15 and 15 (ijcv2019 section 2.1); AVEC's
nine and nine are among the first two. The papers do not list the participants: the lists below are those of public code
for the corpus. Videos with AVEC's names have AVEC's splits in both.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import tables
from tfrecords_tools.files.tables import read_text
from tfrecords_tools.layouts import tree
from tfrecords_tools.layouts.labels import Labels, mean_of
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

RATERS = ("FM1", "FM2", "FM3", "FF1", "FF2", "FF3")
TRAIN = (16, 21, 23, 25, 37, 39, 41, 46, 56)
VALIDATION = (19, 26, 28, 30, 34, 42, 45, 64, 65)
# Of all 46 participants; those that neither names are the test split.
TRAIN_OF_46 = (15, 16, 17, 18, 21, 23, 25, 37, 39, 41, 46, 50, 51, 55, 56, 60)
VALIDATION_OF_46 = (14, 19, 24, 26, 28, 30, 34, 40, 42, 43, 44, 45, 52, 64, 65)
SETS = {"train": "train", "dev": "validation", "test": "test"}


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the videos in the splits of AVEC, sorted by name, and what is left out; skip files of other names.

    Raises:
      UserError: if there is no video at all.
    """
    return _find_videos(source, split_of)


def find_videos_of_46(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Return the same as `find_videos`, in the corpus's own splits of 16, 15 and 15 participants."""
    return _find_videos(source, partial(split_of, train=TRAIN_OF_46, validation=VALIDATION_OF_46))


def _find_videos(source: Path, split_of: Callable[[str], str | None]) -> tuple[list[VideoSource], list[LeftOut]]:
    clips, twice = tree.by_name(path for path in tree.files(source, VIDEO_SUFFIXES) if split_of(path.stem))
    annotations = {}
    for dimension in DIMENSIONS:
        annotations[dimension], again = _annotations(source, dimension)
        twice = again | twice
    videos, left_out = [], []
    for name in sorted(set().union(clips, twice, *annotations.values())):
        try:
            if name in twice:
                raise UserError(twice[name])
            if name not in clips:
                raise UserError(f"{source}: an annotation but no video {name}.mp4")
            pair = []
            for dimension in DIMENSIONS:
                if name not in annotations[dimension]:
                    raise UserError(f"{clips[name]}: no annotation {dimension}/{name}.csv or .arff")
                pair.append(annotations[dimension][name])
            raters = RATERS if _has_raters(pair[0]) else ()
            labels = partial(read_labels, *pair)
            videos.append(VideoSource(name, split_of(name), name, clips[name], labels, annotators=raters))
        except UserError as error:
            left_out.append(LeftOut(name, split_of(name), str(error)))
    if not clips and not twice:
        raise UserError(
            f"{source}: no videos. The layout recola needs P16.mp4 with arousal/P16.csv and valence/P16.csv."
        )
    return videos, left_out


def split_of(name: str, train: Sequence[int] = TRAIN, validation: Sequence[int] = VALIDATION) -> str | None:
    """Return the split of a video P<id>, or of <set>_<n> with AVEC's sets; None for any other name.

    Args:
      name: of the video.
      train, validation: participants of these splits; all others are the test split.
    """
    if participant := re.fullmatch(r"P([0-9]+)", name):
        number = int(participant[1])
        return "train" if number in train else "validation" if number in validation else "test"
    numbered = re.fullmatch(r"(train|dev|test)_[0-9]+", name)
    return SETS[numbered[1]] if numbered else None


def read_labels(valence: Path, arousal: Path) -> Labels:
    """Read the two annotations of one video.

    Raises:
      UserError: naming file and line; also if one has raters and the other has none, or if their times differ.
    """
    (times, first), (others, second) = _read(valence), _read(arousal)
    if len(times) != len(others) or not np.allclose(times, others, rtol=0, atol=1e-4):
        raise UserError(
            f"{valence}: valence and arousal must have the same times. Received: {len(times)} and {len(others)} rows"
            f"{'' if len(times) != len(others) else ', the times differ'}; the other file is {arousal}"
        )
    if first.shape != second.shape:
        raise UserError(f"{valence}: valence and arousal must have the same raters. The other file is {arousal}")
    annotators = np.stack([first, second], axis=2)
    return Labels(mean_of(annotators), times, annotators if _has_raters(valence) else None)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) seconds and (n, A) values of one dimension; A is 6, or 1 for a gold standard."""
    if path.suffix.lower() == ".arff":
        rows, time, columns = _arff_rows(path), "frametime", ("goldstandard",)
    elif _has_raters(path):
        rows, time, columns = tables.read_rows(path, ("time", *RATERS), ";"), "time", RATERS
    else:
        (_, header), *lines = tables.read_lines(path)
        if len(set(header)) != 2 or len(header) != 2 or tables.is_number(header[1]) or not lines:
            raise UserError(f"{path}: must have a header and two columns, time and value. Received: {header}")
        rows, time, columns = tables.to_rows(path, header, lines), header[0], header[1:]
    times = tables.read_times(rows, time)
    return times, np.array([[row.number(column) for column in columns] for row in rows], np.float32)


def _arff_rows(path: Path) -> list[tables.TableRow]:
    attributes, lines, data = [], [], False
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if data:
            lines.append((number, tuple(cell.strip() for cell in line.split(","))))
        elif attribute := re.match(r"@attribute\s+(\S+)", line, re.IGNORECASE):
            attributes.append(attribute[1].strip("'\"").lower())
        data = data or line.lower() == "@data"
    if not lines or not {"frametime", "goldstandard"} <= set(attributes):
        raise UserError(f"{path}: must have the attributes frameTime and GoldStandard, and rows below @data.")
    return tables.to_rows(path, tuple(attributes), lines)


def _has_raters(path: Path) -> bool:
    return path.suffix.lower() != ".arff" and ";" in read_text(path).split("\n", 1)[0]


def _annotations(source: Path, dimension: str) -> tuple[dict[str, Path], dict[str, str]]:
    found, twice = {}, {}
    for suffix in (".csv", ".arff"):
        paths = (p for p in tree.files(source, (suffix,)) if p.parent.name == dimension and split_of(p.stem))
        named, again = tree.by_name(paths)
        twice = {name: reason for name, reason in twice.items() if name not in named} | again
        found |= named
    return found, twice
