"""A sample corpus of real video files in the layout of Aff-Wild, for trying the pipeline from end to end.

What it is: two public-domain portraits, animated synthetically. Every clip has a face shape, colouring, lighting and
head motion of its own; mouth, brows and eyelids follow a smooth random valence and arousal curve by a fixed rule,
with blinks, speech-like mouth movement and clip-wise expressiveness that the labels do not know of.

What it is not: recordings or emotions of people. A figure measured on it tells that reading, packing, training and
evaluation work and that a model can learn from pixels; it says nothing about quality on people.
"""

import dataclasses
import functools
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import check_new_folder
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.sample.portraits import AXES, EYES, Portrait, express, load_portraits, rig, vary_identity
from tfrecords_tools.video.writing import VideoWriter

SIZE = (640, 360)  # width, height in pixels
FPS = 30
MIN_CLIPS = 3
LIMIT = 0.9  # of the labels; the format allows 1
MAX_WORKERS = 2
# How far each axis of the expression strays from what the labels say; it sets how hard the labels are to read.
DRIFT = {"smile": 0.3, "frown": 0.15, "lids": 0.12, "open": 0.15, "brow": 0.32, "pucker": 0.2, "yaw": 0.2, "pitch": 0.2}


@dataclasses.dataclass(frozen=True)
class Clip:
    """What makes one clip; everything in it follows from `seed` and `index`."""

    index: int
    split: str
    frames: int
    seed: int

    @property
    def name(self) -> str:
        return f"sample_{self.index + 1:03d}"


