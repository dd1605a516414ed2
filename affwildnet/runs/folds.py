"""Cross-validation by subject: which videos of a packed corpus one fold trains, validates and tests on."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.errors import UserError, check_choice
from tfrecords_tools.records.manifest import Manifest, VideoEntry
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.study import partition_file

FILE_NAME = "folds.json"
# One to test on, one to validate on, one to train on.
FEWEST = 3


@dataclass(frozen=True)
class Fold:
    """One fold, with every video of the corpus, whatever the split that it was packed in.

    Fold i is tested on part i, validated on the next one (after the last comes the first), and trained on the others:
    what is chosen on validation (checkpoints, post-processing, when to stop) never sees what is tested on.

    Attributes:
      number: of the part that is tested on, from 1 to `count`.
      parts: `fold-1`, `fold-2`, ... of each video, by its name with the split it was packed in, such as `train/101`.
    """

    number: int
    parts: dict[str, str]

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(set(self.parts.values()))

    @property
    def split_of_part(self) -> dict[str, str]:
        """What each part is for: one of `schema.SPLITS` for each of `fold-1`, `fold-2`, ..."""
        split_of = dict.fromkeys(_names(self.count), "train")
        split_of[_part(self.number % self.count + 1)] = "validation"
        split_of[_part(self.number)] = "test"
        return split_of

    def videos(self, packed: Manifest, split: str, folder: Path) -> list[VideoEntry]:
        """Return the videos of a split of this fold, in the manifest's order.

        Args:
          folder: of the packed corpus, for what an error says.

        Raises:
          UserError: if the folds are not those of this corpus, or one subject is in two of them.
        """
        check_choice("--split", split, SPLITS)
        self._check(packed, folder)
        split_of = self.split_of_part
        return [entry for entry in packed.videos if split_of[self.parts[_key(entry)]] == split]

    def told(self) -> str:
        """Return a line for the log."""
        parts = {split: [part for part, own in self.split_of_part.items() if own == split] for split in SPLITS}
        videos = {split: sum(part in own for part in self.parts.values()) for split, own in parts.items()}
        train, validation, test = (f"{', '.join(parts[split])} ({videos[split]:,} videos)" for split in SPLITS)
        return f"fold {self.number} of {self.count}: trained on {train}, validated on {validation}, tested on {test}"

    def _check(self, packed: Manifest, folder: Path) -> None:
        videos = {_key(entry) for entry in packed.videos}
        how = f"Make them anew: {how_to_make(folder)}"
        if lacking := sorted(videos - self.parts.keys()):
            raise UserError(f"{folder}: every video must be in a fold. Received: {_few(lacking)} in none. {how}")
        if strange := sorted(self.parts.keys() - videos):
            raise UserError(f"{folder}: the folds must be those of this corpus. Received: {_few(strange)} too. {how}")
        part_of: dict[str, str] = {}
        for entry in packed.videos:
            part = self.parts[_key(entry)]
            if part_of.setdefault(entry.subject, part) != part:
                raise UserError(
                    f"{folder}: a subject must be in one fold. Received: {entry.subject} in "
                    f"{part_of[entry.subject]} and {part}. {how}"
                )


def chosen(number: int | None, path: str | None, data_dir: Path) -> Fold | None:
    """Return the fold that `--fold` and `--folds` name, None where they name none.

    Args:
      number: of `--fold`.
      path: of `--folds`; None is `folds.json` in the corpus.
      data_dir: of the packed corpus.

    Raises:
      UserError: if there is a file without a number, and as `read`.
    """
    if number is None:
        if path is not None:
            raise UserError(f"`--folds` needs `--fold`, the one to take. Received: --folds={path} alone.")
        return None
    return read(Path(path or data_dir / FILE_NAME), number, data_dir)


def read(path: Path, number: int, folder: Path) -> Fold:
    """Read a fold from a file that `python -m tfrecords_tools partition --folds` wrote.

    Args:
      number: of the fold, from 1 on.
      folder: of the packed corpus, for what an error says.

    Raises:
      UserError: if there is no such file, it holds no folds or too few, or none of that number.
    """
    if not path.is_file():
        raise UserError(f"{path}: folds must be there. Received: no such file. Make it: {how_to_make(folder, path)}")
    fold = Fold(number, partition_file.load(path))
    found = sorted(set(fold.parts.values()))
    if found != sorted(_names(fold.count)) or fold.count < FEWEST:
        raise UserError(
            f"{path}: must hold the parts fold-1, fold-2, ..., {FEWEST} or more. Received: "
            f"{', '.join(found) or 'none'}. Make it: {how_to_make(folder, path)}"
        )
    if not 1 <= number <= fold.count:
        raise UserError(f"`--fold` must be from 1 to {fold.count}, as {path} has them. Received: {number}")
    return fold


def how_to_make(folder: Path, path: Path | None = None) -> str:
    """Return the command that parts a packed corpus into five folds."""
    return f"`python -m tfrecords_tools partition {folder} --folds=5 --output={path or folder / FILE_NAME}`."


def _names(count: int) -> list[str]:
    return [_part(number) for number in range(1, count + 1)]


def _part(number: int) -> str:
    return f"fold-{number}"


def _key(entry: VideoEntry) -> str:
    return f"{entry.split}/{entry.video}"


def _few(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
