"""Find the files of a dataset by name, in folders of any depth."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files below `folder` with one of `suffixes` (in any case), sorted; skip hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )


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
    return path.name if path.is_dir() else path.stem


def numbered(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> dict[int, Path]:
    """Return the files directly in `folder` whose name is a number, such as 00012.jpg or 12.pts, by that number."""
    return {
        int(path.stem): path
        for path in sorted(folder.glob("*"))
        if re.fullmatch(r"[0-9]+", path.stem) and path.suffix.lower() in suffixes and path.is_file()
    }


def folders_of_images(folder: Path) -> list[Path]:
    """Return the folders below `folder` that directly hold an image named by a number, sorted."""
    return [path for path, names in _walk(folder) if any(_is_numbered_image(name) for name in names)]


def innermost_folders(folder: Path) -> list[Path]:
    """Return the folders below `folder` that hold no other folder, sorted; also empty ones."""
    return [path for path, _ in _walk(folder, innermost=True)]


def _walk(folder: Path, innermost: bool = False) -> list[tuple[Path, list[str]]]:
    # Not `rglob`, which asks for each of perhaps a million files whether it is a folder.
    return sorted(
        (Path(path), names)
        for path, folders, names in os.walk(folder)
        if Path(path) != folder and not (innermost and folders) and not Path(path).name.startswith(".")
    )


def _is_numbered_image(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return re.fullmatch(r"[0-9]+", stem) is not None and suffix.lower() in IMAGE_SUFFIXES
