"""`python -m tfrecords_tools COMMAND`: from raw video to a packed corpus, and what can be known about it."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tfrecords_tools.cli import annotate_command, clips_command, face_options, study_commands
from tfrecords_tools.commands import Parser, Switch, guarded, positive, run, whole
from tfrecords_tools.errors import UserError, count
from tfrecords_tools.faces.face_settings import GIVEN, FaceSettings, detector_for
from tfrecords_tools.files.number_text import number
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import schema
from tfrecords_tools.records.packed_corpus import Manifest

COMMANDS = {
    "sample": "write a small synthetic corpus of videos to try things on",
    "clips": "cut clips out of longer videos by a recipe, all at one frame rate",
    "annotate": "rate videos in the browser: valence and arousal by joystick, mouse, touch or keys",
    "pack": "find faces and landmarks, match annotations, write TFRecords",
    "inspect": "print what is in a packed corpus; write a contact sheet",
    "verify": "read every record again and compare it with the manifest",
    "stats": "show how the labels are distributed: numbers and histograms",
    "agreement": "show how well annotators agree, with each other and with the landmarks",
    "partition": "divide a corpus by subject into similar splits or folds",
}

MOST_WORKERS = 1024
_UNLABELLED = "without a label: {}, packed all the same: windows may hold them, losses and scores do not count them"
MANY_FACELESS = 0.05  # share of the frames without a face, above which it is worth trying something
# The names of `layouts.LAYOUTS` and `job_runners.RUNNERS`, which bring in OpenCV: help and errors do not wait for it.
LAYOUTS = ("aff_wild", "aff_wild2", "afew", "afew_va", "csv", "omg", "recola", "recola_46", "thesis", "thesis_records")
RUNNERS = ("beam", "local")


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet") -> int:
    """Run one command; return the exit status."""
    return run(_parser(prog), lambda options: options.run(options), arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description="From raw video to a packed corpus.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, (add_options, command) in _COMMANDS.items():
        added = commands.add_parser(name, help=COMMANDS[name], description=f"{COMMANDS[name].capitalize()}.")
        add_options(added)
        added.set_defaults(run=command)
    return parser


def _sample_options(parser: Parser) -> None:
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="new folder, in the layout aff_wild")
    add("--clips", type=whole(least=3), default=150, metavar="N", help="number of clips (default: 150)")
    add("--min_seconds", type=positive, default=2.5, metavar="N", help="length of the shortest clip (default: 2.5)")
    add("--max_seconds", type=positive, default=4.0, metavar="N", help="length of the longest clip (default: 4)")
    add("--seed", type=whole(least=0), default=0, metavar="N", help="of all that is random (default: 0)")
    face_options.add_option(parser, "landmark_model")


def _pack_options(parser: Parser) -> None:
    add = parser.add_argument
    add("--layout", choices=LAYOUTS, required=True, help="how the dataset lies on disk")
    add(
        "--source",
        type=Path,
        required=True,
        metavar="PATH",
        help="the dataset's folder; for csv a table such as mine.csv (columns video, valence, arousal, and frame or "
        "time), a folder with one table, or with train.csv, validation.csv and test.csv, or a folder of videos without "
        "labels; for Beam a path that every worker sees",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="new folder for the packed corpus")
    add("--name", metavar="NAME", help="of the corpus, part of its files' names (default: the layout's)")
    add("--overwrite", action=Switch, help="replace the packed corpus in --output")
    add("--allow_left_out", action=Switch, help="exit with 0 although videos were left out")

    labels = parser.add_argument_group("labels and splits")
    add = labels.add_argument
    add(
        "--annotators",
        default="",
        metavar="NAME,...",
        help="label with the mean of these, train and validation; NAME:valence for one dimension; nearest is who "
        "correlates most with the landmarks",
    )
    add("--annotator_splits", default="train,validation", metavar="SPLITS", help="splits that --annotators labels")
    add("--selected", type=Path, metavar="FILE", help="for each video: CSV with video,annotators[,dimension]")
    add(
        "--delay",
        type=_delays,
        metavar="NAME:SECONDS,...",
        help="bring annotators' labels forward by their delay; auto estimates it (default: none)",
    )
    add("--partition", type=Path, metavar="FILE", help="splits from a file that the command `partition` wrote")
    add(
        "--length_tolerance",
        type=whole(least=0),
        default=1,
        metavar="FRAMES",
        help="by how many an annotation may be longer or shorter than its video (default: 1)",
    )
    add(
        "--max_hole",
        type=positive,
        default=1.0,
        metavar="SECONDS",
        help="between rows with times that are farther apart, frames have no label (default: 1)",
    )
    add("--fps", type=positive, metavar="N", help="bring frames to this rate, by the nearest timestamp")

    faces = parser.add_argument_group("faces")
    faces.add_argument("--detect", action=Switch, help="find faces afresh although the dataset brings them")
    face_options.add_finding(faces)
    for name in ("size", "alignment", "margin"):
        face_options.add_option(faces, name)

    work = parser.add_argument_group("work")
    add = work.add_argument
    add(
        "--workers",
        type=whole(least=1, most=MOST_WORKERS),
        default=os.cpu_count(),
        metavar="N",
        help="videos packed at once (default: one a core)",
    )
    add("--runner", choices=RUNNERS, default="local", help="who packs: this machine, or Apache Beam (default: local)")
    add(
        "--beam_options",
        type=_words,
        default=[],
        metavar="FLAGS",
        help='flags of Beam in one string: --beam_options="--runner=DirectRunner --direct_num_workers=4"',
    )


def _verify_options(parser: Parser) -> None:
    study_commands.corpus_options(parser)
    add = parser.add_argument
    add("--upgrade", action=Switch, help="first bring a corpus of an earlier version to today's")
    add("--workers", type=whole(least=1), metavar="N", help="processes (default: by its size, at most one a core)")
    add(
        "--journal",
        type=Path,
        metavar="FILE",
        help="what was checked, for the same command after a kill (default: .verified.jsonl in the corpus)",
    )


def _inspect_options(parser: Parser) -> None:
    study_commands.corpus_options(parser)
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="the contact sheet (default: contact_sheet.png in the corpus)"
    )


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be words as in a shell. Received: {text} ({error})") from None


def _delays(text: str) -> dict[str, float] | str:
    if text == "auto":
        return text
    delays = {}
    for part in text.split(","):
        name, _, seconds = part.rpartition(":")
        try:
            delays[name.strip()] = number(seconds)
        except ValueError:
            name = ""
        if not name.strip():
            raise argparse.ArgumentTypeError(
                f"must be auto or NAME:SECONDS with commas between, such as anna:2.1. Received: {text}"
            )
    return delays


def _sample(options: argparse.Namespace) -> None:
    from tfrecords_tools.sample.sample_corpus import write_sample

    write_sample(
        options.output,
        clips=options.clips,
        seed=options.seed,
        min_seconds=options.min_seconds,
        max_seconds=options.max_seconds,
        landmark_model=options.landmark_model,
        progress=True,
    )
    print(f"wrote {options.clips} clips to {options.output}")


def _pack(options: argparse.Namespace) -> int:
    if options.fps is not None and options.fps > 1000:
        raise UserError(f"`--fps` must be at most 1000. Received: {options.fps:g}")
    if options.yunet_model is not None and not options.yunet_model.is_file():
        raise UserError(f"`--yunet_model` must be a file. Received: {options.yunet_model}")
    from tfrecords_tools.packing.pack import check_output, crashed_at_a_video

    check_output(options.output, options.overwrite)
    if options.runner != "local":
        return _pack_now(options)
    return guarded(options, _pack_now, crashed_at_a_video(options.output))


def _pack_now(options: argparse.Namespace) -> int:
    from tfrecords_tools.faces.alignment import Aligner
    from tfrecords_tools.packing.pack import PackOptions, pack
    from tfrecords_tools.study import partition_file

    packed = pack(
        options.layout,
        options.source,
        options.output,
        PackOptions(
            landmark_model=options.landmark_model,
            aligner=Aligner(options.size, options.alignment, options.margin),
            upsample=options.upsample,
            length_tolerance=options.length_tolerance,
            every=options.every,
            fps=options.fps,
            detect=options.detect,
            detector=detector_for(options.detector, options.yunet_model),
            landmarks=options.landmarks or FaceSettings.landmarks,
            yunet_model=options.yunet_model,
            annotators=_names(options.annotators),
            annotator_splits=_names(options.annotator_splits),
            max_hole=options.max_hole,
        ),
        name=options.name,
        workers=options.workers,
        overwrite=options.overwrite,
        runner=options.runner,
        beam_options=options.beam_options,
        partition=None if options.partition is None else partition_file.load(options.partition),
        selected=options.selected,
        delays=options.delay,
        progress=True,
    )
    print("\n".join(_packed(packed, options.output)))
    for left in packed.left_out:
        print(f"  {left.split}/{left.video}: {options.parser.with_flags(left.reason)}", file=sys.stderr)
    return 1 if packed.left_out and not options.allow_left_out else 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _packed(packed: Manifest, output: Path) -> list[str]:
    """Lines on what was packed, what was not, and whose labels it has."""
    in_split = {split: sum(entry.split == split for entry in packed.videos) for split in schema.SPLITS}
    splits = ", ".join(f"{number} {split}" for split, number in in_split.items() if number)
    frames, faceless, removed, unused = (
        sum(getattr(entry, name) for entry in packed.videos)
        for name in ("frames", "frames_without_face", "frames_removed", "rows_unused")
    )
    unlabelled = sum(int((~entry.index["labelled"] & (entry.index["expression"] < 0)).sum()) for entry in packed.videos)
    return [
        f"packed {count(len(packed.videos), 'video')} ({splits}) into {output}: {count(frames, 'frame')}",
        f"left out: {count(faceless, 'frame')} without a face, {removed} with a false detection; "
        f"{count(len(packed.left_out), 'video')}",
        *([_UNLABELLED.format(count(unlabelled, "frame"))] if packed.has_labels and unlabelled else []),
        *([f"labels: {packed.labelling}"] if packed.labelling else []),
        *_lost(packed),
        *_faceless(packed),
        *_shared(packed),
        *([f"not used: {count(unused, 'row')} of annotations, after the ends of their videos"] if unused else []),
    ]


def _shared(packed: Manifest) -> list[str]:
    """A line on the subjects that are in more than one split."""
    shared = list(packed.shared_subjects.items())
    if not shared:
        return []
    named = ", ".join(f"{subject} ({', '.join(splits)})" for subject, splits in shared[:5])
    more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
    return [f"caution: subjects in more than one split: {named}{more}"]


def _lost(packed: Manifest) -> list[str]:
    entries = [entry for entry in packed.videos if entry.frames_lost]
    if not entries:
        return []
    named = ", ".join(f"{entry.split}/{entry.video} {entry.frames_lost}" for entry in entries[:5])
    more = f" and {len(entries) - 5} more" if len(entries) > 5 else ""
    total = sum(entry.frames_lost for entry in entries)
    return [f"lost: {count(total, 'frame')} that cannot be decoded; the others keep their numbers ({named}{more})"]


def _faceless(packed: Manifest) -> list[str]:
    """Lines on what could be tried where many frames have no face."""
    decoded = sum(entry.frames_decoded for entry in packed.videos)
    faceless = sum(entry.frames_without_face for entry in packed.videos)
    if faceless <= MANY_FACELESS * decoded:
        return []
    given = any(entry.detector == GIVEN for entry in packed.videos)
    worst = max(packed.videos, key=lambda entry: entry.frames_without_face)
    return [
        f"{100 * faceless / decoded:.0f} % of the frames have no face, most of them in {worst.split}/{worst.video}. "
        + ("`--detect` finds faces where the dataset brings none. " if given else "")
        + "`--upsample=1` finds faces half as large, another `--detector` may find turned or covered ones; the contact "
        "sheet of `inspect` shows whom it found."
    ]


def _inspect(options: argparse.Namespace) -> None:
    study_commands.check(options.folder, options.sheet and options.sheet.parent)
    if options.sheet is not None and options.sheet.is_dir():
        raise UserError(f"`--sheet` must be a file. Received: {options.sheet}, a folder.")
    import_tensorflow()
    from tfrecords_tools.study.inspection import contact_sheet, table

    print(table(options.folder))
    sheet = options.sheet or options.folder / "contact_sheet.png"
    with study_commands.written(sheet.parent, options.sheet is not None, "--sheet=FILE"):
        sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(options.folder, sheet)
        print(f"contact sheet: {sheet}")


def _verify(options: argparse.Namespace) -> int:
    from tfrecords_tools.records.verify import verify

    if options.upgrade:
        import_tensorflow()
        from tfrecords_tools.records.upgrade import upgrade

        if upgrade(options.folder, progress=True):
            print(f"{options.folder}: upgraded to schema version {schema.SCHEMA_VERSION}")
    problems = verify(options.folder, progress=True, workers=options.workers, journal=options.journal)
    for problem in problems:
        print(problem)
    found = count(len(problems), "problem") if problems else "every record is as the manifest says"
    print(f"{options.folder}: {found}")
    return 1 if problems else 0


_COMMANDS: dict[str, tuple[Callable[[Parser], None], Callable[[argparse.Namespace], int | None]]] = {
    "sample": (_sample_options, _sample),
    "clips": (clips_command.add_options, clips_command.run),
    "annotate": (annotate_command.add_options, annotate_command.run),
    "pack": (_pack_options, _pack),
    "inspect": (_inspect_options, _inspect),
    "verify": (_verify_options, _verify),
    "stats": (study_commands.stats_options, study_commands.stats),
    "agreement": (study_commands.agreement_options, study_commands.agreement),
    "partition": (study_commands.partition_options, study_commands.partition),
}
