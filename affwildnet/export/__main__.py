"""Exports a trained network for other programs.

python -m affwildnet.export --model=runs/demo --output=runs/demo/exported --formats=saved_model,onnx \
    [--data_dir=data/sample_packed --split=test]
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from tfrecords_tools.commands import show_log
from tfrecords_tools.errors import check_choice, exit_status
from tfrecords_tools.quiet import import_tensorflow
from tfrecords_tools.records import schema

NAMES = ("saved_model", "onnx", "tflite_float16", "tflite_int8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: _export(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m affwildnet.export", description="Exports a network.")
    add = parser.add_argument
    add("--model", type=Path, required=True, help="a .keras file, or a working directory: its best checkpoint")
    add("--output", type=Path, required=True, help="folder in which each format gets a folder of its name")
    add("--formats", default="saved_model", help=f"with commas between them: {', '.join(NAMES)} (default: saved_model)")
    add("--data_dir", type=Path, help="packed corpus on which the formats are scored beside the network")
    add("--split", choices=schema.SPLITS, default="test", help="what of it (default: test)")
    return parser


def _export(options: argparse.Namespace) -> None:
    names = options.formats.split(",")
    for name in names:
        check_choice("--formats", name, NAMES)
    import_tensorflow()
    from affwildnet.devices import choose_device
    from affwildnet.export import export_model

    choose_device(-1)  # ONNX Runtime and TFLite compute there too
    show_log()
    export = export_model(options.model, options.output, names, data_dir=options.data_dir, split=options.split)
    if export.scores:
        print(export.scores)


if __name__ == "__main__":
    sys.exit(main())
