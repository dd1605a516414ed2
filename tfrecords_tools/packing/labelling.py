"""The labels of a video's frames: whose mean they are, and by how much each rater is late."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.layouts.labels import (
    END_TOLERANCE,
    MAX_HOLE,
    Labels,
    NumberedLabels,
    choose_annotators,
    match,
    mean_of,
    nearest,
)
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study import agreement

# Names this in place of a rater where a dataset has no single annotators' labels.
LABEL = "label"
LONGEST_DELAY = 60.0  # seconds
MOST_UNUSED = 0.1  # share of an annotation's rows that may lie after its video's end

# Names of the raters whose mean is the label, for each dimension.
Chosen = tuple[tuple[str, ...], ...]


def select(
    videos: Sequence[VideoSource], path: Path
) -> tuple[list[VideoSource], dict[str, dict[str, list[str]]], list[LeftOut]]:
    """Return the videos for which a file selects raters, the names by video and dimension, and the other videos.

    Raises:
      UserError: if there are no single annotators, or the file cannot be used, see `agreement.read_selection`.
    """
    names = videos[0].annotators if videos else ()
    if len(names) < 2:
        raise UserError(f"{path}: a selection needs a dataset with single annotators' labels. Leave `selected` out.")
    indices = agreement.read_selection(path, names, sorted({video.video for video in videos}))
    kept, left_out, selection = [], [], {}
    for video in videos:
        found = {name: indices.get((video.video, name)) for name in DIMENSIONS}
        if missing := [name for name, chosen in found.items() if chosen is None]:
            left_out.append(
                LeftOut(video.video, video.split, f"{path}: selects no annotators for its {' and '.join(missing)}")
            )
            continue
        kept.append(video)
        selection[video.video] = {name: [names[index] for index in chosen] for name, chosen in found.items()}
    if not kept:
        raise UserError(f"{path}: must select annotators for both dimensions of a video. Received: of none.")
    return kept, selection, left_out


def check_delays(delays: dict[str, float], videos: Sequence[VideoSource]) -> None:
    """Raise a `UserError` unless each name is a rater's (or `label` where there are none) and each delay is usable."""
    names = videos[0].annotators if videos else ()
    for name, seconds in delays.items():
        if names:
            check_choice("delay", name, names)
        elif name != LABEL:
            raise UserError(
                f"`delay` must be of `{LABEL}` where one person alone has rated or none is named. Received: {name}."
            )
        if not abs(seconds) <= LONGEST_DELAY:
            raise UserError(f"`delay` must be at most {LONGEST_DELAY:g} seconds. Received: {seconds:g} for {name}")


def labels_of_frames(
    labels: Labels,
    names: Sequence[str],
    frames: Sequence[int],
    seen: tuple[dict[int, float], dict[int, int]],
    *,
    chosen: Chosen = (),
    delays: Sequence[tuple[str, float]] = (),
    max_hole: float = MAX_HOLE,
) -> Labels:
    """Return labels with a row for each of `frames`.

    With delays, a frame takes what each rater has given so many seconds after it, and the label becomes the mean of the
    raters, or of the chosen.

    Args:
      labels: of the video.
      names: of its single annotators.
      frames: numbers of the frames.
      seen: timestamp, and number in the source, of every frame of the video, by its number.
      chosen: for each dimension the raters whose mean is the label; empty keeps the labels' own values.
      delays: names and seconds; raters who are not named are not shifted.
      max_hole: seconds, see `labels.nearest`.
    """
    own = _late(labels, frames, seen, 0.0, max_hole)
    late = {name: _late(labels, frames, seen, seconds, max_hole) for name, seconds in delays}
    if late and not names:
        return replace(own, values=late[LABEL].values)
    if late:
        columns = [late.get(name, own).annotators[:, index] for index, name in enumerate(names)]
        annotators = np.stack(columns, axis=1)
        own = replace(own, annotators=annotators, values=mean_of(annotators))
    return with_chosen(own, names, chosen)


