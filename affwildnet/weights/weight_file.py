"""The arrays of a file of weights, by name, and which of them have been used."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.files import sha256_of

Shape = tuple[int, ...]


class WeightFile:
    """The arrays of a file by their names in it; each is read when it is taken.

    Args:
      path: the file, for messages and checksums.
      shapes: the shape of each array.
      read: returns the array of a name.
      files: the files that hold the weights; by default `path` alone.
    """

    def __init__(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]],
        read: Callable[[str], np.ndarray],
        files: Sequence[Path] | None = None,
    ):
        self.path = path
        self.files = [path] if files is None else list(files)
        self.shapes = {name: tuple(map(int, shape)) for name, shape in shapes.items()}
        self.left_out: dict[str, str] = {}
        self._read = read
        self._taken: set[str] = set()

    @classmethod
    def of_arrays(
        cls, path: Path, arrays: Mapping[str, np.ndarray], files: Sequence[Path] | None = None
    ) -> "WeightFile":
        """Return the file whose arrays are in memory already."""
        return cls(path, {name: array.shape for name, array in arrays.items()}, arrays.__getitem__, files)

    def first_present(self, names: Sequence[str]) -> str:
        """Return the first of several spellings of a name that is in the file, or the first of all if none is."""
        return next((name for name in names if name in self.shapes), names[0])

    def take(self, name: str, shapes: Sequence[Shape], target: str) -> np.ndarray:
        """Return an array, float32.

        Args:
          name: in the file.
          shapes: those that it may have.
          target: the weight of the network that it is for, such as "conv1/kernel"; for messages.

        Raises:
          UserError: if there is no array of that name, or it has another shape.
        """
        wanted = " or ".join(map(str, shapes))
        if name not in self.shapes:
            raise UserError(
                f"{self.path}: must hold {name} of shape {wanted}, for {target} of the network. "
                f"Received: a file without it.{suggestion(name, self.shapes)} "
                "Check that the file is complete, and that `source` and `experiment` are those of these weights."
            )
        if self.shapes[name] not in shapes:
            raise UserError(
                f"{self.path}: {name} must have shape {wanted}, for {target} of the network. "
                f"Received: {self.shapes[name]}. Check that `experiment` is the network of these weights."
            )
        self._taken.add(name)
        return np.asarray(self._read(name), "float32")

    def leave_out(self, name: str, reason: str) -> None:
        """Note why an array is not used, if it is in the file."""
        if name in self.shapes:
            self.left_out[name] = reason

    def leave_out_the_rest(self, reason: str) -> None:
        """Note the same reason for every array that was neither taken nor left out before."""
        for name in self.shapes.keys() - self._taken - self.left_out.keys():
            self.left_out[name] = reason

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of each file that holds the weights, by its name without the folder."""
        return {path.name: sha256_of(path) for path in self.files}


def check_file(path: Path, what: str) -> None:
    """Raise a `UserError` unless there is a file at `path`; `what` describes the file that is wanted."""
    if not path.is_file():
        state = "a folder" if path.is_dir() else "a path that does not exist"
        raise UserError(f"`path` must be {what}. Received: {state}: {path}")


class Damaged(ValueError):
    """What is wrong with a file of weights, in words for the user."""


def unreadable(path: Path, what: str, reason: str = "") -> UserError:
    """Return the error for a file that cannot be read as `what` it should be.

    Args:
      path: the file.
      what: what it must be.
      reason: what is wrong, in words for the user; by default what its first bytes show.
    """
    received = reason or _first_sight(path)
    return UserError(
        f"{path}: must be {what}, and complete. Received: {received}. Get the file again, and compare its size with "
        "that where it comes from."
    )


def _first_sight(path: Path) -> str:
    """Return what a file is that no reader reads; `path` may be the beginning of several files' names."""
    begin = b""
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(512).lstrip().lower()
        if not begin:
            return "an empty file"
    if begin.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "one that is damaged, cut off or of another kind"
