"""From frames to the faces that are predicted from: followed as in packing, but with a bounded look ahead."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from affwildnet.predict.rows import REMEMBERED, Face, Recent, Row
from affwildnet.predict.timing import Stages, TimedDetector, TimedPredictor
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box, Detector
from tfrecords_tools.faces.landmarks import LandmarkPredictor
from tfrecords_tools.faces.tracking import EVERY, Followed, follow_faces
from tfrecords_tools.faces.tracks import SHORTEST, jumps
from tfrecords_tools.video.reading import Frame

FACES = ("one", "all")
AWAY = 1.0  # seconds without the face that is followed, after which another one may take its place
HELD = 15  # frames, the most that wait for a face to show whether it is one


def rows(
    frames: Iterable[Frame],
    detector: Detector,
    predictor: LandmarkPredictor,
    aligner: Aligner,
    *,
    which: str = "one",
    every: int = EVERY,
    keep_images: bool = False,
    stages: Stages | None = None,
) -> Iterator[Row]:
    """Yield every frame with the faces to predict from, cut out.

    Args:
      frames: of one video, in order.
      which: "one" face at a time, see `chosen`; or "all".
      every: see `tracking.follow_faces`; so many frames come behind, and up to `HELD` more.
      keep_images: whether rows keep their images.
      stages: counts the time.
    """
    stages = stages or Stages()
    followed = follow_faces(
        stages.decoding(frames),
        TimedDetector(detector, stages),
        TimedPredictor(predictor, stages),
        every,
        remembered=REMEMBERED,
    )
    if which == "one":
        followed = chosen(followed)
    return without_jumps(_cut_out(followed, aligner, keep_images, stages))


def chosen(followed: Iterable[Followed]) -> Iterator[Followed]:
    """Leave one face in each frame: the largest at first, and then the same.

    When that face has been away for a second, the largest of those that are there takes its place. Packing sees the
    whole video before it chooses, and takes the face of most frames.
    """
    current, seen = None, 0.0
    for each in followed:
        time = each.frame.timestamp
        if current not in each.boxes and each.boxes and (current is None or time - seen > AWAY):
            current = max(each.boxes, key=lambda number: each.boxes[number].area)
        if current in each.boxes:
            seen = time
            yield Followed(each.frame, {current: each.boxes[current]}, {current: each.landmarks[current]})
        else:
            yield Followed(each.frame)


def _cut_out(followed: Iterable[Followed], aligner: Aligner, keep_images: bool, stages: Stages) -> Iterator[Row]:
    for each in followed:
        faces = []
        with stages.of("crop"):
            for number, box in each.boxes.items():
                landmarks = each.landmarks[number]
                faces.append(Face(number, box, landmarks, *aligner(each.frame.image, box, landmarks)))
        yield Row.of(each.frame, faces, keep_images)


@dataclass(eq=False)
class _Piece:
    """Frames of a track between two jumps.

    Attributes:
      after_jump: whether it begins with one.
      frames: how many it has.
      waiting: those of them of which it is not known yet whether they are believed.
      last: number, box and landmarks of the newest.
    """

    after_jump: bool
    frames: int = 0
    waiting: list[tuple[Row, Face]] = field(default_factory=list)
    last: tuple[int, Box, np.ndarray] | None = None


def without_jumps(coming: Iterable[Row]) -> Iterator[Row]:
    """Take false detections out of the rows, as `tracks.remove_jumps` does, holding `HELD` rows at most.

    A piece of a track beside a jump is believed when it has five frames. Where that is not known after `HELD` frames, a
    piece that began with a jump is removed, and the first piece of a track believed. Unlike in packing, the longest
    piece of a track has no privilege.
    """
    pieces: Recent[int, _Piece] = Recent()
    held: deque[Row] = deque()
    open_faces: dict[Face, _Piece] = {}
    for row in coming:
        held.append(row)
        for face in list(row.faces):
            pieces[face.track] = _extended(pieces.get(face.track), row, face, open_faces)
        while held:
            undecided = [face for face in held[0].faces if face in open_faces]
            if undecided and len(held) <= HELD:
                break
            for face in undecided:
                _settle(open_faces[face], not open_faces[face].after_jump, open_faces)
            yield held.popleft()
    for piece in set(open_faces.values()):
        _settle(piece, not piece.after_jump, open_faces)
    yield from held


def _extended(piece: _Piece | None, row: Row, face: Face, open_faces: dict[Face, _Piece]) -> _Piece:
    """The piece with one more frame, or the new one that begins with it."""
    if piece is None:
        piece = _Piece(after_jump=False)
    else:
        number, box, landmarks = piece.last
        if jumps((box, landmarks), (face.box, face.landmarks), row.number - number):
            _settle(piece, False, open_faces)
            piece = _Piece(after_jump=True)
    piece.frames += 1
    piece.last = (row.number, face.box, face.landmarks)
    piece.waiting.append((row, face))
    open_faces[face] = piece
    if piece.frames >= SHORTEST:
        _settle(piece, True, open_faces)
    return piece


def _settle(piece: _Piece, believed: bool, open_faces: dict[Face, _Piece]) -> None:
    for row, face in piece.waiting:
        del open_faces[face]
        if not believed:
            row.faces.remove(face)
            row.removed += 1
    piece.waiting = []
