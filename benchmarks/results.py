"""How every benchmark shows its result: as a table on the screen and, if wanted, as JSON."""

import json
import os
import platform
from pathlib import Path


def show(title: str, rows: list[dict], output: Path | None, **facts) -> None:
    """Print `rows` (dicts with the same keys) as a table with `facts` below it; write all to `output` if given."""
    cells = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(rows[0]))]
    print(title)
    for line in cells:
        print("  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(
            zip(line, widths, strict=True))))  # fmt: skip
    for name, value in facts.items():
        print(f"{name}: {_text(value)}")
    if output:
        write(title, rows, output, **facts)
        print(f"written to {output}")


def write(title: str, rows: list[dict], output: Path, **facts) -> None:
    """Write a table as JSON."""
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"title": title, "rows": rows, **facts, "machine": machine}, indent=2) + "\n")


def _text(value) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
