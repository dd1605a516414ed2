"""A folder of images as the frames of a video: which files, in which order, with which numbers."""

import os
import re
from pathlib import Path

import cv2
import numpy as np

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import regular

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
IMAGE_FPS = 25.0  # of a folder of images whose frame rate is not known


def check_name(path: str | Path) -> None:
    """Raise a `UserError` if the name of a file is no text: OpenCV ends the whole process with such a name."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(
            f"{shown_name(path)}: the name of a file must be UTF-8 text. Received: other bytes, written here as "
            "\\x... . Rename it."
        ) from None


def shown_name(path: str | Path) -> str:
    """Return a path as text that can be printed and stored: bytes that are no UTF-8 are written as \\x.."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def image_files(folder: Path, first: int = 1) -> list[tuple[int, Path]]:
    """Return the 1-based frame number and the path of every image, by rising number.

    An image is named by its number, with or without leading zeros: `7.jpg`, `00007.png`. Other files, such as
    annotations or hidden files, are ignored, and so are folders and links to what is not there.

    Args:
      folder: holds the images; numbers may be missing.
      first: the number of the video's first image, 0 or 1, whether or not that image is there.

    Raises:
      UserError: if there is no image, if two have the same number, or if a number lies below `first`.
    """
    if first not in (0, 1):
        raise UserError(f"{folder}: the number of the first image must be 0 or 1. Received: {first}.")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not re.fullmatch(r"[0-9]+", path.stem):
            continue
        if not path.is_file():
            continue
        number = int(path.stem) + 1 - first
        if number < 1:
            raise UserError(f"{path}: image numbers must start at {first}. Received: 0. Read it with `first=0`.")
        if number in found:
            raise UserError(f"{path}: an image number must occur once. {found[number].name} has it too: remove one.")
        found[number] = path
    if not found:
        raise UserError(
            f"{folder}: a folder of images must hold JPEG or PNG files named by their numbers, such as 00001.jpg. "
            "Received: none. Check the path."
        )
    return sorted(found.items())


def read_image(path: Path) -> np.ndarray:
    """Return (height, width, 3) uint8 RGB, upright.

    Raises:
      UserError: if the file is not a readable image.
    """
    check_name(regular(path))
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # also where the header names a size that no memory holds
        image = None
    if image is None:
        raise UserError(f"{path}: not a readable image. Replace it, or remove it: the frame then has no face.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
