"""Traces: samples, punch-in, ends, holes, and files that the layout `thesis` reads."""

import numpy as np
import pytest

from tfrecords_tools.annotate import traces
from tfrecords_tools.annotate.traces import Trace
from tfrecords_tools.errors import UserError
from tfrecords_tools.files.tables import read_number_rows


def rows(trace):
    return list(zip(trace.times.tolist(), trace.values.tolist(), strict=True))


def test_samples_are_whole_milliseconds_and_thousandths_in_order():
    trace = Trace.of([(0.5, -1), (0.0334, 0.1239), (1.00049, 1)])
    assert rows(trace) == [(33, 124), (500, -1000), (1000, 1000)]


def test_the_last_sample_of_a_millisecond_counts():
    assert rows(Trace.of([(0.1, 0.1), (0.1001, 0.2), (0.0999, 0.3), (0.2, 0)])) == [(100, 300), (200, 0)]


@pytest.mark.parametrize("sample", [(-0.1, 0), (0, 1.01), (float("nan"), 0), (0, float("inf"))])
def test_samples_out_of_range_are_refused(sample):
    with pytest.raises(ValueError, match="Samples must be"):
        Trace.of([(0, 0), sample])


def test_a_segment_replaces_its_own_stretch_of_time_and_nothing_else():
    base = Trace.of([(t / 10, 0.1) for t in range(11)])
    found = base.splice(Trace.of([(0.35, 0.5), (0.5, 0.6), (0.62, 0.7)]))
    expected = [(0, 100), (100, 100), (200, 100), (300, 100), (350, 500), (500, 600), (620, 700)]
    assert rows(found) == [*expected, (700, 100), (800, 100), (900, 100), (1000, 100)]
    assert rows(base.splice(Trace())) == rows(base)


def test_splicing_twice_changes_nothing():
    base, segment = Trace.of([(0, 0), (1, 0)]), Trace.of([(0.3, 1), (0.6, -1)])
    assert rows(base.splice(segment).splice(segment)) == rows(base.splice(segment))


def test_random_splices_are_those_of_a_table_of_milliseconds():
    rng = np.random.default_rng(0)
    trace, table = Trace(), {}
    for _ in range(60):
        start = rng.uniform(0, 9)
        own = [(start + i / 30, rng.uniform(-1, 1)) for i in range(rng.integers(1, 40))]
        segment = {round(t * 1000): round(v * 1000) for t, v in own}
        table = {t: v for t, v in table.items() if not min(segment) <= t <= max(segment)} | segment
        trace = trace.splice(Trace.of(own))
    assert rows(trace) == sorted(table.items())
    assert (np.diff(trace.times) > 0).all()


def test_a_row_at_the_beginning_and_one_at_the_end():
    found = Trace.of([(0.04, 0.2), (1.9, -0.3), (2.3, 0.9)]).with_ends(2.0)
    assert rows(found) == [(0, 200), (40, 200), (1900, -300), (2000, -300)]
    assert rows(Trace.of([(0, 0.1), (2, 0.2)]).with_ends(2.0)) == [(0, 100), (2000, 200)]
    assert rows(Trace().with_ends(2.0)) == []


def test_holes_are_where_more_than_a_second_was_not_watched():
    trace = Trace.of([(0.5, 0), (1.5, 0), (2.6, 0), (3.0, 0)])
    assert trace.holes(4.5) == [(1.5, 2.6), (3.0, 4.5)]
    assert trace.share(4.5) == pytest.approx((4.5 - 1.1 - 1.5) / 4.5)
    assert Trace().share(4.5) == 0
    assert Trace().holes(4.5) == [(0.0, 4.5)]


def test_a_file_is_read_back_and_by_the_thesis_reader(tmp_path):
    trace = Trace.of([(0, 0.5), (0.0334, -1), (3600.0167, 1)])
    path = tmp_path / "new" / "a clip's name.txt"
    traces.write(trace, path)
    assert path.read_text() == "0.000 500\n0.033 -1000\n3600.017 1000\n"
    assert rows(traces.read(path)) == rows(trace)
    assert [row.number("value", -1000, 1000) for row in read_number_rows(path, ("time", "value"))] == [500, -1000, 1000]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.000 10\nhalf", "line 2: must be a time"),
        ("0.000 1.5\n", "line 1: must be a time"),
        ("0.000 1\n0.000 2\n", "line 2: times must rise"),
        ("0.000 1001\n", "line 1: times must rise and values must be from"),
    ],
)
def test_a_damaged_file_is_named(text, message, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        traces.read(path)
