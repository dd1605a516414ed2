"""Curves over the frames of a clip: its labels, the expression that follows them, and what does not depend on them.

A clip has 30 frames a second. All curves are drawn from a random generator, in an order that must not change: the
sample corpus is the same for the same seed.
"""

import numpy as np

from tfrecords_tools.sample.canvas import AXES, EYES

FPS = 30
SIZE = (640, 360)  # of a frame: width, height in pixels
LIMIT = 0.9  # of the labels; the format allows 1
# How far each axis of the expression strays from what the labels say; it sets how hard the labels are to predict.
DRIFT = {"smile": 0.3, "frown": 0.15, "lids": 0.12, "open": 0.15, "brow": 0.32, "pucker": 0.2, "yaw": 0.2, "pitch": 0.2}


def label_curves(frames: int, index: int, seed: int) -> np.ndarray:
    """Return (frames, 2) float64 valence and arousal of clip `index`, smooth, within [-0.9, 0.9].

    The two are almost uncorrelated within a clip. The clips' means go through the four quadrants in turn, so that few
    clips cover the plane.
    """
    rng = np.random.default_rng([seed, index, 0])
    quadrant = ((1, 1), (-1, -1), (-1, 1), (1, -1))[(index + seed) % 4]
    means = np.array(quadrant) * rng.uniform(0.1, 0.45, 2)
    valence = wander(frames, rng)
    arousal = min((wander(frames, rng) for _ in range(16)), key=lambda curve: abs(np.mean(curve * valence)))
    return LIMIT * np.tanh(np.stack([valence, arousal], 1) * rng.uniform(0.65, 0.9, 2) + means)


def wander(frames: int, rng: np.random.Generator, fastest: float = 3.5, shortest: float = 2.0) -> np.ndarray:
    """Return (frames,) a sum of slow sinusoids with mean 0 and standard deviation 1.

    Args:
      frames: of the clip.
      rng: draws the sinusoids.
      fastest: most cycles in the whole curve.
      shortest: least period in seconds.
    """
    seconds = frames / FPS
    cycles = np.minimum(rng.uniform(0.6, fastest, 4), seconds / shortest)
    time = np.linspace(0, 2 * np.pi, frames, endpoint=False)[:, None]
    curve = (np.sin(time * cycles + rng.uniform(0, 2 * np.pi, 4)) / np.sqrt(cycles)).sum(1)
    return (curve - curve.mean()) / curve.std()


def expression_curves(labels: np.ndarray, rest: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Return the coefficients of the expression axes for a clip's labels.

    Valence draws the corners of the mouth up or down, and the brows together where it is negative; arousal opens the
    mouth, raises the brows and widens the eyes. Each clip has a strength of its own; drift, blinks, speech and turns of
    the head do not depend on the labels.

    Args:
      labels: (frames, 2) valence and arousal in [-1, 1].
      rest: coefficients of the neutral face by axis.
      rng: draws what does not depend on the labels.

    Returns:
      (frames, 8) float64, in the order of canvas.AXES.
    """
    frames = len(labels)
    valence, arousal = labels.T
    gain = dict(zip(AXES, rng.uniform(0.7, 1.2, len(AXES)), strict=True))
    bias = dict(zip(AXES, rng.normal(0, 0.18, len(AXES)).clip(-0.35, 0.35), strict=True))
    curves = {
        "smile": np.tanh(1.4 * valence + 0.25 * valence * arousal),
        "frown": 0.5 + 0.5 * np.tanh(2 * (0.25 * arousal - valence - 0.2)),
        "lids": 0.1 + 0.08 * valence - 0.35 * np.tanh(1.2 * arousal),
        "open": 0.4 + 0.4 * np.tanh(1.7 * arousal + 0.2 * valence - 0.2),
        "brow": np.tanh(1.3 * arousal - 0.2 * valence),
        "pucker": np.zeros(frames),
        "yaw": 0.5 * wander(frames, rng, 5),
        "pitch": 0.4 * wander(frames, rng, 5),
    }
    curves = {
        axis: gain[axis] * curve + bias[axis] + DRIFT[axis] * wander(frames, rng, 6) + rest.get(axis, 0.0)
        for axis, curve in curves.items()
    }
    speech = _speech(frames, rng)
    curves["open"] = np.maximum(curves["open"] + 0.18 * speech, min(0.0, rest.get("open", 0.0)))
    curves["pucker"] = curves["pucker"] + 0.5 * _speech(frames, rng)
    curves["lids"] = np.clip(curves["lids"] + _blinks(frames, rng), -0.6, 0.8)
    return np.stack([curves[axis] for axis in AXES], 1)


def _speech(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (frames,) in about [0, 1]: syllables, some five a second, in phrases with pauses."""
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * np.cumsum(rng.uniform(3, 6, frames)) / FPS)
    return syllables * np.clip(wander(frames, rng, 6), 0, 1)


def _blinks(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (frames,) in [0, 0.8]: blinks of a fifth of a second, every two to five seconds."""
    closed = np.zeros(frames)
    start = rng.uniform(0.5, 3) * FPS
    while start < frames:
        closed += 0.8 * np.exp(-(((np.arange(frames) - start) / 1.8) ** 2))
        start += rng.uniform(2, 5) * FPS
    return closed.clip(0, 0.8)


def head_motion(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (frames, 2, 3) affine maps from the portraits' canvas to the frame: pose skew, scale, roll, shift."""
    skew = np.array([[1.0, rng.uniform(-0.04, 0.04)], [rng.uniform(-0.03, 0.03), rng.uniform(0.95, 1.05)]])
    scales = rng.uniform(0.84, 1.1) * (1 + 0.02 * wander(frames, rng))
    rolls = np.radians(rng.uniform(-6, 6) + 2.5 * wander(frames, rng, 5))
    x = SIZE[0] / 2 + rng.uniform(-70, 70) + 10 * wander(frames, rng, 5)
    y = 138 + rng.uniform(-8, 8) + 5 * wander(frames, rng, 5)
    places = np.zeros((frames, 2, 3))
    for place, scale, roll, position in zip(places, scales, rolls, np.stack([x, y], 1), strict=True):
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        place[:, :2] = scale * turn @ skew
        place[:, 2] = position - place[:, :2] @ np.array(EYES)
    return places