def write_sample(
    output: str | Path,
    clips: int = 20,
    seed: int = 0,
    min_seconds: float = 8.0,
    max_seconds: float = 12.0,
    landmark_model: Path | str | None = None,
    progress: bool = False,
) -> None:
    """Write a sample corpus of synthetic faces: two animated portraits, not a measure of quality on people.

    Writes `videos/SPLIT/ID.mp4` (640x360 at 30 frames per second, MPEG-4) and
    `annotations/SPLIT/{valence,arousal}/ID.txt`, where line i is the label of frame i, a float in [-1, 1].
    Validation and test get 15 % of the clips each, at least one; train gets the rest. The same arguments give the
    same annotations and frames. The folder appears under its name only when it is whole.

    Args:
      output: the folder to write; it must not exist, or be empty.
      clips: number of clips, at least 3; their ids are unique over the splits.
      seed: of all randomness, at least 0.
      min_seconds: shortest clip.
      max_seconds: longest clip.
      landmark_model: path of dlib's 68-point model; None lets `find_model` look for it.
      progress: whether to show a progress bar.

    Raises:
      UserError: if `output` holds something, an argument is out of range, or a package or the model is missing.
    """
    output = Path(output)
    _check(output, clips, seed, min_seconds, max_seconds)
    portraits = load_portraits(landmark_model)
    plan = _plan(clips, seed, min_seconds, max_seconds)
    partial = output.absolute().with_name(f".partial-{output.absolute().name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for split in SPLITS:
            (partial / "videos" / split).mkdir(parents=True)
            for dimension in ("valence", "arousal"):
                (partial / "annotations" / split / dimension).mkdir(parents=True)
        _write_all(plan, partial, portraits, progress)
        os.replace(partial, output.absolute())
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(output: Path, clips: int, seed: int, min_seconds: float, max_seconds: float) -> None:
    check_new_folder(output)
    if clips < MIN_CLIPS:
        raise UserError(f"clips must be at least {MIN_CLIPS}, one for each split. Received: {clips}. Ask for more.")
    if seed < 0:
        raise UserError(f"seed must be at least 0. Received: {seed}. Give another one.")
    if not 0.5 <= min_seconds <= max_seconds:
        raise UserError(
            "min_seconds must be at least 0.5 and at most max_seconds. "
            f"Received: {min_seconds} and {max_seconds}. Change one of them."
        )


def _plan(clips: int, seed: int, min_seconds: float, max_seconds: float) -> list[Clip]:
    held_out = max(1, round(0.15 * clips))
    splits = ["train"] * (clips - 2 * held_out) + ["validation"] * held_out + ["test"] * held_out
    seconds = np.random.default_rng([seed, clips]).uniform(min_seconds, max_seconds, clips)
    return [
        Clip(index, split, round(float(length) * FPS), seed)
        for index, (split, length) in enumerate(zip(splits, seconds, strict=True))
    ]


def _write_all(plan: list[Clip], folder: Path, portraits: list[Portrait], progress: bool) -> None:
    write = functools.partial(_write_clip, folder=folder, portraits=portraits)
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    # Forking would copy the locks of whatever threads the caller has running.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        for _ in tqdm(pool.map(write, plan), total=len(plan), unit="clip", disable=not progress):
            pass


def _write_clip(clip: Clip, folder: Path, portraits: list[Portrait]) -> None:
    cv2.setNumThreads(1)  # there is one process for each core already
    labels = label_curves(clip.frames, clip.index, clip.seed)
    rng = np.random.default_rng([clip.seed, clip.index, 1])
    portrait = vary_identity(portraits[clip.index % len(portraits)], rng)
    coefficients = expression_curves(labels, portrait.rest, rng)
    places = _head_motion(clip.frames, rng)
    scene = _Scene(portrait, clip.frames, rng)
    head = rig(scene.portrait)
    with VideoWriter(folder / "videos" / clip.split / f"{clip.name}.mp4", FPS, SIZE) as video:
        for number, (coefficient, place) in enumerate(zip(coefficients, places, strict=True)):
            video.write(scene.render(number, express(head, coefficient), place))
    for dimension, curve in zip(("valence", "arousal"), labels.T, strict=True):
        path = folder / "annotations" / clip.split / dimension / f"{clip.name}.txt"
        path.write_text("".join(f"{value:.4f}\n" for value in curve))


def label_curves(frames: int, index: int, seed: int) -> np.ndarray:
    """Return (frames, 2) float64 valence and arousal of clip `index`, smooth, within [-0.9, 0.9].

    The two are close to uncorrelated within a clip. The clips' means take turns through the four quadrants, so that
    few clips already cover the plane.
    """
    rng = np.random.default_rng([seed, index, 0])
    quadrant = ((1, 1), (-1, -1), (-1, 1), (1, -1))[(index + seed) % 4]
    means = np.array(quadrant) * rng.uniform(0.1, 0.45, 2)
    valence = _wander(frames, rng)
    arousal = min((_wander(frames, rng) for _ in range(16)), key=lambda curve: abs(np.mean(curve * valence)))
    return LIMIT * np.tanh(np.stack([valence, arousal], 1) * rng.uniform(0.65, 0.9, 2) + means)


def _wander(frames: int, rng: np.random.Generator, fastest: float = 3.5, shortest: float = 2.0) -> np.ndarray:
    """Return (frames,) a sum of slow sinusoids with mean 0 and deviation 1.

    `fastest` is in cycles for the whole curve; no period is below `shortest` seconds.
    """
    seconds = frames / FPS
    cycles = np.minimum(rng.uniform(0.6, fastest, 4), seconds / shortest)
    time = np.linspace(0, 2 * np.pi, frames, endpoint=False)[:, None]
    curve = (np.sin(time * cycles + rng.uniform(0, 2 * np.pi, 4)) / np.sqrt(cycles)).sum(1)
    return (curve - curve.mean()) / curve.std()


def expression_curves(labels: np.ndarray, rest: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Return the coefficients of the expression axes for a clip's labels.

    Valence draws the mouth's corners up or down, and the brows together where it is negative; arousal opens the mouth,
    raises the brows and widens the eyes. How strongly differs from clip to clip; drift, blinks, speech and turns of the
    head are independent of the labels.

    Args:
      labels: (frames, 2) valence and arousal in [-1, 1].
      rest: coefficients of the neutral face by axis.
      rng: source of what is not in the labels.

    Returns:
      (frames, 8) float64, in the order of portraits.AXES.
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
        "yaw": 0.5 * _wander(frames, rng, 5),
        "pitch": 0.4 * _wander(frames, rng, 5),
    }
    curves = {
        axis: gain[axis] * curve + bias[axis] + DRIFT[axis] * _wander(frames, rng, 6) + rest.get(axis, 0.0)
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
    return syllables * np.clip(_wander(frames, rng, 6), 0, 1)


def _blinks(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (frames,) in [0, 0.8]: blinks of a fifth of a second, every two to five seconds."""
    closed = np.zeros(frames)
    start = rng.uniform(0.5, 3) * FPS
    while start < frames:
        closed += 0.8 * np.exp(-(((np.arange(frames) - start) / 1.8) ** 2))
        start += rng.uniform(2, 5) * FPS
    return closed.clip(0, 0.8)


def _head_motion(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (frames, 2, 3) affine maps from the portraits' canvas to the frame: pose skew, scale, roll, shift."""
    skew = np.array([[1.0, rng.uniform(-0.04, 0.04)], [rng.uniform(-0.03, 0.03), rng.uniform(0.95, 1.05)]])
    scales = rng.uniform(0.88, 1.05) * (1 + 0.02 * _wander(frames, rng))
    rolls = np.radians(rng.uniform(-3, 3) + 2 * _wander(frames, rng, 5))
    x = SIZE[0] / 2 + rng.uniform(-70, 70) + 10 * _wander(frames, rng, 5)
    y = 138 + rng.uniform(-8, 8) + 5 * _wander(frames, rng, 5)
    places = np.zeros((frames, 2, 3))
    for place, scale, roll, position in zip(places, scales, rolls, np.stack([x, y], 1), strict=True):
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        place[:, :2] = scale * turn @ skew
        place[:, 2] = position - place[:, :2] @ np.array(EYES)
    return places


class _Scene:
    """Background, light and camera of one clip."""

    LIGHT_FRAMES = 6  # the light changes slowly: it is computed anew this often

    def __init__(self, portrait: Portrait, frames: int, rng: np.random.Generator):
        self._rng = rng
        blur, colour = rng.uniform(0.3, 1.0), rng.uniform(0.93, 1.07, 3)
        # Blur and colour of the camera do not change within a clip, so they are laid on its sources.
        self._background = _through_lens(_background(rng), blur, colour)
        self.portrait = dataclasses.replace(
            portrait, image=np.dstack([_through_lens(portrait.image[..., :3], blur, colour), portrait.image[..., 3]])
        )
        self._gains = rng.uniform(0.8, 1.1) * (1 + 0.06 * _wander(frames, rng, 5).clip(-2, 2))
        self._angles = rng.uniform(0, 2 * np.pi) + 0.5 * _wander(frames, rng)
        self._contrast = rng.uniform(0.05, 0.3)
        self._noise = rng.normal(0, rng.uniform(1.5, 4), (SIZE[1] + 64, SIZE[0] + 64, 3)).round().astype(np.int16)
        self._x, self._y = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
        self._light = np.ones((SIZE[1], SIZE[0], 3), np.float32)
        # Large arrays are costly to allocate anew for every frame.
        self._head = np.empty((SIZE[1], SIZE[0], 4), np.uint8)
        self._colours = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
        self._image = np.empty_like(self._colours)

    def render(self, number: int, head: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return frame `number`, (360, 640, 3) uint8 RGB, valid until the next call.

        `head` is (460, 560, 4) uint8 RGB and opacity; `place` is the (2, 3) map from it to the frame.
        """
        if number % self.LIGHT_FRAMES == 0:
            angle = self._angles[number]
            slope = self._contrast * (np.cos(angle) * self._x + np.sin(angle) * self._y)
            self._light[...] = (self._gains[number] * (1 + slope))[..., None]
        cv2.warpAffine(head, place, SIZE, self._head, cv2.INTER_LINEAR)
        cv2.cvtColor(self._head, cv2.COLOR_RGBA2RGB, self._colours)
        opacity = self._head[..., 3].astype(np.float32)
        cv2.blendLinear(self._colours, self._background, opacity, 255 - opacity, self._image)
        cv2.multiply(self._image, self._light, self._image, 1, cv2.CV_8U)
        # One field of noise, shifted anew for every frame: drawing it anew would take most of the time.
        x, y = self._rng.integers(64, size=2)
        noise = self._noise[y : y + SIZE[1], x : x + SIZE[0]]
        return cv2.add(self._image, noise, self._image, None, cv2.CV_8U)


def _through_lens(image: np.ndarray, blur: float, colour: np.ndarray) -> np.ndarray:
    """Return the uint8 RGB image blurred by `blur` pixels, its channels multiplied by `colour`."""
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur)
    return np.round(blurred * colour).clip(0, 255).astype(np.uint8)


def _background(rng: np.random.Generator) -> np.ndarray:
    """Return (360, 640, 3) uint8: a blurred room of light and patches."""
    wall = rng.uniform(0.5, 1, (3, 4, 1)) * rng.uniform(0.85, 1, (3, 4, 3))
    image = cv2.resize(wall, SIZE, interpolation=cv2.INTER_LINEAR)
    image = image * _muted_colour(rng)
    for _ in range(rng.integers(3, 9)):
        left, top = rng.uniform(-100, SIZE[0]), rng.uniform(-80, SIZE[1] - 40)
        width, height = rng.uniform(40, 260, 2)
        corners = (round(left), round(top)), (round(left + width), round(top + height))
        patch = cv2.rectangle(np.zeros(SIZE[::-1]), *corners, 1.0, -1)[..., None] * rng.uniform(0.3, 0.8)
        image = image * (1 - patch) + patch * _muted_colour(rng)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(3, 9)).clip(0, 255).astype(np.uint8)


def _muted_colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(40, 220) * rng.uniform(0.7, 1.1, 3)
