"""The file `partition.json`: the part, a split or a fold, of each video of a packed corpus."""

import json
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import folder_at, local_path, regular, whole


def save(found: dict, path: str | Path, overwrite: bool = True) -> None:
    """Write the parts that `partition_report.partition` found, whole or not at all.

    Args:
      overwrite: whether other contents may be replaced.

    Raises:
      UserError: if they may not, and there are.
    """
    path, text = local_path(path), json.dumps(found, indent=1, allow_nan=False) + "\n"
    if not overwrite and path.exists():
        if load(path) == found["videos"]:
            return
        raise UserError(
            f"{path}: exists already, with other parts. Runs may have been trained by them. Replace it with "
            "`overwrite`, or name another file."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        partial.write_text(text, "utf-8")


def load(path: str | Path) -> dict[str, str]:
    """Return the part of each video, by the split that it was packed in and its name, such as `train/101`.

    Raises:
      UserError: if the file is not one that `save` wrote.
    """
    try:
        videos = json.loads(regular(folder_at(path)).read_text("utf-8"))["videos"]
        if not isinstance(videos, dict) or not all(isinstance(part, str) for part in videos.values()):
            raise ValueError("`videos` is not a part by video")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{path}: must be a file that `python -m tfrecords_tools partition` wrote. Received: {reason}"
        ) from None
    return videos
