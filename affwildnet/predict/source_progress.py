"""How far the prediction of each source is, known also to the process that goes on when a crash has ended this one."""

import enum
import glob
import mmap
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from affwildnet.predict.frame_sources import FrameSource
from tfrecords_tools.errors import UserError


class Stage(enum.IntEnum):
    """How far a source is."""

    WAITING, BEGUN, DONE, INCOMPLETE, FAILED = range(5)


class SourceProgress:
    """The sources of a command, each with its stage, in memory that forked processes share.

    Args:
      sources: all of them.
      output: folder of their files.
    """

    def __init__(self, sources: Sequence[FrameSource], output: Path):
        self.sources, self._output = sources, output
        self._stages = mmap.mmap(-1, max(1, len(sources)))

    def waiting(self) -> Iterator[FrameSource]:
        """Yield the sources that are not begun, each marked as begun when its turn comes."""
        for index, source in enumerate(self.sources):
            if self._stages[index] == Stage.WAITING:
                self._stages[index] = Stage.BEGUN
                yield source

    def end(self, source: FrameSource, stage: Stage) -> None:
        """Note how the prediction of a source has ended."""
        self._stages[self.sources.index(source)] = stage

    def count(self, stage: Stage) -> int:
        """Return the number of sources at a stage."""
        return self._stages[: len(self.sources)].count(stage)

    def crashed(self, number: int) -> UserError | None:
        """Return what to say of the source at which a signal has ended the process, now failed; None if at none.

        What was written of it is deleted.
        """
        begun = [source for index, source in enumerate(self.sources) if self._stages[index] == Stage.BEGUN]
        if not begun:
            return None
        (source,) = begun
        self.end(source, Stage.FAILED)
        for partial in self._output.glob(f".partial-{glob.escape(source.name)}*"):
            partial.unlink(missing_ok=True)
        name = signal.Signals(number).name
        if number == signal.SIGKILL:
            return UserError(f"{source.where}: {name} has ended its prediction, probably for lack of memory.")
        return UserError(
            f"{source.where}: {name} has ended its prediction: a library crashes at this file. Convert it to another "
            "format."
        )
