"""Report the reaction delay of each annotator of a packed corpus: behind the landmarks, and behind the others."""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.labels import nearest
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study.delay import LONGEST, SHIFTABLE, STEP, Delay, Recording, against_landmarks, against_raters
from tfrecords_tools.study.one_thread import one_thread

_log = logging.getLogger(__name__)

RATE = 2 / STEP  # values per second, so that every shift is a whole number of them
# Seconds; where the nearest frame with a face is further away, there is no value.
_GAP = 0.1
LABEL = "label"
# Of an estimated delay that is used: 1 in 20.
LARGEST_P = 0.05


@one_thread
def report(folder: str | Path) -> dict:
    """Return each annotator's delays in seconds, over both dimensions and all videos.

    `raters` has for each its `name`, `landmarks` and `others`: a `delay.Delay` as a dict, or None where nothing can be
    said. Without single annotators in the records, the label is the one rater, named `label`.

    Raises:
      UserError: if there is no packed corpus, or a file of it cannot be read.
    """
    packed = manifest.load(folder)
    names = packed.annotators or (LABEL,)
    recordings: dict[str, list[Recording]] = {name: [] for name in names}
    fields = ["timestamp", "landmarks", "annotators" if packed.annotators else LABEL]
    for entry in packed.videos:
        columns = read_columns(folder, entry, fields, packed.fields)
        ratings = columns[fields[-1]]
        for index in range(len(DIMENSIONS)):
            own = ratings[:, :, index] if packed.annotators else ratings[:, index : index + 1]
            for name, recording in _recordings(columns["timestamp"].ravel(), columns["landmarks"], own, names):
                recordings[name].append(recording)
    raters = []
    for name, own in recordings.items():
        with_others = [each for each in own if each.others is not None]
        raters.append({
            "name": name,
            "landmarks": _plain(against_landmarks(own)),
            "others": _plain(against_raters(with_others)) if with_others else None,
        })  # fmt: skip
    return {"corpus": packed.name, "shifted": packed.delays, "raters": raters}


def chosen(found: dict) -> dict[str, float]:
    """Return each annotator's delay behind the landmarks in seconds, of what `report` returns; log what it rests on.

    Raises:
      UserError: if one cannot be estimated, cannot be tested against chance, or is no better than it.
    """
    delays = {rater["name"]: rater["landmarks"] for rater in found["raters"]}
    unknown = [name for name, delay in delays.items() if delay is None]
    if unknown:
        raise UserError(
            f"`delay` cannot be estimated for {', '.join(unknown)}: constant, or in videos that are too short: "
            f"{LONGEST:g} s of delay are tried, and more must be left. Give the seconds; no face is looked for again."
        )
    for name, delay in delays.items():
        if delay["p"] is None:
            raise UserError(
                f"`delay` of {name} cannot be tested against chance: the annotations are compared with themselves, "
                f"shifted by more than {LONGEST:g} s, for which a video must be at least {SHIFTABLE:g} s long. "
                f"Received: {delay['rests_on']:.0f} s in all, in shorter ones. Give the seconds."
            )
        if delay["p"] > LARGEST_P:
            raise UserError(
                f"`delay` of {name} must be better supported than by chance, with p of at most {LARGEST_P:g}. "
                f"Received: p {delay['p']:.2f}: a correlation of {delay['correlation']:.2f} at {delay['seconds']:.2f} "
                f"s, where the same annotations, shifted to other times, reach up to {delay['chance']:.2f}. Give the "
                "seconds, or more and longer videos."
            )
    for name, delay in delays.items():
        few = (
            "" if delay["low"] is not None else "; less than a minute, so that there is no interval: take it with care"
        )
        interval = "" if delay["low"] is None else f" ({delay['low']:.2f} to {delay['high']:.2f})"
        _log.info(
            f"delay of {name}: {delay['seconds']:.2f} s{interval}, estimated from {delay['rests_on']:.0f} s of "
            f"annotation; correlation {delay['correlation']:.2f}, by chance {delay['chance']:.2f}{few}"
        )
    return {name: round(delay["seconds"], 2) for name, delay in delays.items()}


def table(found: dict) -> str:
    """Return what `report` returns as lines of text."""
    width = max(len(rater["name"]) for rater in found["raters"]) + 2
    lines = [
        "reaction delay in seconds, with its 95 % interval, and the correlation there, without a shift, and by chance"
    ]
    lines.append(f"{'annotator':<{max(width, 11)}}{'behind the landmarks':<38}{'behind the other annotators':<38}")
    for rater in found["raters"]:
        cells = "".join(f"{_cell(rater[kind]):<38}" for kind in ("landmarks", "others"))
        lines.append(f"{rater['name']:<{max(width, 11)}}{cells}".rstrip())
    if found["shifted"]:
        shifts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["shifted"].items())
        lines.append(f"the corpus's labels have been brought forward already: {shifts}")
    lines.append("by chance: the best of 19 circular shifts of the annotations, at any delay")
    lines.append("-: not defined (constant, too short, or one annotator alone)")
    return "\n".join(lines)


def _recordings(times: np.ndarray, landmarks: np.ndarray, ratings: np.ndarray, names: tuple[str, ...]):
    """Yield (name, recording) of every rater who has rated a video's frames, on a grid of equal steps."""
    if not len(times):
        return
    grid = np.arange(times[0], times[-1] + 0.5 / RATE, 1 / RATE)
    rows = nearest(times, grid, _GAP)
    far = (rows < 0) | (np.abs(times[rows] - grid) > _GAP)
    ratings = np.where(far[:, None], np.nan, ratings[rows])
    there = ~np.isnan(ratings).all(axis=0)
    for index in np.flatnonzero(there):
        others = [other for other in np.flatnonzero(there) if other != index]
        mean = ratings[:, others].mean(axis=1) if others else None
        yield names[index], Recording(RATE, ratings[:, index], landmarks[rows], mean)


def _plain(delay: Delay | None) -> dict | None:
    return delay and asdict(delay)


def _cell(delay: dict | None) -> str:
    if delay is None:
        return "-"
    interval = "" if delay["low"] is None else f" ({delay['low']:.2f} to {delay['high']:.2f})"
    chance = "-" if delay["chance"] is None else f"{delay['chance']:.2f}"
    return f"{delay['seconds']:.2f}{interval}, r {delay['correlation']:.2f}, {delay['undelayed']:.2f}, {chance}"
