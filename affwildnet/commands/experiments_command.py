"""`affwildnet experiments`: the experiments as a list, one of them in full, or the fields that `--set` overrides."""

import argparse
from collections.abc import Sequence

from affwildnet import experiments
from affwildnet.experiments import descriptions, settings
from tfrecords_tools.commands import Parser, Switch, run
from tfrecords_tools.errors import UserError

DESCRIPTION = """\
List the experiments of the papers with their published numbers, or show one with all its settings."""


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet experiments") -> int:
    """List or show; return the exit status."""
    return run(_parser(prog), _show, arguments)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, usage=f"{prog} [NAME | --fields]", description=DESCRIPTION)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the experiment to show (default: a list of all)")
    parser.add_argument("--fields", action=Switch, help="show each field that --set overrides: default, unit, meaning")
    return parser


def _show(options: argparse.Namespace) -> None:
    if options.fields and options.name:
        raise UserError(f"`--fields` shows the fields of every experiment. Received: {options.name} too. Leave it out.")
    if options.fields:
        print(settings.table())
    elif options.name:
        print(descriptions.description(experiments.get(options.name)))
    else:
        print(descriptions.listing())
