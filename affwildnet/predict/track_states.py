"""Predictions for the faces of frames: each track has recurrent states of its own."""

from collections.abc import Iterable, Iterator

import numpy as np

from affwildnet.predict.frame_faces import Face, FrameFaces, Recent
from affwildnet.predict.stateful_networks import StatefulNetwork, States
from affwildnet.predict.timing import PhaseTimes

CHUNK = 16  # frames that are predicted together


def with_predictions(
    frames: Iterable[FrameFaces], network: StatefulNetwork, times: PhaseTimes, chunk: int = CHUNK
) -> Iterator[FrameFaces]:
    """Yield the frames with a prediction for each face; at most `chunk` frames are held.

    A track's states start at zero and continue with its next face. Frames without it leave them as they are.
    """
    states: Recent[int, States] = Recent()
    waiting: list[FrameFaces] = []
    for frame in frames:
        waiting.append(frame)
        if len(waiting) == chunk:
            _predict(waiting, network, states, times)
            yield from waiting
            waiting.clear()
    _predict(waiting, network, states, times)
    yield from waiting


def _predict(frames: list[FrameFaces], network: StatefulNetwork, states: Recent, times: PhaseTimes) -> None:
    tracks: dict[int, list[Face]] = {}
    for frame in frames:
        for face in frame.faces:
            tracks.setdefault(face.track, []).append(face)
    for track, faces in tracks.items():
        with times.of("network"):
            before = states.get(track) or network.initial_states()
            crops, points = (np.stack([getattr(face, name) for face in faces]) for name in ("crop", "points"))
            predictions, states[track] = network.run(crops, points, before)
        for face, prediction in zip(faces, predictions, strict=True):
            face.prediction = prediction
