"""What a table of predictions is of: its video, its network, its options. It lies beside the table as JSON."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affwildnet.runs.json_files import read_json, write_json
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import sha256_of
from tfrecords_tools.version import VERSION

Provenance = dict[str, dict[str, Any]]

_ENDS = 1 << 20  # bytes at the beginning and at the end of a video that distinguish it from others, with its length
# Of each part: what it is compared by, None for all its fields. The rest is for people.
_COMPARED = {"video": ("sha256",), "network": ("sha256",), "faces": None, "options": None}


def provenance(
    video: Path | None, network: Path | None, faces: Mapping[str, Any], options: Mapping[str, Any], where: str = ""
) -> Provenance:
    """Return what predictions are of, as JSON can hold it.

    Args:
      video: a video, or a folder of images; None is a camera, of which no two predictions are the same.
      network: a `.keras` file, or the folder of a SavedModel; None is one in memory, which is never the same either.
      faces: how faces are found and cut out.
      options: how they are predicted from.
      where: the name of a camera.
    """
    of_video = {"path": where} if video is None else {"path": str(video), "sha256": _ends(video)}
    found = {
        "video": of_video,
        "network": {"path": "memory"} if network is None else {"path": str(network), "sha256": content(network)},
        "faces": dict(faces),
        "options": dict(options),
        "program": {"version": VERSION},
    }
    return json.loads(json.dumps(found, default=str))  # as it is read again


def content(path: Path) -> str:
    """Return the sha256 of a file, or of the names and files below a folder."""
    if path.is_file():
        return sha256_of(path)
    total = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        total.update(f"{file.relative_to(path)}\n{content(file)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _ends(path: Path) -> str:
    """Return the sha256 of a video's length and both of its ends, or of those of the images in a folder."""
    total = hashlib.sha256()
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    for place in files:
        size = place.stat().st_size
        name = "" if place is path else place.name
        total.update(f"{name}\n{size}\n".encode("utf-8", "surrogateescape"))
        with place.open("rb") as file:
            total.update(file.read(_ENDS))
            file.seek(max(file.tell(), size - _ENDS))
            total.update(file.read(_ENDS))
    return total.hexdigest()


def write(path: Path, of: Provenance, table: Path) -> None:
    """Write a provenance whole or not at all, with the sha256 of the table that it lies beside."""
    write_json(path, {**of, "table": {"sha256": content(table)}})


def difference(path: Path, of: Provenance, table: Path) -> str | None:
    """Return in words what a table is of that `of` is not; None if it is of the same.

    Args:
      path: of the provenance that lies beside the table. Without a readable one, the table may be of anything, and is
        something else; so is one that was changed, or a file that has only its name.
      of: what would be predicted.
      table: its path.
    """
    try:
        found = read_json(path)
    except UserError:
        found = None
    if found is None or not isinstance(found.get("table"), dict):
        return "and it is not known what of"
    if table.exists() and found["table"].get("sha256") != content(table):
        return "and was changed after it was predicted"
    for part, names in _COMPARED.items():
        old, new = found.get(part), of[part]
        old = old if isinstance(old, dict) else {}
        for name in names or sorted({*old, *new}):
            if name not in old or name not in new or old[name] != new[name]:
                if part in ("video", "network"):
                    return f"of another {part} ({old.get('path', 'unknown')})"
                return f"with {name} {_shown(old, name)}, not {_shown(new, name)}"
    return None


def _shown(fields: Mapping[str, Any], name: str) -> str:
    return "unknown" if name not in fields else "none" if fields[name] is None else str(fields[name])
