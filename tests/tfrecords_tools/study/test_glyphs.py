"""Names in scripts that the default font lacks: no warning, and nothing lost."""

import warnings

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from tfrecords_tools.study import glyphs


def drawn(title, tmp_path):
    return drawn_in(title, tmp_path)[0]


def drawn_in(title, tmp_path):
    """Return the title as it is drawn, and the fonts that it is drawn in; a character that they lack is an error."""
    figure, axis = pyplot.subplots()
    axis.set_title(title)
    glyphs.make_legible(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(tmp_path / "plot.png")
    shown, families = axis.get_title(), axis.title.get_fontfamily()
    pyplot.close(figure)
    return shown, families


def test_what_the_default_font_has_stays(tmp_path):
    assert drawn("café Ωμέγα", tmp_path) == "café Ωμέγα"


def test_a_font_that_has_the_characters_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "_font_with", lambda characters: ("DejaVu Sans Mono", characters))
    monkeypatch.setattr(glyphs, "_characters", lambda path: frozenset(map(ord, "ab")))
    assert drawn_in("é", tmp_path) == ("é", ["sans-serif", "DejaVu Sans Mono"])


def test_what_no_font_has_is_written_as_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "_font_with", lambda characters: (None, frozenset()))
    assert drawn("日 a", tmp_path) == r"\u65e5 a"
    assert drawn("\U0001fae8", tmp_path) == r"\U0001fae8"


def test_the_installed_fonts_are_searched(tmp_path):
    # Two fonts that come with matplotlib.
    default, other = (set(FT2Font(findfont(name)).get_charmap()) for name in ("DejaVu Sans", "STIXGeneral"))
    character = chr(min(other - default))
    shown, families = drawn_in(f"a {character}", tmp_path)
    assert shown == f"a {character}"
    assert ord(character) in FT2Font(findfont(families[-1])).get_charmap()
    # Of no font but the last resort, which has a box for it.
    assert drawn("\U0010fffd", tmp_path) == r"\U0010fffd"
    drawn("日本語 한국어 \U0001fae8", tmp_path)
