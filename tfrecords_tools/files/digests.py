"""The sha256 of a file, by which contents are known."""

import hashlib
from pathlib import Path

from tfrecords_tools.files.regular_files import regular


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's contents, in hexadecimal digits."""
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
