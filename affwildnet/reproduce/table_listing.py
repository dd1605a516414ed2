"""Every table of the papers: its rows, what they need, what they cost."""

from collections.abc import Iterator, Sequence

from affwildnet.experiments import EXPERIMENTS, PAPERS, costs
from affwildnet.experiments.config import Experiment
from affwildnet.experiments.overrides import override
from affwildnet.experiments.published import Table
from affwildnet.experiments.tables import TABLES
from affwildnet.reproduce import starting_weights
from affwildnet.reproduce.starting_weights import CHAINS
from affwildnet.reproduce.table_request import SIFT_SVR, experiments_of, short
from affwildnet.weights import SOURCES
from tfrecords_tools.errors import count as counted


def listing() -> str:
    """Return the tables paper by paper, each with its rows and what they need; then what the names of weights mean."""
    parts = []
    for source, paper in PAPERS.items():
        if paper.tables:
            parts.append(paper.title)
            parts += ["\n".join(_described(TABLES[table.name])) for table in paper.tables if table.source == source]
    return "\n\n".join([*parts, "\n".join(_weight_names())])


def _weight_names() -> Iterator[str]:
    """Yield what file each name of `--weights` is for, by the sources that import it."""
    yield "The files of --weights=NAME=FILE, by the sources of `python -m affwildnet.weights list` that read them:"
    for name, sources in starting_weights.files_of().items():
        for index, each in enumerate(sources):
            yield f"    {'' if index else name:<24}{each:<22}{SOURCES[each].title.partition(';')[0]}"


def _described(table: Table) -> Iterator[str]:
    names = experiments_of(table)
    others = sum(not row.experiment for row in table.rows)
    yield f"{table.name}: {table.title}"
    beside = f", {len(table.beside)} of the text" if table.beside else ""
    own = len(table.rows) - others
    yield f"  {len(table.rows)} rows{beside}{f', {others} of other groups' if others else ''}"
    several = f", which give {own} rows: a network can have several" if own > len(names) else ""
    yield f"  to run: {counted(len(names), 'network')}{several}"
    yield f"  corpus: {'; '.join(_corpora(table))}"
    if needs := _needs(names):
        yield f"  needs: {'; '.join(needs)}"
    held = costs.load()
    for name in names:
        cost = held.get(name)
        shown = f"{cost.weights:>13,} weights, {cost.gflops:>6.3g} GFLOPs a frame" if cost else ""
        rows = [row.row for row in (*table.rows, *table.beside) if row.experiment == name]
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        yield f"    {short(name):<38}{shown:<44}  {rows[0]}{more}"


def _corpora(table: Table) -> list[str]:
    found = {}
    for row in table.rows:
        if row.experiment:
            found[f"{row.corpus} (layout {EXPERIMENTS[row.experiment].data.layout})"] = None
    return list(found)


def _needs(names: Sequence[str]) -> list[str]:
    """Return the flags of what the rows of some experiments start from, each once."""
    found: dict[str, None] = {}
    for experiment in (EXPERIMENTS[name] for name in names if name != SIFT_SVR):
        if experiment.training.pretrained and experiment.training.pretrained not in CHAINS:
            found[_weights(experiment)] = None
    # By the corpus that networks are pre-trained on: what they start from there.
    before: dict[str, dict[str, None]] = {}
    for experiment in (EXPERIMENTS[name] for name in names if name != SIFT_SVR):
        if experiment.training.pretrained in CHAINS:
            first, fields = starting_weights.upstream(experiment)
            own = before.setdefault(starting_weights.name_of(experiment), {})
            own[_weights(override(first, fields))] = None
    for corpus, flags in before.items():
        found[
            f"--weights={corpus}=FILE, a checkpoint of yours, or --corpus={corpus}=DIR to train it first "
            f"(which starts from {', '.join(flags)})"
        ] = None
    return list(found)


def _weights(experiment: Experiment) -> str:
    return f"--weights={starting_weights.name_of(experiment)}=FILE"
