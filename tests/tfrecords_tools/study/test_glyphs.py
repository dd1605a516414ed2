"""Names in scripts that the default font lacks: no warning, and nothing lost."""

import warnings

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from tfrecords_tools.study import glyphs


def drawn(title, tmp_path):
    figure, axis = pyplot.subplots()
    axis.set_title(title)
    glyphs.make_legible(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(tmp_path / "plot.png")
    shown = axis.get_title()
    pyplot.close(figure)
    return shown


def test_what_the_default_font_has_stays(tmp_path):
    assert drawn("café Ωμέγα", tmp_path) == "café Ωμέγα"


def test_a_font_that_has_the_characters_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "_font_with", lambda characters: ("DejaVu Sans Mono", characters))
    monkeypatch.setattr(glyphs, "_characters", lambda path: frozenset(map(ord, "ab")))
    assert drawn("é", tmp_path) == "é"


def test_what_no_font_has_is_written_as_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "_font_with", lambda characters: (None, frozenset()))
    assert drawn("日 a", tmp_path) == r"\u65e5 a"
    assert drawn("\U0001fae8", tmp_path) == r"\U0001fae8"


def test_the_installed_fonts_are_searched(tmp_path):
    drawn("日本語 한국어 \U0001fae8", tmp_path)
