"""Reading and writing `manifest.json`, and `index.npy` beside it, which has the rows of the records."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import folder_at, is_remote, local_path, regular, whole
from tfrecords_tools.files.exchange import interrupted
from tfrecords_tools.records import index as records_index
from tfrecords_tools.records import schema
from tfrecords_tools.records.former_manifest import former_rows
from tfrecords_tools.records.manifest_checks import check_counts, check_entry, check_manifest
from tfrecords_tools.records.packed_corpus import LeftOut, Manifest, VideoEntry

FILE_NAME = "manifest.json"

# Earlier manifests lack the label range: it follows from the layout, and is `schema.LABEL_RANGE` for all others.
_FORMER_LABEL_RANGES = {"omg": {"valence": (-1.0, 1.0), "arousal": (0.0, 1.0)}}

_LISTS = ("videos", "left_out", "annotators", "nearest")


def save(manifest: Manifest, folder: str | Path) -> None:
    """Write `index.npy` and then `manifest.json`, one line per video, each whole or not at all.

    Raises:
      ValueError: if the rows of the records have no labels, as those of earlier versions.
    """
    if not manifest.has_labels:
        raise ValueError(f"A manifest must have the rows of version {schema.SCHEMA_VERSION}. Upgrade it first.")
    folder = local_path(folder)
    sha256 = records_index.save([entry.index for entry in manifest.videos], folder / records_index.FILE_NAME)
    lists = {
        "videos": [entry.to_json() for entry in manifest.videos],
        "left_out": [dataclasses.asdict(left) for left in manifest.left_out],
    }
    fields = {
        item.name: getattr(manifest, item.name) for item in dataclasses.fields(manifest) if item.name not in lists
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in {**fields, "index_sha256": sha256}.items()]
    for key, values in lists.items():
        rows = ",\n".join(f"    {json.dumps(value, separators=(',', ':'))}" for value in values)
        lines.append(f"  {json.dumps(key)}: [\n{rows}\n  ]" if rows else f"  {json.dumps(key)}: []")
    with whole(folder / FILE_NAME) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def load(folder: str | Path) -> Manifest:
    """Read the manifest of a packed corpus.

    Raises:
      UserError: if there is none, or not one of this schema version; or if packing was killed while it put the files
        in their places.
    """
    folder = folder_at(folder)
    path = folder / FILE_NAME
    if interrupted(folder):
        how = f"`python -m tfrecords_tools verify {folder}` completes it, and so does packing again."
        if is_remote(folder):
            how = "complete it by `verify` where it was packed, and copy it again."
        raise UserError(
            f"{folder}: not all files are in place, packing was killed while it replaced them. Nothing is lost: {how}"
        )
    try:
        fields = json.loads(regular(path).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        why = (
            f"it has no {FILE_NAME}"
            if folder.is_dir()
            else "it is a file"
            if folder.exists()
            else "there is no such folder"
        )
        raise UserError(
            f"{folder}: not a packed corpus, {why}. "
            "Make one with `python -m tfrecords_tools pack --layout=... --source=... --output=...`."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: must be readable JSON. Received: {error}. Pack the corpus again.") from None
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if version not in schema.READABLE_VERSIONS:
        raise UserError(
            f"{path}: the schema version must be {schema.SCHEMA_VERSION}. Received: {version}. Pack the corpus again."
        )
    try:
        if strange := [name for name in _LISTS if not isinstance(fields.get(name, []), list)]:
            raise ValueError(f"`{strange[0]}` is no list")
        listed = fields.pop("videos")
        if version == schema.SCHEMA_VERSION:
            videos = _with_rows(listed, folder / records_index.FILE_NAME, fields.pop("index_sha256"))
        else:
            videos = tuple(entry_from(entry, former_rows(entry)) for entry in listed)
        left_out = tuple(LeftOut(**entry) for entry in fields.pop("left_out"))
        annotators, nearest = (tuple(fields.pop(name, ())) for name in ("annotators", "nearest"))
        said = fields.pop("label_range", _FORMER_LABEL_RANGES.get(fields["layout"], schema.LABEL_RANGE))
        label_range = {name: (low, high) for name, (low, high) in said.items()}
        found = Manifest(
            videos=videos, left_out=left_out, annotators=annotators, nearest=nearest, label_range=label_range, **fields
        )
        check_manifest(found)
        return found
    except UserError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: not a manifest of schema version {version} ({reason}). Pack it again.") from None


def entry_from(fields: dict, index: np.ndarray) -> VideoEntry:
    """Return the entry of a video from its fields in JSON and the rows of its records.

    Raises:
      AttributeError, KeyError, TypeError, ValueError: if they are not those of an entry.
    """
    fields = dict(fields)
    numbers = {name: fields.pop(name) for name in ("frames", "frames_labelled")}
    entry = VideoEntry(**fields, index=index)
    check_entry(entry)
    for name, number in numbers.items():
        if getattr(entry, name) != number:
            raise ValueError(f"`{name}` of {entry.video} is {number}, and {getattr(entry, name)} in the index")
    return entry


def _with_rows(listed: list[dict], path: Path, sha256: str) -> tuple[VideoEntry, ...]:
    """Return the entries of all videos, with their rows of the index at `path`."""
    rows = records_index.load(path, sha256)
    numbers = [entry["frames"] for entry in listed]
    check_counts(numbers, len(rows))
    ends = np.cumsum([0, *numbers])
    videos = tuple(
        entry_from(entry, rows[first:end]) for entry, (first, end) in zip(listed, pairwise(ends), strict=True)
    )
    records_index.check(rows, [entry.file_bytes for entry in videos], numbers, len(schema.EXPRESSIONS))
    return videos
