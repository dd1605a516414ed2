"""Names in any script on plots: in a font that has their characters, or with the characters' numbers."""

from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

# Fonts that have a box for every character; matplotlib brings one of them, macOS another.
_BOXES = ("Last Resort", ".LastResort", "LastResort")


def make_legible(figure: Figure) -> None:
    """Give each text of a figure a font that has its characters; write those that no font has as their numbers.

    Matplotlib would draw boxes, and warn of each.
    """
    for text in figure.findobj(Text):
        shown = text.get_text()
        if shown.isascii():
            continue
        own = _characters(font_manager.findfont(text.get_fontproperties()))
        missing = frozenset(ord(character) for character in shown) - own - {ord("\n")}
        if missing:
            family, has = _font_with(missing)
            if family is not None:
                text.set_fontfamily([*text.get_fontfamily(), family])
            text.set_text("".join(c if ord(c) in own | has or c == "\n" else _number(c) for c in shown))


def _number(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _font_with(characters: frozenset[int]) -> tuple[str | None, frozenset[int]]:
    """Return the family of an installed font that has most of the characters, and which of them it has."""
    best: tuple[str | None, frozenset[int]] = (None, frozenset())
    fonts = [font for font in font_manager.fontManager.ttflist if not font.name.startswith(_BOXES)]
    for font in sorted(fonts, key=lambda font: (font.weight != 400, font.style, font.fname)):
        has = characters & _characters(font.fname)
        if len(has) > len(best[1]):
            best = (font.name, has)
        if best[1] == characters:
            break
    return best


@cache
def _characters(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that matplotlib cannot read
        return frozenset()
