"""The papers' tables of results as data: one file per paper, the one home of every published number."""

from affwildnet.experiments.published import Published, Table
from affwildnet.experiments.tables import cvprw2017_tables, ijcv2019_tables, omg2019_tables, thesis2018_tables
from tfrecords_tools.errors import UserError, suggestion

_PAPERS = (ijcv2019_tables, cvprw2017_tables, omg2019_tables, thesis2018_tables)

# By name, such as "ijcv2019/9", in the papers' order.
TABLES: dict[str, Table] = {table.name: table for paper in _PAPERS for table in paper.TABLES}

__all__ = ["TABLES", "get_table", "of_experiment", "of_paper"]


def get_table(name: str) -> Table:
    """Return the table of a name, such as "ijcv2019/9".

    Raises:
      UserError: if there is none; the message suggests the closest name.
    """
    if name not in TABLES:
        raise UserError(
            f"A table must be one of {', '.join(TABLES)}. Received: {name}.{suggestion(name, TABLES)} "
            "`python -m affwildnet.reproduce list` shows them."
        )
    return TABLES[name]


def of_paper(source: str) -> tuple[Table, ...]:
    """Return a paper's tables, in its order."""
    return tuple(table for table in TABLES.values() if table.source == source)


def of_experiment(name: str) -> tuple[Published, ...]:
    """Return every row that prints the result of an experiment, its own paper's first."""
    rows = [row for table in TABLES.values() for row in table.rows if row.experiment == name]
    return tuple(sorted(rows, key=lambda row: row.source != name.split("/")[0]))
