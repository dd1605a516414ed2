"""Small CSV files that a user gives beside a corpus."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tfrecords_tools.errors import UserError


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Returns (line, row) of a CSV file with a header that has at least `columns`, values stripped.

    Raises:
      UserError: if it cannot be read, or lacks a column or a value.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
            header = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: must be a readable CSV file. Received: {error}") from None
    if missing := [name for name in columns if name not in header]:
        raise UserError(f"{path}: must have the columns {', '.join(columns)}. Received: no {', '.join(missing)}")
    for number, row in rows:
        if empty := [name for name in columns if not (row[name] or "").strip()]:
            raise UserError(f"{path}, line {number}: `{empty[0]}` must not be empty. Fill it in, or take the line out.")
    return [(number, {key: (value or "").strip() for key, value in row.items() if key}) for number, row in rows]
