"""What a file of weights holds, by name, and which of it has been taken."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, suggestion

Shape = tuple[int, ...]


class Contents:
    """The arrays of a file by the names that they have there; read one by one, as they are taken.

    Args:
      path: the file, for messages and for its checksum.
      shapes: the shape of each array.
      read: gives an array by its name.
      files: those that the weights lie in, where it is not `path` alone.
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
    def of_arrays(cls, path: Path, arrays: Mapping[str, np.ndarray], files: Sequence[Path] | None = None) -> "Contents":
        return cls(path, {name: array.shape for name, array in arrays.items()}, arrays.__getitem__, files)

    def find(self, names: Sequence[str]) -> str:
        """Return the first of several spellings of a name that the file has, or the first of all if it has none."""
        return next((name for name in names if name in self.shapes), names[0])

    def take(self, name: str, shapes: Sequence[Shape], target: str) -> np.ndarray:
        """Return an array.

        Args:
          name: in the file.
          shapes: those that it may have.
          target: what in the network it is for, such as "conv1/kernel"; for messages.

        Raises:
          UserError: if there is none of that name, or it has another shape.
        """
        wanted = " or ".join(map(str, shapes))
        if name not in self.shapes:
            raise UserError(
                f"{self.path}: must hold {name} of shape {wanted}, for {target} of the network. "
                f"Received: a file without it.{suggestion(name, self.shapes)} "
                "Is it whole, and are `--source` and `--experiment` those of these weights?"
            )
        if self.shapes[name] not in shapes:
            raise UserError(
                f"{self.path}: {name} must have shape {wanted}, for {target} of the network. "
                f"Received: {self.shapes[name]}. Is `--experiment` the network of these weights?"
            )
        self._taken.add(name)
        return np.asarray(self._read(name), "float32")

    def leave_out(self, name: str, reason: str) -> None:
        """Note that an array is not wanted, if the file has it."""
        if name in self.shapes:
            self.left_out[name] = reason

    def leave_out_the_rest(self, reason: str) -> None:
        """Note the same of all that was neither taken nor left out for another reason."""
        for name in self.shapes.keys() - self._taken - self.left_out.keys():
            self.left_out[name] = reason

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of the file, or of each of several, by its name without the folder."""
        sums = {}
        for path in self.files:
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return sums


def check_file(path: Path, what: str) -> None:
    """Raise a `UserError` unless there is a file at `path`; `what` says which is wanted."""
    if not path.is_file():
        state = "a folder" if path.is_dir() else "a path where nothing is"
        raise UserError(f"`--path` must be {what}. Received: {state}: {path}")


def unreadable(path: Path, what: str, error: Exception) -> UserError:
    """Return the error for a file that cannot be read as what it should be."""
    first = next(iter(str(error).strip().splitlines()), "no message")
    return UserError(f"{path}: must be {what}, and whole. Received: {type(error).__name__}: {first}")
