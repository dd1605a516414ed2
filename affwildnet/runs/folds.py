"""Cross-validation by subject: which videos of a packed corpus one fold trains, validates and tests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.study import partition_file

FILE_NAME = "folds.json"
# A part to test on, one to validate on, one to train on.
FEWEST = 3


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation, over all videos of a corpus, whatever splits they were packed in.

    Fold i is tested on part i, validated on the next part (after the last comes the first), and trained on the others:
    what is chosen on validation (checkpoints, post-processing, when to stop) never depends on the test part.

    Attributes:
      number: of the part to test on, from 1 to `count`.
      parts: the part of each video, `fold-1`, `fold-2`, ..., by its name after the split that it was packed in, such as
        `train/101`.
    """

    number: int
    parts: dict[str, str]

    @classmethod
    def from_json(cls, fields: dict) -> "Fold":
        """Return the fold of these fields; raise a `TypeError` or a `ValueError` if they cannot be those of one."""
        fold = cls(**fields)
        if not isinstance(fold.parts, dict) or type(fold.number) is not int:
            raise TypeError("a fold must have a number and parts")
        if set(fold.parts.values()) != set(_names(fold.count)) or not 1 <= fold.number <= fold.count:
            raise ValueError(f"a fold must be one of its parts, fold-1, fold-2, ...; received {fold.number}")
        return fold

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(set(self.parts.values()))

    @property
    def split_of_part(self) -> dict[str, str]:
        """The split of each part: one of `schema.SPLITS` for each of `fold-1`, `fold-2`, ..."""
        split_of = dict.fromkeys(_names(self.count), "train")
        split_of[_part(self.number % self.count + 1)] = "validation"
        split_of[_part(self.number)] = "test"
        return split_of

    def videos(self, packed: Manifest, split: str, folder: Path) -> list[VideoEntry]:
        """Return the videos of a split of this fold, in the manifest's order.

        Args:
          folder: of the packed corpus, which errors name.

        Raises:
          UserError: if the folds are not those of this corpus, or one subject is in two of them.
        """
        check_choice("split", split, SPLITS)
        self._check(packed, folder)
        split_of = self.split_of_part
        return [entry for entry in packed.videos if split_of[self.parts[_key(entry)]] == split]

    def summary(self) -> str:
        """Return a line that says which parts the fold trains, validates and tests on."""
        parts = {split: [part for part, own in self.split_of_part.items() if own == split] for split in SPLITS}
        videos = {split: sum(part in own for part in self.parts.values()) for split, own in parts.items()}
        train, validation, test = (f"{', '.join(parts[split])} ({_videos(videos[split])})" for split in SPLITS)
        return f"fold {self.number} of {self.count}: trained on {train}, validated on {validation}, tested on {test}"

    def _check(self, packed: Manifest, folder: Path) -> None:
        videos = {_key(entry) for entry in packed.videos}
        how = f"Make them again: {how_to_make(folder)}."
        if lacking := sorted(videos - self.parts.keys()):
            raise UserError(f"{folder}: every video must be in a fold. Received: {_few(lacking)} in none. {how}")
        if strange := sorted(self.parts.keys() - videos):
            raise UserError(
                f"{folder}: the folds must be those of this corpus. Received: {_few(strange)} as well. {how}"
            )
        part_of: dict[str, str] = {}
        for entry in packed.videos:
            part = self.parts[_key(entry)]
            if part_of.setdefault(entry.subject, part) != part:
                raise UserError(
                    f"{folder}: a subject must be in one fold. Received: {entry.subject} in "
                    f"{part_of[entry.subject]} and {part}. {how}"
                )


def chosen(folder: Path, number: int | None, path: Path | None = None) -> Fold | None:
    """Return the fold of a number as `read` does, None where there is no number.

    Raises:
      UserError: if there is a file and no number, and as `read`.
    """
    if number is not None:
        return read(folder, number, path)
    if path is not None:
        raise UserError(f"`fold_file` needs `fold`, the number of one of its folds. Received: {path} alone.")
    return None


def read(folder: Path, number: int, path: Path | None = None) -> Fold:
    """Read a fold of a packed corpus, as `python -m tfrecords_tools partition --folds` wrote it.

    Args:
      folder: of the corpus.
      number: of the fold, from 1 on.
      path: of the file; None is `folds.json` in the corpus.

    Raises:
      UserError: if there is no such file, it holds no folds or too few, or none of that number.
    """
    path = path or folder / FILE_NAME
    if not path.is_file():
        raise UserError(f"{path}: folds must be there. Received: no such file. Make it: {how_to_make(folder, path)}.")
    fold = Fold(number, partition_file.load(path))
    found = sorted(set(fold.parts.values()))
    if found != sorted(_names(fold.count)) or fold.count < FEWEST:
        raise UserError(
            f"{path}: must hold the parts fold-1, fold-2, ..., {FEWEST} or more. Received: "
            f"{', '.join(found) or 'none'}. Make it: {how_to_make(folder, path)}."
        )
    if not 1 <= number <= fold.count:
        raise UserError(f"`fold` must be from 1 to {fold.count}, as {path} has them. Received: {number}")
    return fold


def how_to_make(folder: Path, path: Path | None = None) -> str:
    """Return the command that divides a packed corpus into five folds."""
    return f"`python -m tfrecords_tools partition {folder} --folds=5 --output={path or folder / FILE_NAME}`"


def _names(count: int) -> list[str]:
    return [_part(number) for number in range(1, count + 1)]


def _part(number: int) -> str:
    return f"fold-{number}"


def _key(entry: VideoEntry) -> str:
    return f"{entry.split}/{entry.video}"


def _videos(number: int) -> str:
    return f"{number:,} video" if number == 1 else f"{number:,} videos"


def _few(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
