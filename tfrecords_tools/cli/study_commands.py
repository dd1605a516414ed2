"""The commands that say something about a packed corpus in numbers: `stats`, `agreement`, `partition`."""

import argparse
import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tfrecords_tools.commands import Parser, Switch, corpus, whole
from tfrecords_tools.errors import UserError
from tfrecords_tools.files import check_place
from tfrecords_tools.files.number_text import number
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import manifest

if TYPE_CHECKING:
    from tfrecords_tools.study.video_segments import Segment


def corpus_options(parser: Parser) -> None:
    """Add the corpus that a command is about."""
    parser.add_argument("folder", type=corpus, metavar="CORPUS", help="the packed corpus")


def stats_options(parser: Parser) -> None:
    """Add the options of `stats`."""
    corpus_options(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for stats.json and the plots (default: the corpus)"
    )
    _segment_options(parser, "also draw the labels of a video with frames of it")


def agreement_options(parser: Parser) -> None:
    """Add the options of `agreement`."""
    corpus_options(parser)
    add = parser.add_argument
    add("--selected", type=Path, metavar="FILE", help="CSV of the annotators selected: video,annotators[,dimension]")
    add(
        "--best", type=whole(least=0), default=0, metavar="N", help="instead select the N that agree best in each video"
    )
    add("--delay", action=Switch, help="also estimate each annotator's reaction delay")
    add("--output", type=Path, metavar="DIR", help="folder for agreement.json and the plots (default: the corpus)")
    _segment_options(parser, "also draw the annotations of a video, those selected where they are, with their MAC")


def partition_options(parser: Parser) -> None:
    """Add the options of `partition`."""
    corpus_options(parser)
    parts = parser.add_mutually_exclusive_group(required=True)
    parts.add_argument(
        "--fractions", type=_fractions, metavar="LIST", help="of train, validation and test, such as 0.6,0.2,0.2"
    )
    parts.add_argument("--folds", type=whole(), metavar="N", help="number of equal folds instead")
    add = parser.add_argument
    add("--genders", type=Path, metavar="FILE", help="CSV with subject,gender (default: as the corpus says)")
    add("--seed", type=whole(least=0), default=0, metavar="N", help="of all that is random (default: 0)")
    add("--output", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    add("--overwrite", action=Switch, help="replace other parts in --output")


def stats(options: argparse.Namespace) -> None:
    """Print and write the statistics of a corpus."""
    check(options.folder, options.output)
    import_tensorflow()
    from tfrecords_tools.study import stats, video_segments

    segment = _segment(options)
    numbers = stats.statistics(options.folder)
    print(stats.table(numbers))
    output = options.output or options.folder
    with written(options.folder, options.output is not None, "--output=DIR"):
        paths = stats.write(numbers, output)
        if segment is not None:
            paths.append(output / f"stats-{_file_name(segment)}.png")
            video_segments.draw_labels(segment, paths[-1])
        for path in paths:
            print(f"wrote {path}")


def agreement(options: argparse.Namespace) -> None:
    """Print and write the agreement of a corpus's annotators."""
    check(options.folder, options.output)
    import_tensorflow()
    from tfrecords_tools.study import agreement_report, video_segments

    segment = _segment(options)
    found = agreement_report.report(options.folder, options.selected, options.best)
    print(agreement_report.table(found))
    if options.delay:
        from tfrecords_tools.study import delay_report

        found["delay"] = delay_report.report(options.folder)
        print(f"\n{delay_report.table(found['delay'])}")
    output = options.output or options.folder
    with written(options.folder, options.output is not None, "--output=DIR"):
        paths = agreement_report.write(found, output)
        if segment is not None:
            paths.append(output / f"agreement-{_file_name(segment)}.png")
            video_segments.draw_annotations(segment, agreement_report.selection(found), paths[-1])
        for path in paths:
            print(f"wrote {path}")


def partition(options: argparse.Namespace) -> None:
    """Divide a corpus, print its parts and write them."""
    from tfrecords_tools.study import partition_file
    from tfrecords_tools.study.partition import equal_folds, shares_of_splits

    wanted = shares_of_splits(options.fractions) if options.folds is None else equal_folds(options.folds)
    check(options.folder, options.output.parent)
    if options.output.is_dir():
        raise UserError(f"`--output` must be a file. Received: {options.output}, a folder.")
    if options.output.exists() and not options.overwrite:
        try:
            partition_file.load(options.output)
        except UserError:
            raise UserError(
                f"`--output` must be a new file, or one that this command wrote. Received: {options.output}, which is "
                "something else. Replace it with `--overwrite`, or name another file."
            ) from None
    import_tensorflow()
    from tfrecords_tools.study import partition_report

    found = partition_report.partition(options.folder, wanted, options.genders, options.seed)
    print(partition_report.table(found))
    partition_file.save(found, options.output, options.overwrite)
    print(f"wrote {options.output}")


def check(corpus: Path, output: Path | None) -> None:
    """Raise a `UserError` if there is no corpus, or nothing can be written where that is asked for."""
    manifest.load(corpus)
    if output is not None:
        check_place(output)


def _segment_options(parser: Parser, purpose: str) -> None:
    add = parser.add_argument
    add("--video", metavar="NAME", help=purpose)
    add("--first", type=whole(), default=1, metavar="FRAME", help="of --video: begin there (default: 1)")
    add("--frames", type=whole(least=2), metavar="N", help="of --video: so many (default: to its end)")


def _segment(options: argparse.Namespace) -> "Segment | None":
    from tfrecords_tools.study import video_segments

    if options.video is None:
        return None
    return video_segments.find(options.folder, options.video, options.first, options.frames)


def _file_name(segment: "Segment") -> str:
    """Return the split and name of a video as a part of a file's name, which has neither slashes nor blanks."""
    return re.sub(r"[^\w.-]", "_", f"{segment.entry.split}-{segment.entry.video}")


@contextmanager
def written(folder: Path, asked: bool, flag: str) -> Iterator[None]:
    """Pass over files that a folder does not let be written, unless they were asked for; say which flag writes them."""
    try:
        yield
    except OSError as error:
        if asked or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        print(f"no plots: {folder} may not be written to; `{flag}` writes them elsewhere")


def _fractions(text: str) -> list[float]:
    try:
        return [number(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between. Received: {text}") from None
