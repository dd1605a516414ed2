"""Numbers as they are written: as other programs read them too."""

import re

_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII)


def is_number(text: str) -> bool:
    """Return whether `text` spells a number, also one that is not finite.

    Python itself would also take underscores, digits of other scripts and other spaces: 0_1 as 1.
    """
    return _NUMBER.fullmatch(text.strip(" \t")) is not None


def number(text: str, kind: type[int] | type[float] = float) -> int | float:
    """Return the number that `text` spells; raise a `ValueError` if it is none of that kind."""
    if not is_number(text):
        raise ValueError(f"{text[:40]!r} is no number")
    return kind(text)
