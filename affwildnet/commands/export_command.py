"""`affwildnet export`: a trained network in formats for other programs, and how each format scores."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from affwildnet.commands import backend
from affwildnet.export import export_checks
from affwildnet.export.export_checks import MARKERS
from tfrecords_tools.commands import Names, Parser, Switch, corpus, run
from tfrecords_tools.records import schema

DESCRIPTION = "Export a trained network for other programs."

EXAMPLES = """\
example:
  {prog} --model=runs/demo --output=runs/demo/exported --formats=saved_model,onnx --data_dir=data/sample_packed"""

NAMES = tuple(MARKERS)


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet export") -> int:
    """Export; return the exit status."""
    return run(_parser(prog), _export, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=DESCRIPTION, epilog=EXAMPLES.format(prog=prog))
    add = parser.add_argument
    add(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="a .keras file, or the folder of a run: its best checkpoint",
    )
    add(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder in which each format gets a folder of its name",
    )
    add(
        "--formats",
        action=Names,
        names=NAMES,
        default=["saved_model"],
        metavar="NAMES",
        help=f"with commas between them: {', '.join(NAMES)} (default: saved_model)",
    )
    add(
        "--data_dir",
        type=corpus,
        metavar="DIR",
        help="packed corpus on which the formats are scored beside the network",
    )
    add("--split", choices=schema.SPLITS, default="test", help="the part of it (default: test)")
    add("--overwrite", action=Switch, help="replace exports of other networks")
    return parser


def _export(options: argparse.Namespace) -> None:
    backend.check()
    export_checks.check(options.model, options.output, options.formats, options.data_dir, options.split)
    backend.start_tensorflow()
    from affwildnet.devices import choose_device
    from affwildnet.export import export_model

    choose_device(-1)  # ONNX Runtime and TFLite compute there too
    export = export_model(
        options.model,
        options.output,
        options.formats,
        data_dir=options.data_dir,
        split=options.split,
        overwrite=options.overwrite,
    )
    if export.scores:
        print(export.scores)
