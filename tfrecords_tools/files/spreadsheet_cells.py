"""Cells of the CSV files that people open in spreadsheets, which compute what begins like a formula."""

from typing import Any

from tfrecords_tools.files.tables import is_number

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def quoted(value: Any) -> str:
    """Return the text of a cell, with an apostrophe before what a spreadsheet would compute; numbers stay.

    Example:

    ```python
    quoted("=1+1"), quoted("-0.25"), quoted("ann")  # ("'=1+1", "-0.25", "ann")
    ```
    """
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not is_number(text) else text


def unquoted(text: str) -> str:
    """Return what `quoted` made a cell of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
