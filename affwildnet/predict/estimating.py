"""Estimates for the faces of rows: each track is one sequence, however its frames come."""

from collections.abc import Iterable, Iterator

import numpy as np

from affwildnet.predict.networks import Network, States
from affwildnet.predict.rows import Face, Recent, Row
from affwildnet.predict.stages import Stages

CHUNK = 16  # rows that are estimated together


def estimated(rows: Iterable[Row], network: Network, stages: Stages, chunk: int = CHUNK) -> Iterator[Row]:
    """Yields the rows with their estimates, `chunk` of them held at most.

    A track's states begin at zero and go on with its next face; frames without it leave them as they are.
    """
    states: Recent[int, States] = Recent()
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == chunk:
            _estimate(waiting, network, states, stages)
            yield from waiting
            waiting.clear()
    _estimate(waiting, network, states, stages)
    yield from waiting


def _estimate(rows: list[Row], network: Network, states: Recent, stages: Stages) -> None:
    tracks: dict[int, list[Face]] = {}
    for row in rows:
        for face in row.faces:
            tracks.setdefault(face.track, []).append(face)
    for track, faces in tracks.items():
        with stages.of("network"):
            before = states.get(track) or network.initial_states()
            crops, points = (np.stack([getattr(face, name) for face in faces]) for name in ("crop", "points"))
            estimates, states[track] = network.run(crops, points, before)
        for face, estimate in zip(faces, estimates, strict=True):
            face.estimate = estimate
