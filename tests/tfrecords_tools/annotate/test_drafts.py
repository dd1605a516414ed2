"""Drafts: what survives a crash, undo, and corrections of a finished annotation."""

import pytest

from tfrecords_tools.annotate.drafts import Draft
from tfrecords_tools.annotate.traces import Trace


def rows(trace):
    return list(zip(trace.times.tolist(), trace.values.tolist(), strict=True))


def test_samples_are_on_disk_when_they_are_added(tmp_path):
    path = tmp_path / "deep" / "v.jsonl"
    draft = Draft.open(path)
    draft.add(1, [(0, 0.1), (0.5, 0.2)])
    draft.add(1, [(1, 0.3)])
    draft.add(2, [(0.4, -0.5), (0.6, -0.5)])
    again = Draft.open(path)
    assert rows(again.trace()) == rows(draft.trace()) == [(0, 100), (400, -500), (600, -500), (1000, 300)]
    assert again.number == 3


def test_undo_takes_back_the_last_segment_and_is_remembered(tmp_path):
    path = tmp_path / "v.jsonl"
    draft = Draft.open(path)
    draft.add(1, [(0, 0.1), (1, 0.1)])
    draft.add(2, [(0, 0.9), (1, 0.9)])
    assert draft.undo() == 2
    assert rows(Draft.open(path).trace()) == [(0, 100), (1000, 100)]
    assert Draft.open(path).number == 3  # a segment's number is never used again
    assert draft.undo() == 1
    assert draft.undo() is None
    assert len(Draft.open(path).trace()) == 0


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_that_was_cut_off_costs_that_line_alone(cut, tmp_path):
    path = tmp_path / "v.jsonl"
    draft = Draft.open(path)
    draft.add(1, [(0, 0.1)])
    whole = path.read_bytes()
    draft.add(1, [(0.5, 0.2), (0.6, 0.2)])
    path.write_bytes(path.read_bytes()[:-cut] if cut < len(path.read_bytes()) - len(whole) else whole)
    draft = Draft.open(path)
    draft.add(2, [(2, 0.4)])
    found = rows(Draft.open(path).trace())
    assert found[0] == (0, 100)
    assert found[-1] == (2000, 400)
    assert len(found) in (2, 4)


@pytest.mark.parametrize("junk", [b"null\n", b"[1]\n", b'{"undo": 9}\n', b'{"segment": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_log_is_read_as_far_as_it_goes(junk, tmp_path):
    path = tmp_path / "v.jsonl"
    Draft.open(path).add(1, [(0, 0.1)])
    path.write_bytes(junk + path.read_bytes() + junk)
    assert rows(Draft.open(path).trace()) == [(0, 100)]


def test_bad_samples_change_nothing(tmp_path):
    draft = Draft.open(tmp_path / "v.jsonl")
    with pytest.raises(ValueError, match="Samples"):
        draft.add(1, [(0, 2.0)])
    assert not draft.path.exists()
    assert not draft.segments


def test_a_finished_annotation_is_what_corrections_are_spliced_into(tmp_path):
    base = Trace.of([(t / 4, 0.5) for t in range(9)])
    draft = Draft.open(tmp_path / "v.jsonl", base)
    assert rows(draft.trace()) == rows(base)
    draft.add(1, [(0.5, -1), (1, -1)])
    corrected = draft.trace()
    assert rows(corrected)[:5] == [(0, 500), (250, 500), (500, -1000), (1000, -1000), (1250, 500)]
    # Killed after the annotation was written and before the draft was removed: nothing changes.
    assert rows(Draft.open(draft.path, corrected).trace()) == rows(corrected)
    assert draft.undo() == 1
    assert rows(draft.trace()) == rows(base)
    draft.remove()
    assert not draft.path.exists()
