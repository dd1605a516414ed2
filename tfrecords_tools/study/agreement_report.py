"""Report the agreement of a packed corpus's annotators: as JSON, as a table, and as figs. 7 and 8 of ijcv2019."""

import json
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import folder_at, whole
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns
from tfrecords_tools.records.schema import DIMENSIONS
from tfrecords_tools.study import agreement, nearness, reliability_report
from tfrecords_tools.study.one_thread import one_thread

# Names of the correlations in the tables, in their order.
_VALUES = {
    "mac_a": "MAC-A",
    "mac_s": "MAC-S",
    "landmarks_all": "landmarks, all",
    "landmarks_selected": "landmarks, sel.",
    "landmarks_label": "landmarks, label",
}
_AT = [step / 20 for step in range(21)]
_PAPER = "ijcv2019 section 3.5, Aff-Wild: mean MAC-A valence 0.47, arousal 0.46; MAC-S valence 0.71, arousal 0.70"


@one_thread
def report(folder: str | Path, selected: str | Path | None = None, best: int = 0) -> dict:
    """Return the agreement in each video of a packed corpus, the content of `agreement.json`.

    Without single annotators in the records, it has only the correlation of landmarks and labels.

    Args:
      folder: of the packed corpus.
      selected: CSV of the selected annotators, see `agreement.read_selection`.
      best: instead, select so many annotators that agree best in each video; 0 selects none.

    Raises:
      UserError: if there is no packed corpus, the selection cannot be read, or there are fewer than two annotators to
        select from.
    """
    selected = None if selected is None else Path(selected)
    packed = manifest.load(folder)
    names = packed.annotators
    if (selected or best) and len(names) < 2:
        raise UserError(
            f"{folder}: a selection needs single annotators' labels in the records. Received: {_count(len(names))}. "
            "Leave `selected` and `best` out, or pack a dataset that has them."
        )
    if selected and best:
        raise UserError("`selected` and `best` must not both be given. Leave one out.")
    selection = agreement.read_selection(selected, names, [entry.video for entry in packed.videos]) if selected else {}
    fields = ["landmarks", "label", *(["annotators"] if names else [])]
    videos, pooled = [], {dimension: [] for dimension in DIMENSIONS}
    near: dict[str, list[list[dict]]] = {dimension: [] for dimension in DIMENSIONS}
    for entry in packed.videos:
        columns = read_columns(folder, entry, fields, packed.fields)
        videos.append({"split": entry.split, "video": entry.video, "frames": entry.frames})
        for index, dimension in enumerate(DIMENSIONS):
            ratings = columns["annotators"][:, :, index] if names else np.empty((entry.frames, 0))
            chosen = selection.get((entry.video, dimension))
            videos[-1][dimension] = of_dimension(
                ratings, columns["label"][:, index], columns["landmarks"], chosen=chosen, best=best
            )
            videos[-1][dimension]["reliability"] = reliability_report.of_ratings(ratings, names)
            pooled[dimension].append(ratings)
            near[dimension].append(nearness.of_video(ratings, columns["landmarks"], chance=True))
    how = f"the {best} that agree best, in each video" if best else selected.name if selected else None
    return {
        "corpus": packed.name,
        "annotators": list(names),
        "selection": how,
        "videos": videos,
        "summary": {dimension: _summary(videos, dimension) for dimension in DIMENSIONS},
        "reliability": {
            dimension: reliability_report.of_ratings(np.concatenate(parts), names)
            for dimension, parts in pooled.items()
        },
        "landmarks": nearness.ranking(near, names),
        "at": _AT,
    }


def selection(found: dict) -> agreement.Selection:
    """Return the annotators that were selected in a report, by video and dimension."""
    return {
        (video["video"], dimension): tuple(video[dimension]["selected"])
        for video in found["videos"]
        for dimension in DIMENSIONS
        if video[dimension]["selected"]
    }


def of_dimension(
    ratings: np.ndarray,
    label: np.ndarray,
    landmarks: np.ndarray,
    *,
    chosen: tuple[int, ...] | None = None,
    best: int = 0,
) -> dict:
    """Return the agreement in one dimension of one video; what is not defined is None.

    Args:
      ratings: (n, A) of the single annotators, NaN where missing; A may be 0.
      label: (n,) of the corpus, NaN where missing.
      landmarks: (n, 68, 2) in crop coordinates.
      chosen: indices of the selected annotators.
      best: instead, select so many, see `agreement.best_subset`; 0 selects none.
    """
    matrix = agreement.correlations(ratings)
    if best:
        chosen = agreement.best_subset(matrix, best)
    annotations = {"label": label}
    if ratings.shape[1]:
        annotations["all"] = agreement.common(ratings)
    if chosen:
        annotations["selected"] = agreement.common(ratings, chosen)
    found = {
        "correlations": [[None if np.isnan(r) else float(r) for r in row] for row in matrix],
        "inter_annotator": agreement.inter_annotator(matrix),
        "mac_a": agreement.mac(matrix),
        "selected": None if chosen is None else list(chosen),
        "mac_s": None if chosen is None else agreement.mac(matrix, chosen),
    }
    for name in ("all", "selected", "label"):
        values = annotations.get(name)
        correlation, _ = (None, 0) if values is None else agreement.canonical_correlation(landmarks, values)
        found[f"landmarks_{name}"] = correlation
        found[f"landmarks_{name}_by_chance"] = None if correlation is None else agreement.by_chance(landmarks, values)
    return found


