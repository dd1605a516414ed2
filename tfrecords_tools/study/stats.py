"""Statistics of a packed corpus: how its labels are distributed per split, over the quadrants, and in the plane.

The histograms are those of ijcv2019 fig. 4 (each dimension alone), fig. 11 (the plane) and thesis figs. 3.16 and 3.17.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.files import folder_at, whole
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.reader import read_labels
from tfrecords_tools.study import attributes
from tfrecords_tools.study.quadrants import QUADRANTS, count_quadrants, quadrant_of

# Edges of the histograms' bins. A value on an edge is in the bin above it; the last bin includes both of its edges.
EDGES = np.arange(-20, 21) / 20
ALL = "all"
LEAST_FILLED = 0.1  # share of their range below which labels are suspicious


def statistics(folder: str | Path) -> dict:
    """Return the statistics of a packed corpus, the content of `stats.json`.

    `splits` has an entry for each split with videos, and `all` for the whole corpus; see `of_split`. Counts are of
    frames. What is not defined, such as the mean of no label, is None.

    Raises:
      UserError: if there is no packed corpus, or a file of it cannot be read.
    """
    packed = manifest.load(folder)
    labels = read_labels(folder, packed, packed.videos)
    splits = {}
    for split in (*schema.SPLITS, ALL):
        chosen = [index for index, entry in enumerate(packed.videos) if split in (entry.split, ALL)]
        if chosen:
            splits[split] = of_split([packed.videos[i] for i in chosen], [labels[i] for i in chosen])
    return {
        "corpus": packed.name,
        "layout": packed.layout,
        "labelling": packed.labelling,
        "zero_counts_as": "positive",
        "edges": EDGES.tolist(),
        "splits": splits,
        "suspicious": suspicious(labels, packed.label_range),
        "left_out": _left_out(packed),
    }


def suspicious(labels: Sequence[np.ndarray], label_range: dict[str, tuple[float, float]]) -> list[str]:
    """Return a line for each dimension whose labels fill less than a tenth of their range.

    Args:
      labels: for each video, (n, 2) valence and arousal, NaN where missing.
      label_range: lowest and highest label of each dimension.
    """
    lines = []
    for name, values in zip(schema.DIMENSIONS, np.concatenate(labels).T, strict=True):
        low, high = label_range[name]
        values = values[np.isfinite(values)]
        if len(values) > 1 and np.ptp(values) < LEAST_FILLED * (high - low):
            lines.append(
                f"{name}: all labels are from {values.min():.4g} to {values.max():.4g}, less than a tenth of the range "
                f"{low:g} to {high:g}. Check their unit."
            )
    return lines


def of_split(entries: Sequence[VideoEntry], labels: Sequence[np.ndarray]) -> dict:
    """Return the statistics of some videos.

    `histogram_plane[i][j]` counts valence in bin i and arousal in bin j. Labels beyond -1 and 1 are counted in the
    outermost bins, and their number is `beyond`. A video's length is its number of frames by its frame rate.

    Args:
      entries: of the videos.
      labels: for each of them, (n, 2) valence and arousal of its records, NaN in both where missing.
    """
    values = np.concatenate(labels)
    values = values[schema.is_labelled(values)]
    # float32 has 0.35 below 0.35; labels are never finer than 1e-6.
    binned = np.round(values, 6).clip(-1, 1)
    quadrants = count_quadrants(quadrant_of(values))
    minutes = np.array([entry.frames_decoded / entry.fps / 60 for entry in entries if entry.fps > 0])
    numbers = {
        "videos": len(entries),
        "subjects": len({entry.subject for entry in entries}),
        "frames_decoded": sum(entry.frames_decoded for entry in entries),
        "frames_without_face": sum(entry.frames_without_face for entry in entries),
        "frames_removed": sum(entry.frames_removed for entry in entries),
        "frames": sum(entry.frames for entry in entries),
        "frames_labelled": len(values),
        "minutes": _spread(minutes, ("sum", "min", "median", "max")),
        "frames_a_video": _spread(np.array([entry.frames for entry in entries]), ("min", "median", "max")),
        "quadrants": {
            name: {"frames": int(number), "share": number / len(values) if len(values) else None}
            for name, number in zip(QUADRANTS, quadrants, strict=True)
        },
        "attributes": attributes.of_videos(entries, labels),
        "frames_with_a_zero": int((values == 0).any(axis=1).sum()),
        "histogram_plane": np.histogram2d(*binned.T, bins=[EDGES, EDGES])[0].astype(int).tolist(),
    }
    for column, name in enumerate(schema.DIMENSIONS):
        numbers[name] = {
            **_spread(values[:, column], ("mean", "std", "min", "median", "max")),
            "beyond": int((np.abs(values[:, column]) > 1).sum()),
            "histogram": np.histogram(binned[:, column], bins=EDGES)[0].tolist(),
        }
    return numbers


def table(numbers: dict) -> str:
    """Return what `statistics` returns as lines of text."""
    lines = [f"{numbers['corpus']}, layout {numbers['layout']}"]
    if numbers.get("labelling"):
        lines.append(f"labels: {numbers['labelling']}")
    lines.append(
        f"{'split':<12}{'videos':>8}{'subjects':>10}{'minutes':>9}{'of a video':>14}{'decoded':>11}{'no face':>9}"
        f"{'removed':>9}{'records':>11}{'labelled':>11}"
    )
    for split, own in numbers["splits"].items():
        length = own["minutes"]
        lines.append(
            f"{split:<12}{own['videos']:>8,}{own['subjects']:>10,}{_format(length['sum'], '.1f'):>9}"
            f"{_format(length['min'], '.2f') + '-' + _format(length['max'], '.2f'):>14}{own['frames_decoded']:>11,}"
            f"{own['frames_without_face']:>9,}{own['frames_removed']:>9,}{own['frames']:>11,}"
            f"{own['frames_labelled']:>11,}"
        )
    dimensions = "".join(f"{f'{name} mean, sd':>20}{'range':>15}" for name in schema.DIMENSIONS)
    lines += ["", f"{'split':<12}{dimensions}" + "".join(f"{f'{name} %':>9}" for name in QUADRANTS)]
    for split, own in numbers["splits"].items():
        line = f"{split:<12}"
        for name in schema.DIMENSIONS:
            spread = own[name]
            line += f"{_format(spread['mean'], '+.2f') + ', ' + _format(spread['std'], '.2f'):>20}"
            line += f"{_format(spread['min'], '+.2f') + ' ' + _format(spread['max'], '+.2f'):>15}"
        for quadrant in own["quadrants"].values():
            share = quadrant["share"]
            line += f"{_format(None if share is None else 100 * share, '.1f'):>9}"
        lines.append(line)
    zeros = numbers["splits"][ALL]["frames_with_a_zero"]
    lines.append(f"V: valence, A: arousal; 0 counts as positive (in {zeros:,} of the labels)")
    for name in schema.DIMENSIONS:
        if beyond := numbers["splits"][ALL][name]["beyond"]:
            labels = "1 label is" if beyond == 1 else f"{beyond:,} labels are"
            lines.append(f"{name}: {labels} beyond -1 and 1, and counted in the outermost bins of the histograms")
    lines += attributes.lines({split: own["attributes"] for split, own in numbers["splits"].items()})
    lines += numbers["suspicious"]
    lines += [f"left out: {left['split']}/{left['video']}: {left['reason']}" for left in numbers["left_out"]]
    return "\n".join(lines)


def write(numbers: dict, folder: str | Path) -> list[Path]:
    """Write `stats.json`, `stats-labels.png` and `stats-plane.png`; return their paths."""
    from tfrecords_tools.study import figures

    folder = folder_at(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("stats.json", "stats-labels.png", "stats-plane.png")]
    with whole(paths[0]) as partial:
        partial.write_text(json.dumps(numbers, allow_nan=False) + "\n", "utf-8")
    figures.label_histograms(numbers, paths[1])
    figures.planes(numbers, paths[2])
    return paths


def _spread(values: np.ndarray, names: Sequence[str]) -> dict[str, float | None]:
    return {name: float(getattr(np, name)(values)) if len(values) else None for name in names}


def _format(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _left_out(packed: Manifest) -> list[dict[str, str]]:
    return [{"video": left.video, "split": left.split, "reason": left.reason} for left in packed.left_out]
