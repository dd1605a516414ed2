"""`affwildnet weights`: published weights as a `.keras` file, and the list of what can be imported."""

import argparse
import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet import experiments
from affwildnet.commands import backend
from affwildnet.experiments.config import ModelConfig
from affwildnet.experiments.networks import NETWORKS
from affwildnet.weights import SOURCES, opening
from tfrecords_tools.commands import Parser, run, whole
from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.records.schema import DIMENSIONS

if TYPE_CHECKING:
    from affwildnet.weights.import_report import ImportReport
    from affwildnet.weights.weight_source import OpenedWeights, WeightSource

RANGE = (-1.0, 1.0)  # of the labels that the whole networks were trained on

EXAMPLES = """\
example:
  {prog} import --source=vgg_face_mat --path=vgg_face.mat --experiment=ijcv2019/vggface --output=vgg_face.keras"""


def main(arguments: Sequence[str] | None = None, prog: str = "affwildnet weights") -> int:
    """Import or list; return the exit status."""
    return run(_parser(prog), lambda options: options.run(options), arguments)


def network(name: str) -> ModelConfig:
    """Return the network of an experiment ("ijcv2019/vggface"), or the one of that name ("vgg_face_2000").

    Raises:
      UserError: if there is none.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    if name in experiments.EXPERIMENTS:
        return experiments.EXPERIMENTS[name].model
    raise UserError(
        "`--experiment` must be an experiment (`python -m affwildnet.experiments` lists them) or a network: "
        f"{', '.join(NETWORKS)}. Received: {name}.{suggestion(name, [*NETWORKS, *experiments.EXPERIMENTS])}"
    )


def _parser(prog: str) -> Parser:
    description = "Import published weights into the networks here."
    parser = Parser(prog=prog, description=description, epilog=EXAMPLES.format(prog=prog))
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    importing = commands.add_parser(
        "import", help="write a .keras file with published weights, to train from or to use"
    )
    add = importing.add_argument
    add("--source", choices=sorted(SOURCES), required=True, metavar="NAME", help=f"whose weights; `{prog} list` says")
    add("--path", type=Path, metavar="FILE", help="the file with the weights")
    add("--experiment", required=True, metavar="NAME", help="the network: an experiment's, or one by its name")
    add("--output", type=Path, required=True, metavar="FILE", help="new file, ending in .keras")
    add("--seed", type=whole(least=0), default=0, metavar="N", help="of the weights that are not imported (default: 0)")
    importing.set_defaults(run=_import)

    listing = commands.add_parser("list", help="list the sources")
    listing.set_defaults(run=_list)
    return parser


def _list(options: argparse.Namespace) -> None:
    from affwildnet.reproduce.starting_weights import files_of
    from affwildnet.weights.import_report import WIDTH

    width = max(map(len, SOURCES))
    indent = " " * (width + 4)
    for name, source in SOURCES.items():
        given = [f"--weights={each}=FILE" for each, sources in files_of().items() if name in sources]
        print(f"{name:<{width}}  {source.title}")
        if given:
            print(
                textwrap.fill(
                    f"for reproduce: {' '.join(given)}", WIDTH, initial_indent=indent, subsequent_indent=indent
                )
            )


def _import(options: argparse.Namespace) -> None:
    _check_output(options.output)
    config = network(options.experiment)
    backend.check()
    opening.check(options.source, options.path, config)
    opened = None if options.path is None else opening.open_weights(options.source, options.path, config)
    backend.start_tensorflow()
    from affwildnet.runs.json_files import write_json
    from affwildnet.weights.importing import filled
    from tfrecords_tools.files import whole

    if opened is None:  # Keras downloads them
        opened = opening.open_weights(options.source, None, config)
    model, report = filled(options.source, opened, config, options.seed)
    source = SOURCES[options.source]
    print(report)
    write_json(options.output.with_suffix(".json"), _provenance(options, config, source, opened, report))
    with whole(options.output) as partial:
        model.save(partial)
    mean, scale = (",".join(map(repr, values)) for values in (opened.pixel_mean, opened.pixel_scale))
    print(f"wrote {options.output}. {source.licence}")
    print(f"to train from it, with the pixels of the experiment as the papers do: --set training.init={options.output}")
    print(f"with the pixels that it was trained on: add model.pixel_mean={mean} model.pixel_scale={scale}")


def _check_output(path: Path) -> None:
    if path.suffix != ".keras":
        raise UserError(f"`--output` must be the name of a .keras file. Received: {path}")
    for file in (path, path.with_suffix(".json")):  # the second says what is in the first
        if file.exists():
            raise UserError(
                f"`--output` must be a new file. Received: {path}, and {file} exists. Delete it, or name another."
            )
    if not path.parent.is_dir():
        raise UserError(f"`--output` must be in a folder that exists. Received: {path}")


def _provenance(
    options: argparse.Namespace,
    config: ModelConfig,
    source: "WeightSource",
    opened: "OpenedWeights",
    report: "ImportReport",
) -> dict:
    """Return what the file beside the network says of it."""
    whole = source.whole
    normalisation = {"pixel_mean": opened.pixel_mean, "pixel_scale": opened.pixel_scale}
    return {
        "source": options.source,
        "title": source.title,
        "sha256": opened.file.checksums(),
        "experiment": options.experiment,
        "network": dataclasses.asdict(dataclasses.replace(config, **normalisation)),
        "seed": options.seed,
        "colour_order": "RGB",
        "normalisation": {**normalisation, "formula": "(pixel - pixel_mean) * pixel_scale, inside the network"},
        "output": {
            "name": config.head,
            "order": list(DIMENSIONS) if config.head == "valence_arousal" else None,
            "range": list(RANGE) if whole else None,
            "trained": whole,
        },
        "imported": report.layers(),
        "as_built": list(report.as_built),
        "left_out": report.left_out,
        "remarks": list(report.remarks),
        "licence": source.licence,
    }
