"""Docstrings that describe several names at once, for the site: `start, end: text` becomes two entries."""

import re

import griffe

ENTRY = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)$", re.MULTILINE)


class DocstringNames(griffe.Extension):
    """Give each name an entry of its own, which refers to the first."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = ENTRY.sub(_apart, obj.docstring.value)


def _apart(entry: re.Match) -> str:
    indent, names, text = entry.groups()
    first, *others = names.split(", ")
    return "\n".join([f"{indent}{first}: {text}", *(f"{indent}{name}: see `{first}`." for name in others)])
