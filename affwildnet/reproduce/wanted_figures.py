"""Which figures are wanted, checked before anything is run."""

from dataclasses import dataclass

from affwildnet.experiments import EXPERIMENTS
from affwildnet.reproduce.table_request import SIFT_SVR, Request, split_of
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.records import manifest
from tfrecords_tools.records.schema import SPLITS


@dataclass(frozen=True)
class Figures:
    """Which figures are wanted.

    Attributes:
      video: whose curves; "" is the longest.
      frames: first and last of them; None is all.
    """

    video: str = ""
    frames: tuple[int, int] | None = None

    def check(self, request: Request) -> None:
        """Raise a `UserError` if no corpus of a table has such a video, or the video no such frames."""
        rows = [row for row in request.table.rows if row.experiment and row.experiment != SIFT_SVR]
        folds = any(EXPERIMENTS[row.experiment].protocol == "folds" for row in rows)
        splits = SPLITS if folds else {split_of(row) for row in rows}
        folders = dict.fromkeys((request.data_dir, *request.given.corpora.values()))
        entries = [entry for folder in folders for entry in manifest.load(folder).videos if entry.split in splits]
        if self.video:
            names = [entry.video for entry in entries]
            if self.video not in names:
                raise UserError(
                    f"`figure_video` must be a video of the split {' or '.join(sorted(splits))}. Received: "
                    f"{self.video}.{suggestion(self.video, names)}"
                )
            entries = [entry for entry in entries if entry.video == self.video]
        if self.frames is None or not entries:
            return
        longest = max(entries, key=lambda entry: entry.frames)
        numbers, (first, last) = longest.frame_numbers, self.frames
        if not any(first <= number <= last for number in numbers):
            raise UserError(
                f"`figure_frames` must hold frames of {longest.video}, {numbers[0]} to {numbers[-1]}. Received: "
                f"{first} to {last}."
            )
