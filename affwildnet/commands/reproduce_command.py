"""`affwildnet reproduce`: a paper's table by one command, or the list of the tables."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from affwildnet.commands import run_options
from tfrecords_tools.commands import Parser, Switch, corpus, run, whole
from tfrecords_tools.errors import UserError

DESCRIPTION = """\
Run every row of a paper's table of results, and set the scores beside the published ones. The same command goes on
where it was stopped or killed. `list` shows the tables, with what each of them needs."""

EXAMPLES = """\
examples:
  {prog} list
  {prog} ijcv2019/9 --data_dir=data/aff_wild --workdir=runs/table9 --pairs=0:1,2:3 --weights=vgg_face=vgg_face.mat
  {prog} thesis2018/6.2 --data_dir=data/thesis --workdir=runs/rehearsal --set model.width=0.1 training.steps=200"""

PATIENCE = 10


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet reproduce") -> int:
    """Reproduce or list; return the exit status."""
    return run(_parser(prog), _reproduce, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog), extra="set")
    parser.add_argument("table", metavar="TABLE", help="a table such as ijcv2019/9, or list")
    add = parser.add_argument
    add("--data_dir", type=corpus, metavar="DIR", help="the packed corpus of the table")
    add("--workdir", type=Path, metavar="DIR", help="where runs and table go; one for each table")
    add("--rows", default="", metavar="NAMES", help="experiments to run, with commas between them (default: all)")
    add(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="published weights, such as vgg_face=FILE; `list` says which a table needs",
    )
    add(
        "--corpus",
        action="append",
        default=[],
        metavar="LAYOUT=DIR",
        help="a further corpus, to pre-train on, such as aff_wild=DIR",
    )
    add(
        "--patience",
        type=whole(least=0),
        default=PATIENCE,
        metavar="N",
        help=f"end a row's training after N checkpoints without a better one; 0 never (default: {PATIENCE})",
    )
    add("--dry_run", action=Switch, help="print the commands, and run nothing")
    run_options.add_set(parser, "fields of every row", "model.width=0.1 training.steps=200")
    group = parser.add_argument_group("devices")
    group.add_argument(
        "--pairs",
        default="",
        metavar="TRAIN:EVAL,...",
        help="pairs of GPUs, a row on each, such as 0:1,2:3; -1 is the CPU (default: the CPU, a row after the other)",
    )
    figures = parser.add_argument_group("figures")
    figures.add_argument("--figures", action=Switch, help="draw the papers' figures of the rows that are done")
    figures.add_argument("--figure_video", default="", metavar="NAME", help="of this video (default: the longest)")
    figures.add_argument(
        "--figure_frames", default="", metavar="FIRST:LAST", help="and these frames of it (default: all)"
    )
    return parser


def _reproduce(options: argparse.Namespace) -> int:
    from affwildnet.reproduce import table_listing

    if options.table == "list":
        print(table_listing.listing())
        return 0
    from affwildnet.experiments.tables import get_table
    from affwildnet.reproduce import command_listing, gpu_pairs, row_jobs

    table = get_table(options.table)
    pairs = gpu_pairs.parse(options.pairs)
    frames = _frames(options.figure_frames)
    request = _request(options, table)
    jobs = row_jobs.plan(request)
    row_jobs.check(jobs)
    if options.dry_run:
        print("\n".join(command_listing.listed(jobs, pairs)))
        return 0
    gpu_pairs.check(pairs)
    from affwildnet.reproduce import job_runs, reproducing, wanted_figures

    wanted = wanted_figures.Figures(options.figure_video, frames) if options.figures else None
    states = reproducing.reproduce(request, jobs, pairs, wanted)
    return 0 if all(state == job_runs.DONE for state in states.values()) else 1


def _request(options: argparse.Namespace, table):
    from affwildnet.reproduce import starting_weights, table_request

    for name in ("data_dir", "workdir"):
        if getattr(options, name) is None:
            raise UserError(f"`{name}` must be given to reproduce {table.name}. Received: none.")
    given = starting_weights.Given(
        starting_weights.parse("weights", options.weights, starting_weights.names()),
        starting_weights.parse("corpus", options.corpus, ("aff_wild", "aff_wild2", "recola", "afew_va")),
    )
    only = tuple(filter(None, options.rows.split(",")))
    return table_request.Request(
        table, options.data_dir, options.workdir, tuple(options.set), given, only, options.patience
    )


def _frames(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    try:
        first, last = (int(part) for part in text.split(":"))
    except ValueError:
        raise UserError(f"`figure_frames` must be like 1:500. Received: {text}") from None
    if not 1 <= first < last:
        raise UserError(f"`figure_frames` must be from 1 on and rise. Received: {text}")
    return first, last
