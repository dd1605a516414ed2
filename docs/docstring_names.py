"""Docstrings as the site reads them: `start, end: text` becomes two entries, and the code of an example stays code."""

import re

import griffe

ENTRY = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)$", re.MULTILINE)
# Of one example the site would make a note, in which `>>>` are quotations; of examples it makes code.
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class DocstringNames(griffe.Extension):
    """Give each name an entry of its own, which refers to the first; head an example as the site knows it."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            text = EXAMPLE.sub("Examples:", obj.docstring.value)
            obj.docstring.value = ENTRY.sub(_apart, text)


def _apart(entry: re.Match) -> str:
    indent, names, text = entry.groups()
    first, *others = names.split(", ")
    return "\n".join([f"{indent}{first}: {text}", *(f"{indent}{name}: see `{first}`." for name in others)])
