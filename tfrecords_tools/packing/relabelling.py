"""Labels of other annotators, or brought forward, for a video that is packed already: its faces are not found again."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.packing.labelling import Chosen, with_chosen
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import index, schema
from tfrecords_tools.records.packed_corpus import VideoEntry

_AT_ONCE = 512


def relabelled(
    path: Path,
    entry: VideoEntry,
    target: Path,
    names: Sequence[str],
    chosen: Chosen,
    expression: bool = False,
    delayed: Labels | None = None,
) -> VideoEntry:
    """Write the records of a video to `target` with the mean of the chosen annotators as their label.

    They are those that packing the video afresh would write, byte for byte.

    Args:
      path: of the packed records, with the dataset's own label.
      entry: of these.
      target: of the new records.
      names: of all annotators, in the records' order.
      chosen: for each dimension the annotators whose mean is the label; none keeps the label that is there.
      expression: whether the records hold an expression class.
      delayed: labels with a row for each record, brought forward and chosen; None takes the records' annotators.

    Raises:
      UserError: if a record cannot be read.
    """
    import_tensorflow()
    from tfrecords_tools.records.reader import read_records
    from tfrecords_tools.records.writer import VideoRecords

    fields, labels = schema.fields(len(names), expression), []
    with VideoRecords(target, fields) as records:
        for first in range(0, entry.frames, _AT_ONCE):
            indices = range(first, min(first + _AT_ONCE, entry.frames))
            for record in read_records(path.parent, dataclasses.replace(entry, file=path.name), indices, fields):
                if delayed is None:
                    given = Labels(record["label"][None], None, record["annotators"][None])
                    (label,) = with_chosen(given, names, chosen).values
                    changed = {"label": label}
                else:
                    row = len(labels)
                    label = delayed.values[row]
                    changed = {"label": label, **({"annotators": delayed.annotators[row]} if names else {})}
                records.write({**record, **changed})
                labels.append(label)
    classes = entry.index["expression"] if expression else None
    return dataclasses.replace(
        entry,
        file=target.name,
        sha256=records.sha256,
        file_bytes=sum(records.record_bytes),
        index=index.rows(entry.frame_numbers, records.record_bytes, np.array(labels), classes),
    )
