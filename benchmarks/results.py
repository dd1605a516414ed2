"""How every benchmark runs and shows its result: as a table on the screen and, if wanted, as JSON."""

import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tfrecords_tools.errors import UserError, exit_status


def as_script(main: Callable[[], None], *packages: str) -> NoReturn:
    """Run a benchmark, which needs these packages too, and end with its exit status; an error is one line."""

    def whole() -> None:
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        if missing and not {"-h", "--help"} & set(sys.argv):
            raise UserError(f"{missing[0]}, which this is compared with, is not installed: pip install {missing[0]}")
        main()

    sys.exit(exit_status(whole))


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
