"""The data by which a watcher chooses checkpoints: the same ones for all checkpoints of a run, and the run's own."""

from collections.abc import Iterable

from affwildnet.data.corpus import Corpus, CorpusError
from affwildnet.evaluation.selection import trained_on_now
from affwildnet.runs import record_files
from affwildnet.runs.run import Run
from affwildnet.runs.training_data import fingerprint
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.records import manifest

KEY = "data"  # of a line of `metrics.jsonl`: the fingerprint of the videos that were scored


class WatchedData:
    """A split that checkpoints are scored on.

    Attributes:
      corpus: the split.
      fingerprint: of its videos and their records.
    """

    def __init__(self, run: Run, workdir: Workdir, split: str):
        self.corpus = Corpus.of_run(run, split)
        self.fingerprint = fingerprint(self.corpus.videos)
        self._run, self._workdir, self._split = run, workdir, split
        self._seen: tuple[int, int] | None = None
        self._files: record_files.Stamps | None = None

    def check(self, scored: Iterable[dict]) -> None:
        """Raise a `CorpusError` if the corpus is not that of the run, or of the checkpoints scored before.

        It is looked at again where its manifest or a file was written since, so that this may be called for each
        checkpoint.

        Args:
          scored: lines of `metrics.jsonl`; those of an earlier version do not say on what.
        """
        status = (self.corpus.folder / manifest.FILE_NAME).stat()
        if self._seen != (status.st_mtime_ns, status.st_ino):
            self._check_manifest(scored)
            self._seen = (status.st_mtime_ns, status.st_ino)
        self._files = record_files.check(self.corpus.folder, self.corpus.videos, self._files)

    def _check_manifest(self, scored: Iterable[dict]) -> None:
        now = fingerprint(Corpus.of_run(self._run, self._split).videos)
        if self._seen is not None and now != self.fingerprint:
            raise CorpusError(
                f"{self.corpus.folder}: must not change while its run is watched. Received: a corpus packed since, "
                f"with another split {self._split}. Start again when it is as it was."
            )
        others = [line["step"] for line in scored if line.get(KEY, now) != now]
        if others:
            raise CorpusError(
                f"{self._workdir.metrics}: all checkpoints must be scored on the same videos. Received: a corpus in "
                f"{self.corpus.folder} whose split {self._split} is another than that of step {others[0]:,}. Watch "
                "with the corpus of before (--data_dir), or move metrics.jsonl and best/ away to score all again."
            )
        if self._run.data_dir.resolve() == self._workdir.open().data_dir.resolve():
            trained_on_now(self._workdir, self._run, self._split)
