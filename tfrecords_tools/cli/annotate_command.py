"""The command `annotate`: its options, and what it does."""

import argparse
import sys
from pathlib import Path

from tfrecords_tools.commands import Parser, Switch, whole
from tfrecords_tools.errors import UserError, count


def add_options(parser: Parser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "--source",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the clips, in DIR/videos or in DIR",
    )
    add("--rater", default="", metavar="NAME", help="the name that the page proposes")
    add("--predictions", type=Path, metavar="DIR", help="tables of the command `predict`, to show on request")
    add("--lead", action=Switch, help="compare all raters, and select whose mean is the label")

    serving = parser.add_argument_group("serving")
    add = serving.add_argument
    add("--port", type=whole(least=0, most=65535), default=0, metavar="N", help="of the page (default: any free one)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="to serve on (default: 127.0.0.1, this computer alone)")
    add("--no_browser", action=Switch, help="do not open the page")


def run(options: argparse.Namespace) -> None:
    """Serve the page until the process is interrupted."""
    from tfrecords_tools.annotate.catalogue import Catalogue, check_rater
    from tfrecords_tools.annotate.ghosts import Ghosts
    from tfrecords_tools.annotate.server import AnnotationServer
    from tfrecords_tools.loopback import is_loopback
    from tfrecords_tools.video import browser_copy

    browser_copy.check_installed()
    if options.rater:
        check_rater(options.rater)
    if not options.source.is_dir():
        what = "is a file" if options.source.exists() else "does not exist"
        raise UserError(f"`--source` must be a folder with clips. Received: {options.source}, which {what}.")
    catalogue = Catalogue(options.source, apart=True)
    ghosts = None if options.predictions is None else Ghosts(options.predictions, catalogue)
    server = AnnotationServer(
        catalogue, host=options.host, port=options.port, rater=options.rater, lead=options.lead, ghosts=ghosts
    )
    if not is_loopback(options.host):
        print(
            f"warning: {options.host} can be reached from other computers: whoever has the address can see the videos "
            "and annotate",
            file=sys.stderr,
        )
    print(f"{count(len(catalogue.clips), 'video')} in {catalogue.videos}")
    server.loopback.serve(
        not options.no_browser, lambda address: print(f"{address}\nCtrl-C ends; nothing is lost.", flush=True)
    )
