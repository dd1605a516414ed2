"""Which data a run was trained on: kept in its working directory, and compared whenever its corpus is opened again."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from affwildnet.runs.json_files import read_json, write_json
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.packed_corpus import Manifest, VideoEntry

# What of earlier data is not kept.
_NOT_KEPT = ("videos", "replaced", "files")


@dataclass(frozen=True)
class TrainingData:
    """The training videos of a run.

    Attributes:
      corpus: name of the packed corpus.
      layout: that it was packed from.
      folder: where it was.
      fingerprint: of the videos' records; equal for equal records, wherever they are.
      videos: (name, subject, sha256 of the records) of each.
      replaced: what the run was trained on before, with the date of the change; the later data then came by consent.
      files: size and time of each file of records when they were last compared, see `record_files`.
    """

    corpus: str
    layout: str
    folder: str
    fingerprint: str
    videos: tuple[tuple[str, str, str], ...]
    replaced: tuple[dict, ...] = ()
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, packed: Manifest, folder: Path, entries: Iterable[VideoEntry]) -> "TrainingData":
        """Return the data of a split.

        Args:
          packed: manifest of the corpus.
          folder: of the corpus.
          entries: the videos of the split.
        """
        entries = tuple(entries)
        videos = tuple((entry.video, entry.subject, entry.sha256) for entry in entries)
        return cls(packed.name, packed.layout, str(folder.resolve()), fingerprint(entries), videos)

    def seen(self, entries: Iterable[VideoEntry]) -> list[str]:
        """Return the names of the videos among `entries` that the run was trained on.

        A video is known by its records, or by its name and subject where it was packed in another way.
        """
        records = {sha256 for _, _, sha256 in self.videos}
        names = {(video, subject) for video, subject, _ in self.videos}
        return [entry.video for entry in entries if entry.sha256 in records or (entry.video, entry.subject) in names]

    def difference(self, other: "TrainingData") -> str:
        """Return in a few words how other data differ from these; empty where they are the same."""
        if self.fingerprint == other.fingerprint:
            return ""
        before, now = ({video: sha256 for video, _, sha256 in data.videos} for data in (self, other))
        gone, added = before.keys() - now.keys(), now.keys() - before.keys()
        changed = [video for video in before.keys() & now.keys() if before[video] != now[video]]
        parts = [
            f"{len(names)} {what}, such as {min(names)}"
            for names, what in ((gone, "gone"), (added, "new"), (changed, "with other records"))
            if names
        ]
        return f"of its {len(before)} training videos: {'; '.join(parts) or 'another order'}"


def fingerprint(entries: Iterable[VideoEntry]) -> str:
    """Return a sha256 of videos and their records, in their order."""
    lines = "\n".join(f"{entry.video}\t{entry.subject}\t{entry.sha256}" for entry in entries)
    return hashlib.sha256(lines.encode()).hexdigest()


def stored(workdir: Workdir) -> TrainingData | None:
    """Return the data that the run of a working directory was trained on; None for one of an earlier version."""
    fields = read_json(workdir.training_data)
    if fields is None:
        return None
    try:
        videos = tuple((str(video), str(subject), str(sha256)) for video, subject, sha256 in fields.pop("videos"))
        files = {str(name): (int(size), int(time)) for name, (size, time) in fields.pop("files", {}).items()}
        return TrainingData(videos=videos, replaced=tuple(fields.pop("replaced", ())), files=files, **fields)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise UserError(
            f"{workdir.training_data}: must say which videos the run was trained on. Received: other contents. Use a "
            "new --workdir."
        ) from None


def check(workdir: Workdir, data: TrainingData) -> None:
    """Raise a `UserError` if the run of a working directory was trained on other data.

    Where the note is gone, the fingerprint that the run keeps decides.
    """
    before = stored(workdir)
    if before is None and workdir.trained_on not in (None, data.fingerprint):
        raise UserError(
            f"{workdir.path}: must go on with the data that it was trained on. Received: {data.folder}, which holds "
            f"others. {workdir.training_data.name}, which says which, is gone: put it back, use another --workdir, or "
            "go on with the new data with --accept_data."
        )
    if before is not None and (difference := before.difference(data)):
        raise UserError(
            f"{workdir.path}: must go on with the data that it was trained on, {before.folder}. Received: "
            f"{data.folder}, where {difference}. Use another --workdir, or go on with the new data with "
            "--accept_data, which every report then says."
        )


def note(workdir: Workdir, data: TrainingData, accept: bool = False) -> None:
    """Note the data that a run is trained on.

    Args:
      accept: go on although they are not those that it was trained on so far; what they were is kept.

    Raises:
      UserError: if they are others and that is not accepted.
    """
    before = stored(workdir)
    if not accept:
        check(workdir, data)
    if before is not None and before.difference(data):
        earlier = {name: value for name, value in asdict(before).items() if name not in _NOT_KEPT}
        data = replace(data, replaced=(*before.replaced, {**earlier, "until": _now()}))
    elif before is not None:
        data = replace(data, replaced=before.replaced)
    elif workdir.trained_on not in (None, data.fingerprint):
        data = replace(data, replaced=({"fingerprint": workdir.trained_on, "until": _now()},))
    if before != data:
        write_json(workdir.training_data, asdict(data))
    workdir.note_trained_on(data.fingerprint)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
