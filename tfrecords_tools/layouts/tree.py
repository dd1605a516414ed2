"""Find the files of a dataset by name, in folders of any depth. Links to folders are followed, but never in a circle.

What file managers, notebooks and archives leave in folders is passed over, and so are links to what is not there.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


# Folders and files that no dataset holds; hidden ones are passed over too.
JUNK = ("@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "desktop.ini")


def is_junk(name: str) -> bool:
    """Return whether a file or folder of this name is none of a dataset."""
    return name.startswith(".") or name in JUNK


def files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files below `folder` with one of `suffixes` (in any case), sorted."""
    return sorted(
        path / name
        for path, _, names in _walk(folder)
        for name in names
        if os.path.splitext(name)[1].lower() in suffixes and os.path.isfile(path / name)
    )


def clips_folder(source: Path) -> Path:
    """Return where the videos of an annotated folder lie: in `videos`, or in a flat folder itself."""
    folder = source / "videos"
    return folder if folder.is_dir() else source


def by_name(paths: Iterable[Path]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the path of each name (a file's stem, or a folder's name), and a reason for each name that occurs twice.

    A name that occurs twice is in the second result only: which of the two is right is not known.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(name_of(path), []).append(path)
    twice = {
        name: f"{' and '.join(map(str, paths))}: a name must belong to one. Remove or rename the others."
        for name, paths in found.items()
        if len(paths) > 1
    }
    return {name: paths[0] for name, paths in found.items() if name not in twice}, twice


def name_of(path: Path) -> str:
    """Return the stem of a file, or the name of a folder, which may have dots."""
    return path.name if os.path.isdir(path) else path.stem


def numbered(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> dict[int, Path]:
    """Return the files directly in `folder` whose name is a number, such as 00012.jpg or 12.pts, by that number."""
    return {
        int(path.stem): path
        for path in sorted(folder.glob("*"))
        if re.fullmatch(r"[0-9]+", path.stem) and path.suffix.lower() in suffixes and os.path.isfile(path)
    }


def folders_of_images(folder: Path) -> list[Path]:
    """Return the folders below `folder` that directly hold an image named by a number, sorted."""
    return sorted(
        path for path, _, names in _walk(folder) if path != folder and any(_is_numbered_image(name) for name in names)
    )


def innermost_folders(folder: Path) -> list[Path]:
    """Return the folders below `folder` that hold no other folder, sorted; also empty ones."""
    return sorted(path for path, folders, _ in _walk(folder) if path != folder and not folders)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder from `folder` on, with the names of the folders and of the other entries in it."""
    # Not `rglob`, which asks for each of perhaps a million files whether it is a folder, and follows no links.
    above = {str(folder): (os.path.realpath(folder),)}
    for path, folders, names in os.walk(folder, followlinks=True):
        line = above.pop(path)
        kept = []
        for name in sorted(folders):
            inner = os.path.join(path, name)
            real = os.path.realpath(inner) if os.path.islink(inner) else os.path.join(line[-1], name)
            if not is_junk(name) and real not in line:  # a link to a folder that it lies in would have no end
                kept.append(name)
                above[inner] = (*line, real)
        folders[:] = kept
        yield Path(path), kept, [name for name in names if not is_junk(name)]


def _is_numbered_image(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return re.fullmatch(r"[0-9]+", stem) is not None and suffix.lower() in IMAGE_SUFFIXES
