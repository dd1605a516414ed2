"""Files of models that come with other packages: found without importing the package, and checked."""

import importlib.util
from pathlib import Path

from tfrecords_tools.errors import UserError
from tfrecords_tools.files import sha256_of


def in_package(package: str, *parts: str) -> list[Path]:
    """Return where a file of an installed package would be: one path, or none without the package.

    The package is not imported, which could need what is not installed.
    """
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return [Path(folder).joinpath(*parts) for folder in folders]


def check_sha256(path: Path, expected: str, what: str, how_to_get_it: str) -> None:
    """Raise a `UserError` unless a file has the expected sha256.

    Args:
      path: of the file.
      expected: its sha256.
      what: the file is, for the message.
      how_to_get_it: a sentence without its full stop, for the message.
    """
    if (found := sha256_of(path)) != expected:
        raise UserError(f"{path}: the sha256 of {what} must be {expected}. Received: {found}. {how_to_get_it}.")
