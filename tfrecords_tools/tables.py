"""Text tables: rows of a file with separators, each with its file and line, and the numbers in them."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrecords_tools.errors import UserError

# Seconds, more than a day: what is longer is no time of a video.
LONGEST = 100_000.0


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
      place: its file and line, for errors.
      columns: names of the columns.
      cells: its texts, without the spaces around them.
    """

    place: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def text(self, column: str) -> str:
        """Return the text of a column.

        Raises:
          UserError: if the row does not have as many cells as there are columns.
        """
        if len(self.cells) != len(self.columns):
            raise UserError(
                f"{self.place}: must have {len(self.columns)} cells ({', '.join(self.columns)}). "
                f"Received: {len(self.cells)}."
            )
        return self.cells[self.columns.index(column)]

    def number(self, column: str, low: float = -1.0, high: float = 1.0) -> float:
        """Return the number of a column.

        Raises:
          UserError: naming file, line and column, if it is not one finite number from `low` to `high`.
        """
        return to_number(self.text(column), f"{self.place}, `{column}`", low, high)

    def integer(self, column: str, low: int, high: int) -> int:
        """Return the whole number of a column; raise a `UserError` likewise."""
        value = self.number(column, low, high)
        if value != int(value):
            raise UserError(f"{self.place}, `{column}`: must be a whole number. Received: {self.text(column)[:40]!r}")
        return int(value)


def read_cells(path: Path, delimiter: str = ",") -> list[tuple[int, tuple[str, ...]]]:
    """Return (line, cells) of each line that is not blank, without the spaces around cells.

    Raises:
      UserError: if the file is not there, is no text, or is empty.
    """
    rows = []
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, skipinitialspace=True)
        for cells in reader:
            cells = tuple(cell.strip() for cell in cells)
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserError(f"{path}: must be a table of text. Received: {error}") from None
    if not rows:
        raise UserError(f"{path}: must hold a table. Received: an empty file.")
    return rows


def to_rows(path: Path, columns: tuple[str, ...], lines: list[tuple[int, tuple[str, ...]]]) -> list[Row]:
    """Return lines of `read_cells` as rows with named columns; an empty cell beyond the last column is cut."""
    return [Row(f"{path}, line {number}", columns, _cut(cells, len(columns))) for number, cells in lines]


def read_rows(path: Path, needed: tuple[str, ...], delimiter: str = ",") -> list[Row]:
    """Return the rows of a table whose first line names the columns, among which are those `needed`.

    Raises:
      UserError: if the file cannot be read, has no row but the header, or lacks a column.
    """
    (_, header), *lines = read_cells(path, delimiter)
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


def read_columns(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """Return the rows of a file of numbers with spaces, tabs, commas or semicolons between; a header may come first.

    Raises:
      UserError: if the file cannot be read, or holds no row.
    """
    lines = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), start=1)]
    split = [(number, tuple(re.split(r"\s*[,;]\s*|\s+", line))) for number, line in lines if line]
    if split and not any(map(is_number, split[0][1])):
        split = split[1:]
    if not split:
        raise UserError(f"{path}: must hold rows of {', '.join(columns)}. Received: none.")
    return to_rows(path, columns, split)


def is_number(text: str) -> bool:
    """Whether `text` spells a number, also one that is not finite."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_times(rows: list[Row], column: str) -> np.ndarray:
    """Return (n,) float64, the seconds in a column.

    Raises:
      UserError: naming file and line, if one is no time or lies before the row above it.
    """
    times = [row.number(column, 0, LONGEST) for row in rows]
    for row, before, time in zip(rows[1:], times[:-1], times[1:], strict=True):
        if time < before:
            raise UserError(f"{row.place}: times must not fall. Received: {time:g} after {before:g} seconds.")
    return np.array(times, np.float64)


def _cut(cells: tuple[str, ...], columns: int) -> tuple[str, ...]:
    while len(cells) > columns and not cells[-1]:
        cells = cells[:-1]
    return cells


def read_dicts(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return (line, row) of a CSV file with a header that has at least `columns`, values stripped.

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


def read_text(path: Path) -> str:
    """Return a text file, without a byte order mark and with "\\n" at the ends of lines.

    Raises:
      UserError: if the file is not there, or is no UTF-8 text.
    """
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no annotation for this video. Add the file, or take the video out.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: an annotation must be readable text. Received: {error}") from None


def to_number(text: str, place: str, low: float = -1.0, high: float = 1.0) -> float:
    """Return the finite number from `low` to `high` that `text` spells.

    Raises:
      UserError: beginning with `place`, such as "FILE, line 3".
    """
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{place}: must be one number. Received: {text.strip()[:40]!r}") from None
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"{place}: must be from {low:g} to {high:g}. Received: {text.strip()[:40]}")
    return value
