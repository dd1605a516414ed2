"""How much room the rest of a corpus needs, by what is packed of it so far."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut, VideoEntry


def still_needed(sources: Sequence[VideoSource], results: Iterable[VideoEntry | LeftOut]) -> int | None:
    """Return about how many bytes the videos without a result need, None where nothing is packed to tell by.

    A video is taken to need as much for each byte of its source as those that are packed.

    Args:
      sources: of all videos.
      results: of those that are finished.
    """
    finished = {(result.split, result.video): result for result in results}
    packed = [
        (source, finished[source.split, source.video])
        for source in sources
        if isinstance(finished.get((source.split, source.video)), VideoEntry)
    ]
    left = [source for source in sources if (source.split, source.video) not in finished]
    before = sum(size_of(source.path) for source, _ in packed)
    if not before or not left:
        return None
    ratio = sum(entry.file_bytes for _, entry in packed) / before
    return round(ratio * sum(size_of(source.path) for source in left))


def size_of(path: Path) -> int:
    """Return the bytes of a video file, or of a folder of images; 0 where they cannot be read."""
    try:
        files = [each for each in path.iterdir() if each.is_file()] if path.is_dir() else [path]
        return sum(each.stat().st_size for each in files)
    except OSError:
        return 0
