"""Exports a trained network for other programs.

python -m affwildnet.export --model=runs/demo --output=runs/demo/exported --formats=saved_model,onnx \
    [--data_dir=data/sample_packed --split=test]
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

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
    names = list(dict.fromkeys(options.formats.split(",")))
    for name in names:
        check_choice("--formats", name, NAMES)
    import_tensorflow()
    from affwildnet.data import Corpus
    from affwildnet.devices import choose_device
    from affwildnet.export import folders, format_scores, model_card, onnx_file
    from affwildnet.export.formats import FORMATS
    from affwildnet.export.forms import forms
    from affwildnet.runs import best, checkpoints

    if "onnx" in names:
        onnx_file.check_installed()
    choose_device(-1)  # ONNX Runtime and TFLite compute there too
    path = best.model_file(options.model)
    card = model_card.card_of(path, options.data_dir)
    targets = {name: options.output / name for name in names}
    for name, folder in targets.items():
        folders.check(folder, FORMATS[name].marker)
    model = checkpoints.load(path)
    made = forms(model)
    corpus = None
    if options.data_dir:
        corpus = Corpus.open(options.data_dir, options.split, made.inputs[0].shape[2])
        format_scores.check(corpus, made)
    for name, folder in targets.items():
        print(f"{name:<16}", end="", flush=True)
        began = time.monotonic()
        FORMATS[name].write(model, folder, {"checkpoint": path.name}, card)
        print(f"{FORMATS[name].size(folder) / 1e6:8.2f} MB{time.monotonic() - began:7.1f} s  {folder}", flush=True)
    if corpus is None:
        return
    runners = {"network": format_scores.Runner(format_scores.keras_step(made))}
    sizes = {"network": sum(weight.nbytes for weight in model.get_weights())}
    for name, folder in targets.items():
        runners[name] = format_scores.Runner(FORMATS[name].load(folder), FORMATS[name].one_frame)
        sizes[name] = FORMATS[name].size(folder)
    format_scores.score(corpus, made, runners)
    print(f"{corpus.frames_labelled} labelled frames of {len(corpus.videos)} {options.split} videos, CCC:")
    print(format_scores.table(runners, sizes))


if __name__ == "__main__":
    sys.exit(main())
