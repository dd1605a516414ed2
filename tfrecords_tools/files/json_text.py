"""JSON that others wrote: what cannot be read is one kind of error."""

import json
from typing import Any


def loads(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
      ValueError: if it is none, or nested more deeply than Python follows.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None
