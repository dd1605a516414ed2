"""Types, ranges and sums of what a manifest says, so that nothing damaged or foreign goes further.

Every function raises a `ValueError` that names the field.
"""

import dataclasses
import math
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from tfrecords_tools.faces.face_settings import ALIGNMENTS, DETECTORS, GIVEN, LANDMARKS
from tfrecords_tools.records import schema
from tfrecords_tools.records.index import MOST_FRAMES
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry

MOST_BYTES = 1 << 50  # of one file
LONGEST_TEXT = 4096
MOST_SIDE = 1 << 20  # pixels of a frame
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_entry(entry: VideoEntry) -> None:
    """Raise a `ValueError` unless an entry can be that of a video."""
    for name in ("video", "split", "subject", "file", "sha256", "input_sha256"):
        _text(name, getattr(entry, name), empty=name == "input_sha256")
    _require(entry.split in schema.SPLITS, "split", entry.split)
    # The file lies in the folder of the manifest: no manifest names a file elsewhere.
    is_bare = entry.file == PurePosixPath(entry.file).name == PureWindowsPath(entry.file).name
    _require(is_bare and entry.file not in (".", "..") and "\0" not in entry.file, "file", entry.file)
    for name in ("sha256", "input_sha256"):
        value = getattr(entry, name)
        _require(_SHA256.fullmatch(value) is not None or (not value and name != "sha256"), name, value)
    _real("fps", entry.fps, 0, 1_000_000)
    for name in ("frames_decoded", "frames_without_face", "frames_removed", "rows_unused", "frames_lost"):
        _whole(name, getattr(entry, name), 0, MOST_FRAMES)
    _whole("file_bytes", entry.file_bytes, 1, MOST_BYTES)
    check_faces(entry.detector, entry.landmarks)
    for name in ("gender", "container"):
        _text(name, getattr(entry, name), empty=True)
    for name in ("width", "height"):
        _whole(name, getattr(entry, name), 0, MOST_SIDE)


def check_counts(numbers: list, records: int) -> None:
    """Raise a `ValueError` unless the videos' numbers of records are above 0 and sum to those of the index."""
    _require(bool(numbers), "videos", numbers)
    for number in numbers:
        _whole("frames", number, 1, MOST_FRAMES)
    _require(sum(numbers) == records, "frames", f"{sum(numbers)} in all, the index has {records}")


def check_manifest(manifest: Manifest) -> None:
    """Raise a `ValueError` unless a manifest, whose entries are checked already, can be that of a corpus."""
    for name in ("name", "layout"):
        _text(name, getattr(manifest, name))
    check_crops(manifest.image_size, manifest.alignment, manifest.margin, manifest.colour_order)
    _real("fps", manifest.fps, 0, 1_000_000)
    _whole("jpeg_quality", manifest.jpeg_quality, 0, 100)
    _require(isinstance(manifest.expression, bool), "expression", manifest.expression)
    _require(bool(manifest.videos), "videos", manifest.videos)
    check_faces(manifest.detector, manifest.landmarks)
    for left in manifest.left_out:
        for field in dataclasses.fields(left):
            _text(field.name, getattr(left, field.name), empty=True, longest=100_000)
    for name in manifest.annotators:
        _text("annotators", name)
    _once("annotators", manifest.annotators)
    _once("file", [entry.file for entry in manifest.videos])
    _once("video", [(entry.split, entry.video) for entry in manifest.videos])
    _require(set(manifest.label_range) == set(schema.DIMENSIONS), "label_range", manifest.label_range)
    check_ranges(manifest.label_range)
    for name, seconds in manifest.delays.items():
        _text("delays", name)
        _real("delays", seconds, -1e6, 1e6)
    for video, chosen in manifest.selected.items():
        _text("selected", video)
        _require(set(chosen) == set(schema.DIMENSIONS), "selected", chosen)
        _annotators("selected", chosen, manifest)
    for split, chosen in manifest.annotators_chosen.items():
        _require(split in schema.SPLITS, "annotators_chosen", split)
        _require(set(chosen) <= set(schema.DIMENSIONS), "annotators_chosen", chosen)
        _annotators("annotators_chosen", chosen, manifest)
    _require(set(manifest.nearest) <= set(schema.DIMENSIONS), "nearest", manifest.nearest)


def check_crops(image_size: int, alignment: str, margin: float, colour_order: str) -> None:
    """Raise a `ValueError` unless crops can have been cut out so, see `alignment.Aligner`."""
    _whole("image_size", image_size, 1, 1024)
    _text("alignment", alignment)
    _require(alignment in ALIGNMENTS, "alignment", alignment)
    _real("margin", margin, 0, 1)
    _require(colour_order == schema.COLOUR_ORDER, "colour_order", colour_order)


def check_ranges(ranges: dict[str, tuple[float, float]]) -> None:
    """Raise a `ValueError` unless each value, of a dimension, is a lowest and a highest label."""
    for low, high in ranges.values():
        _real("label_range", low, -1e6, 1e6)
        _real("label_range", high, -1e6, 1e6)
        _require(low < high, "label_range", (low, high))


def _annotators(field: str, chosen: dict[str, list[str]], manifest: Manifest) -> None:
    for names in chosen.values():
        known = isinstance(names, list) and bool(names) and set(names) <= set(manifest.annotators)
        _require(known, field, names)


def check_faces(detector: str, landmarks: str) -> None:
    """Raise a `ValueError` unless faces and landmarks can be of these; "" is not known."""
    _require(detector in ("", GIVEN, *DETECTORS), "detector", detector)
    _require(landmarks in ("", GIVEN, *LANDMARKS), "landmarks", landmarks)


def _text(name: str, value: Any, empty: bool = False, longest: int = LONGEST_TEXT) -> None:
    _require(isinstance(value, str) and (empty or value != "") and len(value) <= longest, name, value)
    value.encode()  # no half of a surrogate pair


def _whole(name: str, value: Any, low: int, high: int) -> None:
    _require(type(value) is int and low <= value <= high, name, value)


def _real(name: str, value: Any, low: float, high: float) -> None:
    _require(type(value) in (int, float) and math.isfinite(value) and low <= value <= high, name, value)


def _once(name: str, values: Any) -> None:
    _require(len(set(values)) == len(values), name, "the same twice")


def _require(holds: bool, name: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"`{name}` cannot be {value!r:.80}")
