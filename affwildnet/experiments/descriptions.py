"""The experiments as text: all of them as a list, or one with its settings, its cost and its published numbers."""

import dataclasses
import textwrap
from collections.abc import Iterator

from affwildnet.experiments import PAPERS, Paper, costs
from affwildnet.experiments.config import PROTOCOLS, Experiment, scaled
from affwildnet.experiments.effects import OF_MEMBERS
from affwildnet.experiments.paper_faces import FACES
from affwildnet.experiments.published import Published

# Fields of the network that its width multiplies.
SCALED = ("landmark_encoder", "hidden", "recurrent_units", "joined_hidden")
METRICS = {"ccc": "CCC", "pearson": "Pearson", "accuracy": "accuracy", "mse": "MSE", "rmse": "RMSE"}
_COLUMNS = "  {:<45}{:<15}{:<9}{:>8}{:>9}  {}"
WIDTH = 120  # columns, of what is written in sentences
_NOT_OURS = "(other groups)"


def listing() -> str:
    """Return the experiments paper by paper, with a line for each set of published numbers.

    A line has the experiment's name, the tables that print the numbers, their metric, and valence and arousal (or the
    accuracy over all videos). Where an experiment has several lines, all but the first name the row of the table.
    """
    parts = []
    for paper in PAPERS.values():
        head = _COLUMNS.format("experiment", "tables", "metric", "valence", "arousal", "network")
        parts.append("\n".join([paper.title, head, *_lines(paper)]))
    return "\n\n".join(parts)


def _lines(paper: Paper) -> Iterator[str]:
    for experiment in paper.experiments:
        source = experiment.name.split("/")[0]
        by_numbers: dict[tuple, list[Published]] = {}
        for row in experiment.published:
            by_numbers.setdefault(_numbers(row), []).append(row)
        if not by_numbers:
            yield _COLUMNS.format(experiment.name, "-", "-", "-", "-", experiment.title)
        for index, (numbers, rows) in enumerate(by_numbers.items()):
            own = sorted({row.table for row in rows if row.source == source}, key=float)
            elsewhere = sorted({f"{row.source}/{row.table}" for row in rows if row.source != source})
            tables = ", ".join([*own, *elsewhere])
            name, last = (experiment.name, experiment.title) if index == 0 else ("", f"  {rows[0].row}")
            yield _COLUMNS.format(name, tables, *numbers, last)
    for row in paper.others:
        yield _COLUMNS.format(_NOT_OURS, row.table, *_numbers(row), row.row)


def _numbers(row: Published) -> tuple[str, str, str]:
    """The first metric of a row and its two numbers, as they are listed."""
    metric = next(metric for metric in METRICS if metric in row.scores)
    scores = row.scores[metric]
    if metric == "accuracy":
        return METRICS[metric], "", f"{scores['total']:.3f}"
    valence, arousal = (f"{scores[name]:.3f}" if name in scores else "-" for name in ("valence", "arousal"))
    return METRICS[metric], valence, arousal


def description(experiment: Experiment) -> str:
    """Return an experiment as lines of text: the cost of its network, every field, the published rows, the notes.

    Fields of a fused network that its members have instead are left out.
    """
    source = experiment.name.split("/")[0]
    lines = [
        experiment.name,
        experiment.title,
        *_wrapped(PAPERS[source].title),
        "",
        f"corpus: {experiment.corpus}",
        f"scored: {PROTOCOLS[experiment.protocol]}",
        *_wrapped(f"faces: {FACES[source]}"),
        *_cost(experiment),
    ]
    for part in ("model", "training", "evaluation", "data"):
        lines += ["", f"{part}:", *_fields(getattr(experiment, part))]
    for row in experiment.published:
        lines += ["", f"published in {row.source}, table {row.table}, row {row.row!r}, on {row.corpus}:"]
        for metric, scores in row.scores.items():
            lines.append(f"  {metric}: " + ", ".join(f"{name} {value}" for name, value in scores.items()))
        if row.note:
            lines += _wrapped(row.note, "  note: ")
    if experiment.notes:
        lines += ["", "notes:"]
    for note in experiment.notes.splitlines():
        lines += _wrapped(note, "- ")
    return "\n".join(lines)


def _wrapped(text: str, mark: str = "") -> list[str]:
    """Return lines of at most `WIDTH` columns, the first after a mark, the others indented."""
    indent = " " * (len(mark) or 2)
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _fields(config) -> Iterator[str]:
    """A line for each field; each stage and member has a line of its own, with the fields that are not the default."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in OF_MEMBERS and getattr(config, "members", ()):
            continue
        inside = isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0])
        if not inside:
            yield f"  {field.name} = {value!r}{_as_built(config, field.name)}"
            continue
        yield f"  {field.name}:"
        for item in value:
            changed = [
                f"{inner.name} = {getattr(item, inner.name)!r}"
                for inner in dataclasses.fields(item)
                if getattr(item, inner.name) != inner.default
            ]
            yield "    " + "; ".join(changed)


def _as_built(config, name: str) -> str:
    """What a field of units comes to in a network of another width than 1."""
    if name not in SCALED or config.width == 1 or not getattr(config, name):
        return ""
    units = getattr(config, name)
    built = (
        tuple(scaled(each, config.width) for each in units) if isinstance(units, tuple) else scaled(units, config.width)
    )
    return f", at this width {built!r}"


def _cost(experiment: Experiment) -> list[str]:
    cost = costs.load()[experiment.name]
    side = experiment.model.image_size
    return [f"trainable weights: {cost.weights:,}", f"cost: {cost.gflops:.3g} GFLOPs a frame of {side}x{side} pixels"]