def with_chosen(labels: Labels, names: Sequence[str], chosen: Chosen) -> Labels:
    """Return labels whose values are the mean of the annotators chosen for each dimension; none keeps the values.

    Raises:
      UserError: as `labels.choose_annotators`.
    """
    if not any(chosen):
        return labels
    values = [
        choose_annotators(labels, names, who).values[:, column] if who else labels.values[:, column]
        for column, who in enumerate(chosen)
    ]
    return replace(labels, values=np.stack(values, axis=1))


def _late(
    labels: Labels,
    frames: Sequence[int],
    seen: tuple[dict[int, float], dict[int, int]],
    by: float,
    max_hole: float,
) -> Labels:
    """Return the labels given `by` seconds after each frame."""
    times, sources = seen
    if not by or labels.times is not None:
        shown = [times[number] + by for number in frames]
        return match(labels, [sources[number] for number in frames], shown, max_hole=max_hole)
    # Rows that count frames belong to the frame that is shown so much later.
    numbers = np.array(list(times))
    later = nearest(np.array(list(times.values())), np.array([times[number] for number in frames]) + by, END_TOLERANCE)
    own = [sources[numbers[place]] if place >= 0 else 0 for place in later]
    return match(labels, own, [0.0] * len(own))


def rows_unused(labels: Labels, end: float, frames: int, source: VideoSource) -> int:
    """Return how many labelled rows with times lie after a video's end.

    Args:
      labels: of the video.
      end: seconds, of its last frame.
      frames: its number of frames.
      source: for the message.

    Raises:
      UserError: if they are more than a tenth: their times are in another unit, or they belong to another video.
    """
    if labels.times is None or len(labels.times) < 2 or source.end is not None:
        return 0
    times = labels.times[~np.isnan(labels.values).all(axis=1)]
    unused = int((times > end + END_TOLERANCE).sum())
    if unused > MOST_UNUSED * len(times):
        last = times.max()
        advice = "Check that the times are seconds, and the annotation that of this video."
        if np.array_equal(times, np.rint(times)) and last <= frames * (1 + MOST_UNUSED) + 1:
            advice = "The times look like numbers of frames: they must be seconds."
        elif end / 2 <= last / 1000 <= end * (1 + MOST_UNUSED) + END_TOLERANCE:
            advice = "The times look like milliseconds: they must be seconds."
        raise UserError(
            f"{source.path}: {unused} of {len(times)} rows of the annotation lie after the video's end at {end:.1f} "
            f"seconds, the last at {last:g}. {advice}"
        )
    return unused


def check_length(labels: int, frames: int, tolerance: int, path: Path) -> None:
    """Raise a `UserError` if the number of labels and of decoded frames of the video `path` differ by too much.

    Players and decoders differ by a frame at the end of many files: labels beyond the video are not used, and frames
    beyond the annotation have no label. A larger difference means that the two do not belong together.
    """
    difference = labels - frames
    if abs(difference) > tolerance:
        kind = "longer" if difference > 0 else "shorter"
        raise UserError(
            f"{path}: the annotation is {abs(difference)} frames {kind} than the video ({labels} labels, {frames} "
            f"frames decoded). At most {tolerance} may differ. Correct either, or raise `length_tolerance`."
        )


def check_fits(labels: Labels, frames: int, tolerance: int, source: VideoSource) -> None:
    """Raise a `UserError` if `labels` cannot be those of a video of which the last frame has the number `frames`.

    Frames that do not decode count, wherever they are: the tolerance is for the end.

    Rows that count frames are checked by `check_length`, except where their number may differ: crops are missing where
    there is no face, also at the end, so labels may go on; frames may go on where each row has its frame's number. An
    annotation with its own clock, or without any row, fits every video.
    """
    count = len(labels.values)
    if labels.times is not None or count == 0:
        return
    may_go_on = source.cropped and count > frames
    may_end = isinstance(labels, NumberedLabels) and count < frames
    if not (may_go_on or may_end):
        check_length(count, frames, tolerance, source.path)
