"""Text tables: the rows of a file with separators, each with its file and line, and the numbers in them."""

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError, suggestion
from tfrecords_tools.files.number_text import is_number
from tfrecords_tools.files.regular_files import regular

# Seconds, more than a day: what is longer is no time of a video.
LONGEST = 100_000.0

# Number of a line, and its cells.
Line = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Attributes:
      place: its file and line, for errors.
      columns: names of the columns.
      cells: its texts, without the spaces around them.
    """

    place: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def text(self, column: str, default: str | None = None) -> str:
        """Return the text of a column, or `default` where the table has no such column.

        Raises:
          UserError: if the row does not have as many cells as there are columns.
        """
        if len(self.cells) != len(self.columns):
            raise UserError(
                f"{self.place}: must have {len(self.columns)} cells ({', '.join(self.columns)}). "
                f"Received: {len(self.cells)}."
            )
        if default is not None and column not in self.columns:
            return default
        return self.cells[self.columns.index(column)]

    def filled(self, column: str) -> str:
        """Return the text of a column; raise a `UserError` also if it is empty."""
        text = self.text(column)
        if not text:
            raise UserError(f"{self.place}: `{column}` must not be empty. Fill it in, or take the line out.")
        return text

    def number(self, column: str, low: float = -1.0, high: float = 1.0) -> float:
        """Return the number of a column.

        Raises:
          UserError: naming file, line and column, if it is not one finite number from `low` to `high`.
        """
        return to_number(self.text(column), f"{self.place}, `{column}`", low, high)

    def integer(self, column: str, low: int, high: int) -> int:
        """Return the whole number of a column; raise a `UserError` as `number` does."""
        value = self.number(column, low, high)
        if value != int(value):
            raise UserError(f"{self.place}, `{column}`: must be a whole number. Received: {self.text(column)[:40]!r}")
        return int(value)


def read_rows(path: Path, needed: tuple[str, ...], delimiter: str = ",", *, keep_empty: bool = False) -> list[TableRow]:
    """Return the rows of a table whose first line names the columns, among which are those `needed`.

    Args:
      path: of the table.
      needed: names of columns.
      delimiter: between cells.
      keep_empty: whether a line without anything in it is a row, as where rows count frames; not at the file's end.

    Raises:
      UserError: if the file cannot be read, has no row but the header, or lacks a column.
    """
    (_, header), *lines = read_lines(path, delimiter, keep_empty=keep_empty)
    while header and not header[-1]:
        header = header[:-1]
    missing = [name for name in needed if name not in header]
    if missing or len(set(header)) < len(header):
        raise UserError(
            f"{path}: the first line must name each column once, among them {', '.join(needed)}. "
            f"Received: {delimiter.join(header)[:80]!r}"
        )
    if not lines:
        raise UserError(f"{path}: must hold rows below its header. Received: none.")
    return to_rows(path, header, lines)


def check_columns(path: Path, header: Iterable[str], columns: Iterable[str]) -> None:
    """Raise a `UserError` if a table's header has a name that is not among `columns`; an empty name is passed over."""
    columns = list(columns)
    for name in header:
        if name and name not in columns:
            raise UserError(
                f"{path}: a column must be one of {', '.join(columns)}. Received: {name}.{suggestion(name, columns)}"
            )


def read_number_rows(path: Path, columns: tuple[str, ...]) -> list[TableRow]:
    """Return the rows of a file of numbers with spaces, tabs, commas or semicolons between; a header may come first.

    Raises:
      UserError: if the file cannot be read, or holds no row.
    """
    lines = [(number, line.strip(" \t")) for number, line in enumerate(read_text(path).split("\n"), start=1)]
    split = [(number, tuple(re.split(r"[ \t]*[,;][ \t]*|[ \t]+", line))) for number, line in lines if line]
    if split and not any(map(is_number, split[0][1])):
        split = split[1:]
    if not split:
        raise UserError(f"{path}: must hold rows of {', '.join(columns)}. Received: none.")
    return to_rows(path, columns, split)


def read_lines(path: Path, delimiter: str = ",", *, keep_empty: bool = False) -> list[Line]:
    """Return the lines of a table, without the spaces around their cells.

    Lines without anything in them are left out, or kept below the first line and above the last one that has something.

    Raises:
      UserError: if there is no such file, or it is no text or empty.
    """
    lines = []
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, skipinitialspace=True)
        for cells in reader:
            cells = tuple(cell.strip(" \t\n") for cell in cells)
            if any(cells) or (keep_empty and lines):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserError(f"{path}: must be a table of text. Received: {error}") from None
    while lines and not any(lines[-1][1]):
        lines.pop()
    if not lines:
        raise UserError(f"{path}: must hold a table. Received: an empty file.")
    return lines


def to_rows(path: Path, columns: tuple[str, ...], lines: list[Line]) -> list[TableRow]:
    """Return lines of `read_lines` as rows with named columns; empty cells beyond the last column are cut off."""
    return [TableRow(f"{path}, line {number}", columns, _cut(cells, len(columns))) for number, cells in lines]


def _cut(cells: tuple[str, ...], columns: int) -> tuple[str, ...]:
    if not any(cells):
        return ("",) * columns
    while len(cells) > columns and not cells[-1]:
        cells = cells[:-1]
    return cells


def read_times(rows: list[TableRow], column: str) -> np.ndarray:
    """Return (n,) float64, the seconds in a column.

    Raises:
      UserError: naming file and line, if one is no time or lies before the row above it.
    """
    times = []
    for row in rows:
        if is_number(row.text(column)) and LONGEST < float(row.text(column)) < np.inf:
            raise UserError(
                f"{row.place}, `{column}`: must be seconds, at most {LONGEST:.10g}. Received: "
                f"{row.text(column)[:40]}. If these are milliseconds, divide them by 1000."
            )
        times.append(row.number(column, 0, LONGEST))
    for row, before, time in zip(rows[1:], times[:-1], times[1:], strict=True):
        if time < before:
            raise UserError(f"{row.place}: times must not fall. Received: {time:g} after {before:g} seconds.")
    return np.array(times, np.float64)


def read_text(path: Path) -> str:
    """Return a text file, without a byte order mark and with "\\n" at the ends of lines.

    Raises:
      UserError: if there is no such file, or it is no UTF-8 text.
    """
    try:
        return regular(path).read_text("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: must be a readable text file. Received: no such file. Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: must be a readable text file. Received: {error}") from None


def to_number(text: str, place: str, low: float = -1.0, high: float = 1.0) -> float:
    """Return the finite number from `low` to `high` that `text` spells.

    Raises:
      UserError: beginning with `place`, such as "FILE, line 3".
    """
    if not is_number(text):
        raise UserError(f"{place}: must be one number. Received: {text.strip()[:40]!r}")
    value = float(text)
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"{place}: must be from {low:.10g} to {high:.10g}. Received: {text.strip()[:40]}")
    return value
