"""Inspect a packed corpus: a table of its splits, and a contact sheet of faces with landmarks and labels."""

from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.errors import count as counted
from tfrecords_tools.files import folder_at, whole
from tfrecords_tools.records import manifest, schema
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.reader import decode_face, read_labels, read_records
from tfrecords_tools.study.stats import suspicious


def table(folder: str | Path) -> str:
    """Return a packed corpus as lines of text: splits, counts, labels, what was left out."""
    packed = manifest.load(folder)
    lines = [
        f"{packed.name}: layout {packed.layout}, faces {packed.image_size}x{packed.image_size} {packed.colour_order}, "
        f"alignment {packed.alignment}, schema version {packed.schema_version}",
        *([f"labels: {packed.labelling}"] if packed.labelling else []),
        f"{'split':<12}{'videos':>7}{'subjects':>9}{'frames':>9}{'labelled':>9}{'no face':>8}{'bytes/frame':>12}"
        f"{'valence mean, sd':>20}{'arousal mean, sd':>20}",
    ]
    found = []
    for split in schema.SPLITS:
        entries = [entry for entry in packed.videos if entry.split == split]
        if entries:
            found.append(np.concatenate(read_labels(folder, packed, entries)))
            lines.append(_row(entries, found[-1]))
    lines += [
        f"lost: {entry.split}/{entry.video}: {counted(entry.frames_lost, 'frame')} of the video cannot be decoded"
        for entry in packed.videos
        if entry.frames_lost
    ]
    lines += suspicious(found, packed.label_range)
    for left in packed.left_out:
        lines.append(f"left out: {left.split}/{left.video}: {left.reason}")
    return "\n".join(lines)


def _row(entries: list[VideoEntry], labels: np.ndarray) -> str:
    frames = sum(entry.frames for entry in entries)
    spread = "".join(
        f"{f'{np.nanmean(column):+.2f}, {np.nanstd(column):.2f}' if np.isfinite(column).any() else 'no label':>20}"
        for column in labels.T
    )
    return (
        f"{entries[0].split:<12}{len(entries):>7}{len({entry.subject for entry in entries}):>9}{frames:>9}"
        f"{sum(entry.frames_labelled for entry in entries):>9}"
        f"{sum(entry.frames_without_face for entry in entries):>8}"
        f"{sum(entry.file_bytes for entry in entries) / frames:>12.0f}{spread}"
    )


def contact_sheet(folder: str | Path, path: str | Path, columns: int = 8, rows: int = 6) -> None:
    """Write a PNG of `columns * rows` faces with landmarks and labels, evenly spread over videos and time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from tfrecords_tools.study.glyphs import make_legible

    folder, packed = folder_at(folder), manifest.load(folder)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(columns * 1.6, rows * 1.95), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, (entry, index) in zip(axes.flat, _spread(packed, columns * rows), strict=False):
        (record,) = read_records(folder, entry, [index])
        face = decode_face(record)
        if face is None:
            raise UserError(f"{folder / entry.file}, record {index + 1}: the face is no image. Pack the corpus again.")
        axis.imshow(face)
        # Landmarks are measured from the crop's edge, the axes from the centre of its first pixel.
        points = record["landmarks"] * packed.image_size - 0.5
        axis.scatter(points[:, 0], points[:, 1], s=1.5, c="#00d0ff", linewidths=0)
        axis.set_xlim(-0.5, packed.image_size - 0.5)
        axis.set_ylim(packed.image_size - 0.5, -0.5)
        label = "v {:+.2f}  a {:+.2f}".format(*record["label"]) if schema.is_labelled(record["label"]) else "no label"
        axis.set_title(f"{_end(entry.video)} #{record['frame']}\n{label}", fontsize=6.5, pad=2, parse_math=False)
    make_legible(figure)
    with whole(folder_at(path)) as partial:
        figure.savefig(partial, dpi=130, format="png")
    pyplot.close(figure)


def _end(name: str, longest: int = 18) -> str:
    """Return the end of a name, where names of one corpus differ most, with an ellipsis for what is left out."""
    return name if len(name) <= longest else "…" + name[1 - longest :]


def _spread(packed: Manifest, number: int) -> list[tuple[VideoEntry, int]]:
    frames = [entry.frames for entry in packed.videos]
    starts = np.cumsum([0, *frames])
    chosen = []
    for position in np.linspace(0, starts[-1] - 1, min(number, int(starts[-1]))).astype(int):
        video = int(np.searchsorted(starts, position, side="right")) - 1
        chosen.append((packed.videos[video], int(position - starts[video])))
    return chosen
