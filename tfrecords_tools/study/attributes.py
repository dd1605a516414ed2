"""Attributes of a corpus's videos, as the papers' tables have them.

ijcv2019 table 3: formats, mean, standard deviation and median of the resolution; table 4: genders of the subjects.
Thesis table 3.2: frame rates; table 3.5: classes of videos by their valence; table 3.7: genders of the videos.

The thesis sorts its videos into mainly positive, mainly negative, both and neutral, and gives no rule (its text and its
table also exchange the numbers of the last two). Here a label is positive or negative beyond `NEUTRAL`; a video is
neutral where fewer than half of its labels are either, mainly the one that makes up two thirds of those, and else both.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tfrecords_tools.records.packed_corpus import VideoEntry

CLASSES = ("mainly positive", "mainly negative", "both", "neutral")
NEUTRAL = 0.1
UNKNOWN = "unknown"


def of_videos(entries: Sequence[VideoEntry], labels: Sequence[np.ndarray]) -> dict:
    """Return the attributes of some videos; what is not defined is None.

    Args:
      entries: of the videos.
      labels: for each of them, (n, 2) valence and arousal of its records, NaN where missing.
    """
    subjects = {entry.subject: entry.gender or UNKNOWN for entry in entries}
    sizes = np.array([(entry.width, entry.height) for entry in entries if entry.width], np.float64).reshape(-1, 2)
    kinds = Counter(valence_class(values[:, 0]) for values in labels)
    return {
        "containers": _counted(entry.container or UNKNOWN for entry in entries),
        "frame_rates": _counted(f"{round(entry.fps, 2):g}" if entry.fps else UNKNOWN for entry in entries),
        "resolution": {
            name: [float(value) for value in getattr(np, name)(sizes, axis=0)] if len(sizes) else None
            for name in ("mean", "std", "median")
        },
        "genders": {
            "subjects": _counted(subjects.values()),
            "videos": _counted(entry.gender or UNKNOWN for entry in entries),
        },
        "valence_classes": {name: kinds[name] for name in CLASSES},
    }


def valence_class(valence: np.ndarray) -> str | None:
    """Return which of `CLASSES` a video is by its (n,) labels, NaN where missing; None without any.

    Example:
        >>> valence_class(np.array([0.5, 0.4, 0.3, -0.2])), valence_class(np.array([0.5, -0.5]))
        ('mainly positive', 'both')
    """
    valence = np.round(valence[~np.isnan(valence)], 6)
    if not len(valence):
        return None
    positive, negative = (valence > NEUTRAL).mean(), (valence < -NEUTRAL).mean()
    either = positive + negative
    if either < 0.5:
        return "neutral"
    if max(positive, negative) >= 2 / 3 * either:
        return "mainly positive" if positive > negative else "mainly negative"
    return "both"


def lines(splits: dict[str, dict]) -> list[str]:
    """Return the attributes of the splits as lines of text.

    Args:
      splits: for each split what `of_videos` returns.
    """
    shown = [""]
    for split, own in splits.items():
        genders = own["genders"]["subjects"]
        classes = ", ".join(f"{number} {name}" for name, number in own["valence_classes"].items() if number)
        shown.append(f"{split:<12}frames per second (videos): {_listed(own['frame_rates'])}; {_resolution(own)}")
        shown.append(f"{'':<12}files: {_listed(own['containers'])}; genders (subjects): {_listed(genders)}")
        if classes:
            shown.append(f"{'':<12}valence of videos: {classes}")
    return shown


def _counted(values) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in counts.items())


def _resolution(own: dict) -> str:
    if own["resolution"]["mean"] is None:
        return "resolution unknown"
    mean, deviation, median = (
        "x".join(f"{side:.0f}" for side in own["resolution"][name]) for name in own["resolution"]
    )
    return f"resolution {mean}, deviation {deviation}, median {median}"
