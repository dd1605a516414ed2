"""The command `clips`: its options, and what it does."""

import argparse
import sys
from pathlib import Path

from tfrecords_tools.commands import Parser, positive
from tfrecords_tools.errors import UserError, count


def add_options(parser: Parser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "--recipe",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV with source,start,end,name[,subject,gender,which]: a line a clip",
    )
    add("--output", type=Path, required=True, metavar="DIR", help="the clips go to DIR/videos, where `annotate` looks")
    add("--fps", type=positive, default=30.0, metavar="N", help="frames per second of all clips (default: 30)")


def run(options: argparse.Namespace) -> int:
    """Cut the clips; return the exit status."""
    from tqdm import tqdm

    from tfrecords_tools.video.clip_recipe import make_clips, read_recipe

    if options.fps > 1000:
        raise UserError(f"`--fps` must be at most 1000. Received: {options.fps:g}")
    clips = read_recipe(options.recipe)
    failed = []
    for clip, problem, remarks in tqdm(
        make_clips(clips, options.output, options.fps), total=len(clips), unit="clip", desc="cutting", file=sys.stderr
    ):
        failed += [problem] if problem else []
        for line in ([problem] if problem else []) + [f"{clip.name}: {remark}" for remark in remarks]:
            tqdm.write(line, file=sys.stderr)
    print(f"{count(len(clips) - len(failed), 'clip')} in {options.output / 'videos'}")
    return 1 if failed else 0
