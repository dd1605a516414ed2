"""`affwildnet COMMAND`: all commands of both packages under one name; each is imported when it is called."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from tfrecords_tools.cli import COMMANDS as CORPUS
from tfrecords_tools.cli import main as corpus_main
from tfrecords_tools.commands import Parser, run

NETWORKS = {
    "experiments": "list the experiments of the papers, or show one with its settings and published numbers",
    "weights": "import published weights, or list their sources",
    "train": "train an experiment on a packed corpus",
    "evaluate": "score a run: once with a report, or each new checkpoint beside the trainer",
    "predict": "predict valence and arousal of videos, images or a camera",
    "export": "write a trained network for other programs: SavedModel, ONNX, TFLite",
    "baselines": "train and score SIFT + SVR and CNN-M",
    "reproduce": "run every row of a paper's table, and set the scores beside the published ones",
}


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet") -> int:
    """Run a command; return its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    name = given[0] if given else ""
    if name in CORPUS:
        return corpus_main(given, prog)
    if name in NETWORKS:
        return import_module(f"affwildnet.commands.{name}_command").main(given[1:], f"{prog} {name}")
    return run(_parser(prog), lambda options: None, given)


def _parser(prog: str) -> Parser:
    """The parser of what is no command: it shows the help, or says what is wrong."""
    lists = [f"{title}:\n{_lines(names)}" for title, names in (("a corpus", CORPUS), ("networks", NETWORKS))]
    parser = Parser(
        prog=prog,
        usage=f"{prog} COMMAND [options]",
        description="Valence and arousal per frame of video.",
        epilog="\n\n".join([*lists, f"`{prog} COMMAND --help` shows the options of a command."]),
    )
    parser.add_argument("command", metavar="COMMAND", choices=[*CORPUS, *NETWORKS], help=argparse.SUPPRESS)
    return parser


def _lines(names: dict[str, str]) -> str:
    return "\n".join(f"  {name:<12} {text}" for name, text in names.items())
