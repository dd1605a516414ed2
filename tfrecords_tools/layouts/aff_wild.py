"""Aff-Wild: `videos/<split>/<name>.{mp4,avi}` and `annotations/<split>/{valence,arousal}/<name>.txt`.

An annotation has no header and one number from -1 to 1 a line; line i (1-based) is frame i. The distributed archives
can unpack to `videos/train/train`, so folders are searched at any depth.
"""

from functools import partial
from pathlib import Path

from tfrecords_tools.annotations import read_labels
from tfrecords_tools.errors import UserError
from tfrecords_tools.schema import DIMENSIONS, SPLITS
from tfrecords_tools.source import LeftOut, VideoSource
from tfrecords_tools.video import VIDEO_SUFFIXES


def find_videos(source: Path) -> tuple[list[VideoSource], list[LeftOut]]:
    """Returns the videos of all splits, sorted, and what is left out.

    Raises:
      UserError: if there is no video at all.
    """
    videos, left_out = [], []
    for split in SPLITS:
        annotations = {name: _by_stem(source / "annotations" / split, (".txt",), name) for name in DIMENSIONS}
        seen = set()
        for path in _files(source / "videos" / split, VIDEO_SUFFIXES):
            video = path.stem
            if video in seen:
                left_out.append(LeftOut(video, split, f"{path}: another video of this split has this name."))
                continue
            seen.add(video)
            # Where there is none, the path it should have is read, and the error names it.
            pair = [
                annotations[name].get(video, source / "annotations" / split / name / f"{video}.txt")
                for name in DIMENSIONS
            ]
            videos.append(VideoSource(video, split, video, path, partial(read_labels, *pair)))
        for video in sorted(set().union(*annotations.values()) - seen):
            left_out.append(LeftOut(video, split, f"an annotation but no video in {source / 'videos' / split}"))
    if not videos:
        raise UserError(
            f"{source}: no videos. The layout aff_wild wants videos/<split>/<name>.mp4 with <split> one of "
            f"{', '.join(SPLITS)}, and annotations/<split>/{{valence,arousal}}/<name>.txt."
        )
    return videos, left_out


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )


def _by_stem(folder: Path, suffixes: tuple[str, ...], dimension: str) -> dict[str, Path]:
    return {path.stem: path for path in _files(folder, suffixes) if path.parent.name == dimension}
