"""The commands of `python -m tfrecords_tools`."""

from tfrecords_tools.cli.corpus_commands import COMMANDS, main

__all__ = ["COMMANDS", "main"]
