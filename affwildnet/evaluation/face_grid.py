"""Faces of a split beside what is said of them: a grid of crops, each with its label and the prediction."""

from functools import cached_property

import cv2
import numpy as np

from affwildnet.data import Corpus
from affwildnet.evaluation.scoring.predictions import Evaluation
from tfrecords_tools.records.reader import decode_face, read_records
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

COLUMNS, ROWS = 6, 3
SIDE, TEXT = 128, 34  # pixels of a face's side, and of the height of the lines below it
_GREEN, _ORANGE = (150, 230, 150), (255, 180, 90)  # RGB


class FaceGrid:
    """Draws the same faces of a split for every network: labelled ones, spread evenly over its frames."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    @cached_property
    def _faces(self) -> list[tuple[tuple[str, str], int, np.ndarray]]:
        """The key of the video, the frame number and the pixels of each face."""
        corpus, faces = self._corpus, []
        labelled = np.flatnonzero(corpus.record_labelled)
        chosen = labelled[np.unique(np.linspace(0, len(labelled) - 1, COLUMNS * ROWS).round().astype(int))]
        for entry, own in corpus.by_video(chosen):
            for record in read_records(corpus.folder, entry, own):
                face = decode_face(record)
                shown = np.zeros((SIDE, SIDE, 3), np.uint8) if face is None else cv2.resize(face, (SIDE, SIDE))
                faces.append(((entry.video, entry.subject), int(record["frame"]), shown))
        return faces

    def drawn(self, evaluation: Evaluation) -> np.ndarray:
        """Return (height, width, 3) uint8 RGB, the grid with the labels (green) and the predictions (orange).

        Raises:
          UserError: if a record is corrupt.
        """
        rows = -(-len(self._faces) // COLUMNS)
        grid = np.zeros((rows * (SIDE + TEXT), COLUMNS * SIDE, 3), np.uint8)
        videos = {video.key: video for video in evaluation.videos}
        for number, (key, frame, face) in enumerate(self._faces):
            top, left = number // COLUMNS * (SIDE + TEXT), number % COLUMNS * SIDE
            grid[top : top + SIDE, left : left + SIDE] = face
            video = videos[key]
            index = int(np.searchsorted(video.frames, frame))
            for line, (values, colour) in enumerate(((video.labels, _GREEN), (video.predictions, _ORANGE)), start=1):
                place = left + 4, top + SIDE + 14 * line
                cv2.putText(grid, _words(values[index]), place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
        return grid


def _words(values: np.ndarray) -> str:
    if len(values) == len(DIMENSIONS):
        return "  ".join(f"{name[0].upper()} {value:+.2f}" for name, value in zip(DIMENSIONS, values, strict=True))
    return f"{EXPRESSIONS[values.argmax()]} {values.max():.2f}"
