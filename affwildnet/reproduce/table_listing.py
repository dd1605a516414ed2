"""Every table of the papers: its rows, what they need, what they cost."""

from collections.abc import Iterator

from affwildnet.evaluation.reporting.published_corpora import dataset_of
from affwildnet.experiments import EXPERIMENTS, PAPERS, costs
from affwildnet.experiments.published import Table
from affwildnet.experiments.tables import TABLES
from affwildnet.reproduce import starting_weights
from affwildnet.reproduce.row_jobs import SIFT_SVR, experiments_of, short
from affwildnet.reproduce.starting_weights import CHAINS


def listing() -> str:
    """Return the tables paper by paper, each with its rows and what they need."""
    parts = []
    for source, paper in PAPERS.items():
        if paper.tables:
            parts.append(paper.title)
            parts += ["\n".join(_described(TABLES[table.name])) for table in paper.tables if table.source == source]
    return "\n\n".join(parts)


def _described(table: Table) -> Iterator[str]:
    names = experiments_of(table)
    others = sum(not row.experiment for row in table.rows)
    yield f"{table.name}: {table.title}"
    yield f"  {len(table.rows)} rows, {len(names)} to run{f', {others} of other groups' if others else ''}"
    yield f"  corpus: {'; '.join(_corpora(table))}"
    if needs := _needs(names):
        yield f"  needs: {', '.join(needs)}"
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
        if row.experiment and (dataset := dataset_of(row.corpus)):
            found[f"{row.corpus} (layout {dataset.layout})"] = None
    return list(found)


def _needs(names: list[str]) -> list[str]:
    """Return the flags of what the rows of some experiments start from, each once."""
    found = {}
    for name in names:
        if name == SIFT_SVR or not EXPERIMENTS[name].training.pretrained:
            continue
        experiment = EXPERIMENTS[name]
        named = starting_weights.name_of(experiment)
        if experiment.training.pretrained in CHAINS:
            first, _ = starting_weights.upstream(experiment)
            found[f"--corpus={named}=DIR (pre-training of {short(first.name)}) or --weights={named}=FILE"] = None
        else:
            found[f"--weights={named}=FILE"] = None
    return list(found)
