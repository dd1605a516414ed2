"""Write the sample corpus: real video files in the layout of Aff-Wild, to try the pipeline from end to end.

It shows two public-domain portraits, animated. Every clip has a face shape, skin, colours, light, background and head
motion of its own; mouth, brows and eyelids follow a smooth random curve of valence and arousal by a fixed rule, and the
skin folds with them, with blinks, speech-like movements of the mouth and an expressiveness of each clip that the labels
do not contain.

It does not show people or their emotions. A score on it says that reading, packing, training and evaluation work, and
that a model can learn from pixels; it says nothing about quality on people.
"""

import dataclasses
import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import check_new_folder
from tfrecords_tools.files.exchange import FOLDER, Exchange
from tfrecords_tools.records.schema import DIMENSIONS, SPLITS
from tfrecords_tools.sample.clip_curves import FPS, SIZE, expression_curves, head_motion, label_curves
from tfrecords_tools.sample.expressions import express, rig
from tfrecords_tools.sample.identities import vary_identity
from tfrecords_tools.sample.portraits import Portrait, load_portraits
from tfrecords_tools.sample.scene import Scene
from tfrecords_tools.video.writing import VideoWriter

MIN_CLIPS = 3
MAX_WORKERS = 2
FOLDING = (0.3, 1.0)  # how much the skin of a face folds: least and most


@dataclasses.dataclass(frozen=True)
class Clip:
    """One clip; everything in it follows from `seed` and `index`."""

    index: int
    split: str
    frames: int
    seed: int

    @property
    def name(self) -> str:
        return f"sample_{self.index + 1:03d}"


def write_sample(
    output: str | Path,
    clips: int = 150,
    seed: int = 0,
    min_seconds: float = 2.5,
    max_seconds: float = 4.0,
    landmark_model: Path | str | None = None,
    progress: bool = False,
) -> None:
    """Write a sample corpus of two animated portraits; scores on it say nothing about quality on people.

    It has `videos/SPLIT/NAME.mp4` (640x360 at 30 frames per second, MPEG-4) and
    `annotations/SPLIT/{valence,arousal}/NAME.txt`, where line i is the label of frame i, a number in [-1, 1].
    Validation and test get 15 % of the clips each, at least one; train gets the rest. The same arguments give the
    same annotations and frames. The folder appears under its name when it is whole.

    Example:
        >>> write_sample("data/sample", clips=3)

    Args:
      output: folder to write, new or empty.
      clips: number of clips, at least 3; their names are unique over the splits.
      seed: of all that is random, at least 0.
      min_seconds: length of the shortest clip, at least 0.5.
      max_seconds: length of the longest clip.
      landmark_model: path of dlib's 68-point model; None lets `find_model` look for it.
      progress: whether to show a progress bar.

    Raises:
      UserError: if `output` holds something, an argument is out of range, or a package or the model is missing.
    """
    output = Path(output)
    _check(output, clips, seed, min_seconds, max_seconds)
    portraits = load_portraits(landmark_model)
    plan = _plan(clips, seed, min_seconds, max_seconds)
    with Exchange(output) as exchange:  # a link or a mount point stays what it is
        check_new_folder(output, besides=FOLDER)
        for split in SPLITS:
            (exchange.new / "videos" / split).mkdir(parents=True)
            for dimension in DIMENSIONS:
                (exchange.new / "annotations" / split / dimension).mkdir(parents=True)
        _write_all(plan, exchange.new, portraits, progress)
        exchange.complete()


def _check(output: Path, clips: int, seed: int, min_seconds: float, max_seconds: float) -> None:
    if not (output / FOLDER).is_dir():  # else it was killed there; checked again when that is cleared away
        check_new_folder(output)
    if clips < MIN_CLIPS:
        raise UserError(f"`clips` must be at least {MIN_CLIPS}, one for each split. Received: {clips}")
    if seed < 0:
        raise UserError(f"`seed` must be at least 0. Received: {seed}")
    if not 0.5 <= min_seconds <= max_seconds:
        raise UserError(
            "`min_seconds` must be at least 0.5 and at most `max_seconds`. "
            f"Received: {min_seconds:g} and {max_seconds:g}"
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
    # A fork would copy the locks of threads that the caller runs.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        for _ in tqdm(pool.map(write, plan), total=len(plan), unit="clip", disable=not progress):
            pass


def _write_clip(clip: Clip, folder: Path, portraits: list[Portrait]) -> None:
    cv2.setNumThreads(1)  # each core has a process of its own
    labels = label_curves(clip.frames, clip.index, clip.seed)
    rng = np.random.default_rng([clip.seed, clip.index, 1])
    portrait, other = np.roll(np.array(portraits, object), clip.index % len(portraits))
    portrait = vary_identity(portrait, rng, other)
    coefficients = expression_curves(labels, portrait.rest, rng)
    places = head_motion(clip.frames, rng)
    scene = Scene(portrait, clip.frames, rng)
    head = rig(scene.portrait, rng.uniform(*FOLDING))
    with VideoWriter(folder / "videos" / clip.split / f"{clip.name}.mp4", FPS, SIZE) as video:
        for number, (coefficient, place) in enumerate(zip(coefficients, places, strict=True)):
            video.write(scene.render(number, express(head, coefficient), place))
    for dimension, curve in zip(DIMENSIONS, labels.T, strict=True):
        path = folder / "annotations" / clip.split / dimension / f"{clip.name}.txt"
        path.write_text("".join(f"{value:.4f}\n" for value in curve))
