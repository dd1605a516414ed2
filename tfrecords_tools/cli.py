"""`python -m tfrecords_tools sample | pack | inspect | verify | stats | agreement | partition`."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from tfrecords_tools.errors import UserError, exit_status
from tfrecords_tools.faces.alignment import ALIGNMENTS, Aligner
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.packing.job_runners import RUNNERS
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import schema


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tfrecords_tools", description="From raw video to a packed corpus.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sample = commands.add_parser("sample", help="write a small synthetic corpus of videos to try things on")
    sample.add_argument("--output", type=Path, required=True, help="new folder, in the layout aff_wild")
    sample.add_argument("--clips", type=int, default=20)
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--min_seconds", type=float, default=8.0)
    sample.add_argument("--max_seconds", type=float, default=12.0)
    sample.add_argument("--landmark_model", type=Path, help="path of the 68-point model")
    sample.set_defaults(run=_sample)

    pack = commands.add_parser("pack", help="detect faces and landmarks, match annotations, write TFRecords")
    pack.add_argument("--layout", choices=sorted(LAYOUTS), required=True, help="how the dataset lies on disk")
    pack.add_argument("--source", type=Path, required=True, help="the dataset's folder")
    pack.add_argument("--output", type=Path, required=True, help="new folder for the packed corpus")
    pack.add_argument("--name", help="name of the corpus, part of its files' names (default: the layout's)")
    pack.add_argument("--workers", type=int, default=os.cpu_count(), help="videos packed at once (default: all cores)")
    pack.add_argument("--size", type=int, default=96, help="side of the face crop in pixels (default: 96)")
    pack.add_argument("--alignment", choices=ALIGNMENTS, default="crop")
    pack.add_argument("--margin", type=float, default=0.1, help="widening of the face's box on each side")
    pack.add_argument("--upsample", type=int, default=0, help="double the image so many times to find small faces")
    pack.add_argument("--length_tolerance", type=int, default=1, help="frames by which annotation and video may differ")
    pack.add_argument("--every", type=int, default=10, help="search every n-th image whole, follow faces in between")
    pack.add_argument("--fps", type=float, help="bring frames to this rate, by the nearest timestamp")
    pack.add_argument("--detect", action="store_true", help="find faces afresh although the dataset brings them")
    pack.add_argument("--yunet_model", type=Path, help="find faces with this YuNet model instead of dlib's detector")
    pack.add_argument("--annotators", default="", help="names, with commas: label with the mean of these annotators")
    pack.add_argument("--partition", type=Path, help="splits from a file that the command `partition` wrote")
    pack.add_argument("--runner", choices=sorted(RUNNERS), default="local", help="who packs: this machine, or Beam")
    pack.add_argument("--beam_options", default="", help='flags of Beam in one string, such as "--runner=FlinkRunner"')
    pack.add_argument("--landmark_model", type=Path, help="path of the 68-point model")
    pack.add_argument("--overwrite", action="store_true", help="replace the packed corpus in --output")
    pack.add_argument("--allow_left_out", action="store_true", help="exit with 0 though videos were left out")
    pack.set_defaults(run=_pack)

    inspect = commands.add_parser("inspect", help="print what is in a packed corpus; write a contact sheet")
    inspect.add_argument("folder", type=Path)
    inspect.add_argument("--sheet", type=Path, help="where the contact sheet goes (default: contact_sheet.png in it)")
    inspect.set_defaults(run=_inspect)

    verify = commands.add_parser("verify", help="re-read every record against the manifest")
    verify.add_argument("folder", type=Path)
    verify.set_defaults(run=_verify)

    stats = commands.add_parser("stats", help="how the labels are spread: numbers and histograms")
    stats.add_argument("folder", type=Path)
    stats.add_argument("--output", type=Path, help="folder for stats.json and the pictures (default: the corpus's)")
    stats.set_defaults(run=_stats)

    agreement = commands.add_parser("agreement", help="how well annotators agree, and with the landmarks")
    agreement.add_argument("folder", type=Path)
    agreement.add_argument("--selected", type=Path, help="CSV of the annotators selected: video,annotators[,dimension]")
    agreement.add_argument("--best", type=int, default=0, help="instead select so many that agree best in each video")
    agreement.add_argument("--output", type=Path, help="folder for agreement.json and pictures (default: the corpus's)")
    agreement.set_defaults(run=_agreement)

    partition = commands.add_parser("partition", help="splits or folds by subject that are alike")
    partition.add_argument("folder", type=Path)
    parts = partition.add_mutually_exclusive_group(required=True)
    parts.add_argument("--fractions", help="of train, validation and test, such as 0.6,0.2,0.2")
    parts.add_argument("--folds", type=int, help="number of equal folds instead")
    partition.add_argument("--genders", type=Path, help="CSV with the columns subject,gender")
    partition.add_argument("--seed", type=int, default=0)
    partition.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    partition.set_defaults(run=_partition)
    return parser


def _sample(options: argparse.Namespace) -> None:
    from tfrecords_tools.sample.sample_clips import write_sample

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
    from tfrecords_tools.faces.landmarks import find_model
    from tfrecords_tools.packing.pack import PackOptions, check_output, pack

    _at_least("workers", options.workers, 1)
    _at_least("upsample", options.upsample, 0)
    _at_least("length_tolerance", options.length_tolerance, 0)
    _at_least("every", options.every, 1)
    if options.fps is not None and not 0 < options.fps <= 1000:
        raise UserError(f"`--fps` must be above 0 and at most 1000. Received: {options.fps:g}")
    if options.yunet_model is not None and not options.yunet_model.is_file():
        raise UserError(f"`--yunet_model` must be a file. Received: {options.yunet_model}")
    splits = None
    if options.partition is not None:
        from tfrecords_tools.study import partition_file

        splits = partition_file.load(options.partition)
    check_output(options.output, options.overwrite)
    packed = pack(
        options.layout,
        options.source,
        options.output,
        PackOptions(
            landmark_model=find_model(options.landmark_model),
            aligner=Aligner(options.size, options.alignment, options.margin),
            upsample=options.upsample,
            length_tolerance=options.length_tolerance,
            every=options.every,
            fps=options.fps,
            detect=options.detect,
            yunet_model=options.yunet_model,
            annotators=tuple(name for name in options.annotators.split(",") if name),
        ),
        name=options.name,
        workers=options.workers,
        overwrite=options.overwrite,
        runner=options.runner,
        beam_options=shlex.split(options.beam_options),
        splits=splits,
        progress=True,
    )
    frames = sum(entry.frames for entry in packed.videos)
    faceless = sum(entry.frames_without_face for entry in packed.videos)
    splits = ", ".join(
        f"{number} {split}"
        for split in schema.SPLITS
        if (number := sum(entry.split == split for entry in packed.videos))
    )
    print(f"packed {len(packed.videos)} videos ({splits}) into {options.output}: {frames} frames")
    removed = sum(entry.frames_removed for entry in packed.videos)
    print(
        f"left out: {faceless} frames without a face, {removed} with what jumps like no face; "
        f"{len(packed.left_out)} videos"
    )
    for left in packed.left_out:
        print(f"  {left.split}/{left.video}: {left.reason}", file=sys.stderr)
    return 1 if packed.left_out and not options.allow_left_out else 0


def _inspect(options: argparse.Namespace) -> None:
    import_tensorflow()
    from tfrecords_tools.study.inspection import contact_sheet, table

    print(table(options.folder))
    sheet = options.sheet or options.folder / "contact_sheet.png"
    contact_sheet(options.folder, sheet)
    print(f"contact sheet: {sheet}")


def _verify(options: argparse.Namespace) -> int:
    import_tensorflow()
    from tfrecords_tools.records.verify import verify

    problems = verify(options.folder, progress=True)
    for problem in problems:
        print(problem)
    print(f"{options.folder}: {f'{len(problems)} problems' if problems else 'every record is as the manifest says'}")
    return 1 if problems else 0


def _stats(options: argparse.Namespace) -> None:
    import_tensorflow()
    from tfrecords_tools.study import stats

    numbers = stats.statistics(options.folder)
    print(stats.table(numbers))
    for path in stats.write(numbers, options.output or options.folder):
        print(f"wrote {path}")


def _agreement(options: argparse.Namespace) -> None:
    import_tensorflow()
    from tfrecords_tools.study import agreement_report

    found = agreement_report.report(options.folder, options.selected, options.best)
    print(agreement_report.table(found))
    for path in agreement_report.write(found, options.output or options.folder):
        print(f"wrote {path}")


def _partition(options: argparse.Namespace) -> None:
    import_tensorflow()
    from tfrecords_tools.study import partition_file, partition_report

    if options.folds is not None:
        wanted = partition_report.folds(options.folds)
    else:
        wanted = partition_report.splits(_fractions(options.fractions))
    found = partition_report.partition(options.folder, wanted, options.genders, options.seed)
    print(partition_report.table(found))
    partition_file.save(found, options.output)
    print(f"wrote {options.output}")


def _fractions(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"`--fractions` must be numbers with commas between. Received: {text}") from None


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"`--{flag}` must be at least {least}. Received: {value}")
