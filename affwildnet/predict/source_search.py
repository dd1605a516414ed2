"""Which videos, images and GIFs paths of any kind hold, under which names, and what there is besides."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from affwildnet.predict.frame_sources import FrameSource, image_source, images_source, video_source
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.layouts.tree import is_junk
from tfrecords_tools.video.images import IMAGE_FPS, IMAGE_SUFFIXES, shown_name
from tfrecords_tools.video.reading import VIDEO_SUFFIXES

MOVING = (*VIDEO_SUFFIXES, ".gif", ".y4m")
NAMED = 5  # of what is passed over


def find_sources(
    paths: Path | Sequence[Path], image_fps: float = IMAGE_FPS, note: Callable[[str], object] = lambda line: None
) -> list[FrameSource]:
    """Return what paths hold: videos, folders of videos, single images, or folders of images named by their numbers.

    A folder is not searched deeper. Its images are one video where their names are numbers, else each is a source of
    its own; beside videos they are passed over. Sources of one name get that of their folder too.

    Args:
      paths: video and image files, and folders.
      image_fps: frames per second of a folder of images.
      note: called with a line for each folder of which something is passed over.

    Raises:
      UserError: if a path holds neither videos nor images.
    """
    makers: dict[Path, Callable[[Path, str], FrameSource]] = {}
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_file():
            makers[path] = image_source if path.suffix.lower() in IMAGE_SUFFIXES else video_source
        elif path.is_dir():
            makers |= _in_folder(path, image_fps, note)
        else:
            raise UserError(
                f"{shown_name(path)}: must be a video, a folder of videos or a folder of images. Received: no such "
                "file."
            )
    names = unique_names(makers)
    return [make(path, names[path]) for path, make in makers.items()]


def _in_folder(
    folder: Path, image_fps: float, note: Callable[[str], object]
) -> dict[Path, Callable[[Path, str], FrameSource]]:
    inside = [path for path in sorted(folder.iterdir()) if not is_junk(path.name)]
    videos = [path for path in inside if path.suffix.lower() in MOVING and path.is_file()]
    images = [path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    numbered = [path for path in images if re.fullmatch("[0-9]+", path.stem)]
    if videos:
        taken = dict.fromkeys(videos, video_source)
    elif numbered:
        taken = {folder: lambda path, name: images_source(path, name, image_fps)}
    elif images:
        taken = dict.fromkeys(images, image_source)
    else:
        raise UserError(
            f"{shown_name(folder)}: must hold videos ({', '.join(suffix[1:] for suffix in MOVING)}) or images. "
            f"Received: {_listed(inside) or 'an empty folder'}."
        )
    used = set(taken) | (set(numbered) if folder in taken else set())
    if over := [path for path in inside if path not in used]:
        note(f"{shown_name(folder)}: passed over: {_listed(over)}")
    return taken


def _listed(paths: list[Path]) -> str:
    """Return how many folders, images and other files there are, and the names of some."""
    kinds = {
        "folder": [path for path in paths if path.is_dir()],
        "image": [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()],
    }
    known = {path for each in kinds.values() for path in each}
    kinds["other file"] = [path for path in paths if path not in known]
    parts = []
    for kind, found in kinds.items():
        if found:
            more = ", ..." if len(found) > NAMED else ""
            parts.append(
                f"{count(len(found), kind)} ({', '.join(shown_name(path.name) for path in found[:NAMED])}{more})"
            )
    return ", ".join(parts)


def unique_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each path: its stem, or where several have it its file's name, or its folder's before that.

    Raises:
      UserError: if two have the same name even so.
    """
    paths = list(paths)
    forms = (
        lambda path: path.resolve().name if path.is_dir() else path.stem,
        lambda path: path.name,
        lambda path: f"{path.resolve().parent.name}_{path.name}",
    )
    names: dict[Path, str] = {}
    for form in forms:
        left = [path for path in paths if path not in names]
        found = [shown_name(form(path)) for path in left]
        for path, name in zip(left, found, strict=True):
            if found.count(name) == 1 and name not in names.values():
                names[path] = name
    if len(names) < len(paths):
        left = [shown_name(path) for path in paths if path not in names]
        raise UserError(f"{' and '.join(left[:2])}: their files would have the same names. Predict them separately.")
    return names