def table(found: dict) -> str:
    """Return the agreement that `report` found as text: a line for each video, and the means over them."""
    shown = [name for name in _VALUES if any(found["summary"][d][name]["videos"] for d in DIMENSIONS)]
    heads = [f"{dimension[0].upper()}: {_VALUES[name]}" for dimension in DIMENSIONS for name in shown]
    annotators = ", ".join(found["annotators"]) or "none in the records: only landmarks and labels are compared"
    lines = [f"{found['corpus']}; annotators: {annotators}", f"selected: {found['selection'] or 'none given'}"]
    width = max([5, *(len(video["video"]) for video in found["videos"])]) + 2
    lines.append(f"{'split':<12}{'video':<{width}}{'frames':>8}" + "".join(f"{head:>{_width(head)}}" for head in heads))
    for video in found["videos"]:
        values = [video[dimension][name] for dimension in DIMENSIONS for name in shown]
        lines.append(f"{video['split']:<12}{video['video']:<{width}}{video['frames']:>8,}{_cells(values, heads)}")
    for kind in ("mean", "median", "by chance"):
        values = [found["summary"][dimension][name][kind] for dimension in DIMENSIONS for name in shown]
        lines.append(f"{kind:<{20 + width}}{_cells(values, heads)}")
    counts = [found["summary"][dimension][name]["videos"] for dimension in DIMENSIONS for name in shown]
    cells = "".join(f"{count:>{_width(head)}}" for count, head in zip(counts, heads, strict=True))
    lines.append(f"{'videos where defined':<{20 + width}}{cells}")
    lines.append("V: valence, A: arousal; -: not defined (constant, too few frames, or not given)")
    lines.append("by chance: the mean correlation with the same annotation shifted in a circle, away from its frames")
    lines += [_PAPER] if found["annotators"] else []
    return "\n".join([*lines, *nearness.lines(found["landmarks"]), *reliability_report.lines(found)])


def write(found: dict, folder: str | Path) -> list[Path]:
    """Write `agreement.json`, and `agreement-annotators.png` and `agreement-landmarks.png` where there are curves.

    Returns:
      The paths of what is written.
    """
    from tfrecords_tools.study import figures

    folder = folder_at(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "agreement.json"]
    with whole(paths[0]) as partial:
        partial.write_text(json.dumps(found, allow_nan=False) + "\n", "utf-8")
    annotators = {"mac_s": "MAC-S", "mac_a": "MAC-A"}
    landmarks = {"landmarks_selected": "selected", "landmarks_all": "all annotations", "landmarks_label": "label"}
    for path, names, what in (
        ("agreement-annotators.png", annotators, "mean correlation of the annotators"),
        ("agreement-landmarks.png", landmarks, "canonical correlation with the landmarks"),
    ):
        if any(found["summary"][dimension][name]["videos"] for dimension in DIMENSIONS for name in names):
            figures.cumulative(found, names, what, folder / path)
            paths.append(folder / path)
    return paths


def _summary(videos: list[dict], dimension: str) -> dict:
    numbers = {}
    for name in _VALUES:
        defined = [video[dimension] for video in videos if video[dimension][name] is not None]
        values = [own[name] for own in defined]
        by_chance = [own[f"{name}_by_chance"] for own in defined if f"{name}_by_chance" in own]
        numbers[name] = {
            "videos": len(values),
            "mean": float(np.mean(values)) if values else None,
            "median": float(np.median(values)) if values else None,
            "by chance": float(np.mean(by_chance)) if by_chance else None,
            "share_at_least": agreement.share_at_least(values, _AT),
        }
    return numbers


def _count(annotators: int) -> str:
    return f"{annotators} annotator{'' if annotators == 1 else 's'}"


def _width(head: str) -> int:
    return len(head) + 2


def _cells(values: list[float | None], heads: list[str]) -> str:
    texts = ("-" if value is None else f"{value:.2f}" for value in values)
    return "".join(f"{text:>{_width(head)}}" for text, head in zip(texts, heads, strict=True))
