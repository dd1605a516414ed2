"""Pack one video to one TFRecord file: find the track of its face, then write the crops with their labels."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box, Detector, Landmarks
from tfrecords_tools.faces.face_settings import GIVEN
from tfrecords_tools.faces.given_faces import in_square_pixels
from tfrecords_tools.faces.tracking import follow_faces
from tfrecords_tools.faces.tracks import (
    Faces,
    Track,
    TrackedFrame,
    choose_track,
    follow_given,
    remove_jumps,
    tracks_of,
)
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing.kept_crops import Crop, KeptCrops, cut_again, cut_out
from tfrecords_tools.packing.labelling import check_fits, labels_of_frames, rows_unused
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.source_reading import Read, read_source
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import index, schema
from tfrecords_tools.records.packed_corpus import VideoEntry
from tfrecords_tools.video.reading import Frame, Frames, frame_rate


def pack_video(source: VideoSource, options: PackOptions, path: Path, read: Read = read_source) -> VideoEntry:
    """Pack one video to `path`, and return its entry; leave nothing there on an error.

    The video is decoded once: the crops of all faces are kept until one of the tracks is chosen. Of a video with
    more of them than `KeptCrops` holds, those of that track are cut out of its frames decoded again.

    Args:
      source: the video.
      options: how it is packed.
      path: of the records.
      read: what reads its frames.

    Raises:
      UserError: if the video or its annotation cannot be used, naming the file and the reason.
    """
    labels = source.labels(options.max_hole)
    cut = partial(cut_out, _aligner(source, options))
    with read(source, options, labels) as frames, KeptCrops(cut, path.parent) as crops:
        seen = _Seen(frames)
        found = _track(source, options, seen, crops)
        track, removed = found.track, found.removed
        if source.end is None:
            check_fits(labels, seen.frames.count, options.length_tolerance, source)
        unused = rows_unused(labels, max(seen.times.values(), default=0.0), len(seen.times), source)
        if not track.boxes:
            raise UserError(
                f"{source.path}: a face must be found in at least one frame. Received: none in {len(seen.times)} "
                "frames. Small faces are found with larger frames: set `upsample` to 1."
            )
        kept = list(track.boxes)
        own = _labels_of(source, options, labels, kept, seen)
        if crops.complete:
            records = _write(source, path, track, own, seen.times, crops.of(track))
        else:
            with read(source, options, labels) as again:
                records = _write(source, path, track, own, seen.times, cut_again(again, track, cut))
    return VideoEntry(
        video=source.video,
        split=source.split,
        subject=source.subject,
        file=path.name,
        sha256=records.sha256,
        fps=options.fps or source.fps or seen.frames.rate or frame_rate(source.path),
        frames_decoded=len(seen.times),
        frames_without_face=len(seen.times) - len(track.boxes) - removed,
        frames_removed=removed,
        file_bytes=sum(records.record_bytes),
        index=index.rows(kept, records.record_bytes, own.values, own.expression if source.expression else None),
        rows_unused=unused,
        frames_lost=seen.frames.lost,
        detector=found.detector,
        landmarks=found.landmarks,
        gender=source.gender,
        width=seen.size[0],
        height=seen.size[1],
        container="images" if source.path.is_dir() else source.path.suffix.lower().removeprefix("."),
    )


def labels_of(source: VideoSource, options: PackOptions, kept: Sequence[int]) -> Labels:
    """Return the labels of the kept frames of a video, by their numbers, without looking for faces."""
    labels = source.labels(options.max_hole)
    seen = _Seen(read_source(source, options, labels))
    for _ in seen:
        pass
    return _labels_of(source, options, labels, kept, seen)


def _labels_of(source: VideoSource, options: PackOptions, labels: Labels, kept: Sequence[int], seen: "_Seen") -> Labels:
    return labels_of_frames(
        labels, source.annotators, kept, (seen.times, seen.sources), chosen=options.chosen, delays=options.delays,
        max_hole=options.max_hole,
    )  # fmt: skip


def finds_faces(source: VideoSource, options: PackOptions) -> bool:
    """Return whether the faces of a video have to be found: they do not come with the dataset, or are not trusted."""
    return not source.cropped and (options.detect or source.read_faces is None)


class _Seen:
    """The frames of a video, whose times and numbers are noted as they go by.

    Attributes:
      times: timestamp of each frame in seconds, by its number.
      sources: number of each frame in the source video, by its number.
      scale: of the frames, see `Frame`.
      frames: what they are read from.
      size: width and height of the first frame in pixels.
    """

    def __init__(self, frames: Frames):
        self.frames = frames
        self.times: dict[int, float] = {}
        self.sources: dict[int, int] = {}
        self.scale = (1.0, 1.0)
        self.size = (0, 0)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.frames:
            self.scale = frame.scale
            self.times[frame.number] = frame.timestamp
            self.sources[frame.number] = frame.source
            if not any(self.size):
                self.size = frame.image.shape[1], frame.image.shape[0]
            yield frame


@dataclass(frozen=True)
class _Found:
    """The track of the labelled face.

    Attributes:
      track: in the frames that are kept.
      removed: number of frames that were removed as false detections.
      detector, landmarks: as in `VideoEntry`.
    """

    track: Track
    removed: int
    detector: str
    landmarks: str


def _track(source: VideoSource, options: PackOptions, frames: _Seen, crops: KeptCrops) -> _Found:
    predictor = _predictor(options)
    if source.cropped:
        track = _only(crops.keep(_follow_whole(frames, predictor)))
        return _Found(track, 0, GIVEN, options.landmarks)
    faces = source.read_faces() if source.read_faces is not None else None
    if not finds_faces(source, options):
        track = _only(crops.keep(follow_given(frames, faces, predictor)))
        all_given = all(frames.sources[number] in faces.landmarks for number in track.boxes)
        return _Found(track, 0, GIVEN, GIVEN if all_given else options.landmarks)
    followed = follow_faces(
        frames, _detector(options), predictor, options.every, recogniser=options.finder.recogniser
    )  # fmt: skip
    tracks = tracks_of(crops.keep(followed))
    if not tracks:
        return _Found(Track(1), 0, options.detector, options.landmarks)
    try:
        if faces is None:
            chosen = choose_track(tracks, source.which)
        else:
            # Tracks have the numbers after a conversion to a fixed rate, the dataset's boxes those of the source.
            boxes = {
                number: in_square_pixels(faces.boxes[own], None, frames.scale)[0]
                for number, own in frames.sources.items()
                if own in faces.boxes
            }
            chosen = choose_track(tracks, "annotated", Faces(boxes))
    except UserError as error:
        raise UserError(f"{source.path}: {error}") from None
    return _Found(*remove_jumps(chosen), options.detector, options.landmarks)


def _detector(options: PackOptions) -> Detector:
    return options.finder.detector


def _predictor(options: PackOptions) -> Landmarks:
    return options.finder.predictor


def _only(frames: Iterable[TrackedFrame]) -> Track:
    """Return the one track of frames that have no other, without boxes where no frame has a face."""
    return next(iter(tracks_of(frames)), Track(1))


def _follow_whole(frames: Iterable[Frame], predictor: Landmarks) -> Iterator[TrackedFrame]:
    """Yield frames that are crops of a face, with the whole image as its box."""
    for frame in frames:
        height, width = frame.image.shape[:2]
        box = Box(0, 0, width, height)
        yield TrackedFrame(frame, {1: box}, {1: predictor.predict(frame.image, box)})


def _aligner(source: VideoSource, options: PackOptions) -> Aligner:
    # A crop has nothing around it by which it could be widened.
    return dataclasses.replace(options.aligner, margin=0) if source.cropped else options.aligner


def _write(
    source: VideoSource,
    path: Path,
    track: Track,
    labels: Labels,
    times: dict[int, float],
    crops: Iterable[tuple[int, Callable[[], Crop]]],
):
    """Write a record for each frame of the track with its row of `labels`; return the `VideoRecords`."""
    # TensorFlow takes seconds to import, and only processes that write need it.
    import_tensorflow()
    from tfrecords_tools.records.writer import VideoRecords

    with VideoRecords(path, schema.fields(len(source.annotators), source.expression)) as records:
        for row, (number, crop) in enumerate(crops):
            box = track.boxes[number]
            try:
                jpeg, points = crop()
            except UserError as error:
                raise UserError(f"{source.path}, frame {number}: {error}") from None
            record = {
                "video": source.video,
                "subject": source.subject,
                "frame": number,
                "timestamp": times[number],
                "face": jpeg,
                "box": (box.left, box.top, box.right, box.bottom),
                "landmarks": points,
                "label": labels.values[row],
            }
            if source.annotators:
                record["annotators"] = labels.annotators[row]
            if source.expression:
                record["expression"] = labels.expression[row]
            records.write(record)
    return records
