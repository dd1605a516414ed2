"""Predictions for the faces of rows: each track is one sequence, however its frames come."""

from collections.abc import Iterable, Iterator

import numpy as np

from affwildnet.predict.rows import Face, Recent, Row
from affwildnet.predict.runners import Network, States
from affwildnet.predict.timing import Stages

CHUNK = 16  # rows that are predicted together


def predicted(rows: Iterable[Row], network: Network, stages: Stages, chunk: int = CHUNK) -> Iterator[Row]:
    """Yield the rows with their predictions, `chunk` of them held at most.

    A track's states begin at zero and go on with its next face; frames without it leave them as they are.
    """
    states: Recent[int, States] = Recent()
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == chunk:
            _prediction(waiting, network, states, stages)
            yield from waiting
            waiting.clear()
    _prediction(waiting, network, states, stages)
    yield from waiting


def _prediction(rows: list[Row], network: Network, states: Recent, stages: Stages) -> None:
    tracks: dict[int, list[Face]] = {}
    for row in rows:
        for face in row.faces:
            tracks.setdefault(face.track, []).append(face)
    for track, faces in tracks.items():
        with stages.of("network"):
            before = states.get(track) or network.initial_states()
            crops, points = (np.stack([getattr(face, name) for face in faces]) for name in ("crop", "points"))
            predictions, states[track] = network.run(crops, points, before)
        for face, prediction in zip(faces, predictions, strict=True):
            face.prediction = prediction
