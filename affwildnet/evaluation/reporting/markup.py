"""Parts of an HTML page that needs no other file: tables that sort, dashes that say why they are there, images."""

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 84em; margin: 2em auto; padding: 0 1em; color: #1a1a1a }
h1 { margin-bottom: 0 } h2 { margin-top: 2em; border-bottom: 2px solid #0072B2; padding-bottom: .1em }
nav { margin: 1em 0; line-height: 2 } nav a { margin-right: 1.1em } a { color: #0072B2 }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
td, th { padding: .25em .6em; text-align: right; border-bottom: 1px solid #d0d0d0; vertical-align: top }
th { font-weight: 600; background: #f4f6f8 } td.text, th.text { text-align: left }
td.text:first-child { min-width: 13em } table.facts td.text:first-child { min-width: 9em }
tr.strong td { font-weight: 600 } td.missing { color: #707070; cursor: help }
table.facts td:first-child { font-weight: 600; white-space: nowrap }
th button { font: inherit; border: 0; background: none; padding: 0; cursor: pointer; color: #0072B2;
  text-align: inherit }
th[aria-sort=ascending] button::after { content: " ▲" } th[aria-sort=descending] button::after { content: " ▼" }
img { max-width: 100% } figure { margin: 1em 0 } figcaption { font-weight: 600; margin-bottom: .3em }
.faces { display: flex; flex-wrap: wrap; gap: 1em } .faces figure { width: 16em; margin: 0; font-size: 13px }
.faces img { width: 11.5em } .note { color: #505050; font-size: 14px }
td.heat { min-width: 4em; text-align: center } details { margin: .6em 0 } summary { cursor: pointer; font-weight: 600 }
@media print { nav { display: none } }
"""

# Numbers are sorted by value, text by letters; cells without a value come last in both directions.
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") === "ascending", numbers = head.dataset.kind === "number";
    const value = row => row.cells[column].dataset.value ?? "";
    const compare = (a, b) => numbers ? a - b : a.localeCompare(b);
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      return falling ? compare(y, x) : compare(x, y);
    });
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...rows);
  }));
}
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# The page loads nothing from anywhere, and runs its own script alone: whatever a name in a corpus holds.
POLICY = (
    f"default-src 'none'; img-src data:; script-src {_hash(SCRIPT)}; style-src-elem {_hash(STYLE)}; "
    "style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      shown: its text.
      value: a number or a text to sort by; None comes last.
      title: shown under the pointer: why there is a dash, or a name in full.
      kind: CSS class: "", "text", "missing" or "heat".
      colour: of the background, in CSS.
    """

    shown: str
    value: float | str | None = None
    title: str = ""
    kind: str = ""
    colour: str = ""


def escaped(value: Any) -> str:
    """Return a value as text in which HTML's own characters are escaped."""
    return html.escape(str(value))


def text(value: Any, title: str = "") -> Cell:
    """Return a cell of text, aligned to the left."""
    return Cell(str(value), str(value), title, "text")


def integer(value: int) -> Cell:
    """Return a cell with a whole number."""
    return Cell(f"{value:,}", value)


def missing(reason: str) -> Cell:
    """Return a dash that says why there is no value."""
    return Cell("–", None, reason, "missing")


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], sortable: bool = False, strong: int = -1) -> str:
    """Return a table.

    Args:
      head: titles of the columns; empty for a table without a head.
      sortable: whether a click on a title sorts by its column.
      strong: index of the row that stands out.
    """
    lines = [f'<div class="wide"><table class="{"sortable" if sortable else "facts" if not head else ""}">']
    if head:
        lines.append("<thead><tr>")
        for column, title in enumerate(head):
            cells = [row[column] for row in rows]
            number = all(cell.value is None or not isinstance(cell.value, str) for cell in cells)
            shown = f'<button type="button">{escaped(title)}</button>' if sortable else escaped(title)
            kind = "number" if number else "text"
            lines.append(f'<th scope="col" data-kind="{kind}"{"" if number else " class=text"}>{shown}</th>')
        lines.append("</tr></thead>")
    lines.append("<tbody>")
    for index, row in enumerate(rows):
        lines.append(f"<tr{' class=strong' if index == strong else ''}>{''.join(map(_cell, row))}</tr>")
    return "".join([*lines, "</tbody></table></div>"])


def facts(rows: Sequence[tuple[str, Any]]) -> str:
    """Return a table of names and values."""
    return table([], [[text(name), text(value)] for name, value in rows])


def paragraphs(lines: Sequence[str], kind: str = "note") -> str:
    """Return a paragraph for each line; `kind` is its CSS class."""
    return "".join(f'<p class="{kind}">{escaped(line)}</p>' for line in lines)


def image(data: bytes, alt: str, form: str = "png") -> str:
    """Return an image that is part of the page itself."""
    return f'<img alt="{escaped(alt)}" src="data:image/{form};base64,{base64.b64encode(data).decode()}">'


def captioned(data: bytes, caption: str) -> str:
    """Return a PNG image with its caption above it."""
    return f"<figure><figcaption>{escaped(caption)}</figcaption>{image(data, caption)}</figure>"


def details(summary: str, inner: str) -> str:
    """Return HTML that a click on its summary unfolds."""
    return f"<details><summary>{escaped(summary)}</summary>{inner}</details>"


def _cell(cell: Cell) -> str:
    attributes = [f' class="{cell.kind}"'] if cell.kind else []
    if cell.value is not None:
        attributes.append(f' data-value="{escaped(cell.value)}"')
    if cell.title:
        attributes.append(f' title="{escaped(cell.title)}"')
    if cell.colour:
        attributes.append(f' style="background:{cell.colour}"')
    return f"<td{''.join(attributes)}>{escaped(cell.shown)}</td>"
