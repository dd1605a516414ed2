"""What the page says while it records, and what comes of it on disk."""

import json

import pytest

from tests.helpers.annotated_clips import annotate, make_folder, read
from tfrecords_tools.annotate.catalogue import Catalogue
from tfrecords_tools.annotate.recording import MOST_SAMPLES, Recorder, Writers
from tfrecords_tools.errors import UserError


@pytest.fixture
def catalogue(tmp_path):
    return make_folder(tmp_path)


def opened(catalogue, rater="ann", video=1, dimensions=("valence",), writers=None):
    recorder = Recorder(catalogue, writers or Writers())
    recorder.answer({"type": "open", "rater": rater, "video": video, "dimensions": list(dimensions)})
    return recorder


def ramp(begin, end, value, step=1 / 30):
    count = round((end - begin) / step)
    return [[begin + i * step, value] for i in range(count + 1)]


def test_record_punch_in_undo_and_finish(catalogue, tmp_path):
    recorder = opened(catalogue)
    answer = recorder.answer({"type": "samples", "segment": 1, "samples": ramp(0, 1, 0.25)})
    assert answer == {"type": "samples", "segment": 1, "saved": pytest.approx(1), "next": 2}
    recorder.answer({"type": "samples", "segment": 2, "samples": ramp(0.4, 0.6, -0.5)})
    recorder.answer({"type": "samples", "segment": 3, "samples": ramp(0, 1, 1.0)})
    undone = recorder.answer({"type": "undo"})
    assert undone["undone"] == 3
    assert set(undone["traces"]["valence"]["values"]) == {0.25, -0.5}
    recorder.answer({"type": "finish", "details": {"input": "stick", "speed": 0.5, "password": "no"}})
    rows = read(catalogue, "ann", "valence", "one")
    assert rows[0, 0] == 0
    assert rows[-1, 0] == pytest.approx(catalogue.clip(1).facts.seconds, abs=1e-3)
    inside = (rows[:, 0] > 0.39) & (rows[:, 0] < 0.61)
    assert (rows[inside, 1] == -500).all()
    assert (rows[~inside, 1] == 250).all()
    details = json.loads((tmp_path / "annotations/ann/valence/one.json").read_text())
    assert details["input"] == "stick"
    assert details["clock"] == "media"
    assert details["verified"] is None
    assert "password" not in details
    assert not list((tmp_path / ".annotate").rglob("*.jsonl"))


def test_both_dimensions_at_once(catalogue):
    recorder = opened(catalogue, dimensions=("valence", "arousal"))
    recorder.answer({"type": "samples", "segment": 1, "samples": [[t, v, -v] for t, v in ramp(0, 1, 0.3)]})
    recorder.answer({"type": "finish"})
    assert set(read(catalogue, "ann", "valence", "one")[:, 1]) == {300}
    assert set(read(catalogue, "ann", "arousal", "one")[:, 1]) == {-300}


def test_what_was_recorded_before_a_crash_is_there_again(catalogue, tmp_path):
    opened(catalogue).answer({"type": "samples", "segment": 1, "samples": ramp(0, 0.5, 0.1)})
    recorder = Recorder(Catalogue(tmp_path), Writers())
    answer = recorder.answer({"type": "open", "rater": "ann", "video": 1, "dimensions": ["valence"]})
    assert answer["segment"] == 2
    assert answer["traces"]["valence"]["times"][-1] == pytest.approx(0.5)


def test_an_unfinished_video_names_the_hole(tmp_path):
    recorder = opened(make_folder(tmp_path, seconds=4))
    with pytest.raises(UserError, match="nothing is recorded"):
        recorder.answer({"type": "finish"})
    recorder.answer({"type": "samples", "segment": 1, "samples": ramp(0, 1, 0.1) + ramp(2.5, 4, 0.1)})
    with pytest.raises(UserError, match=r"nothing from 1\.0 to 2\.5 s"):
        recorder.answer({"type": "finish"})
    assert not (tmp_path / "annotations").exists()


def test_verifying_keeps_its_time_and_corrects(catalogue, tmp_path):
    annotate(catalogue, "ann", "one", lambda t: 0.2, ["valence"])
    recorder = opened(catalogue)
    recorder.answer({"type": "samples", "segment": 1, "samples": ramp(0.2, 0.4, 0.9)})
    verified = recorder.answer({"type": "verify"})["verified"]
    assert catalogue.details("ann", "valence", catalogue.clip(1))["verified"] == verified
    assert set(read(catalogue, "ann", "valence", "one")[:, 1]) == {200, 900}
    assert not list((tmp_path / ".annotate").rglob("*.jsonl"))
    with pytest.raises(UserError, match="must be finished before"):
        opened(catalogue, video=2).answer({"type": "verify"})


def test_a_correction_is_to_be_verified_anew_and_a_ghost_stays_noted(catalogue):
    recorder = opened(catalogue)
    recorder.answer({"type": "samples", "segment": 1, "samples": ramp(0, 1, 0.1)})
    recorder.answer({"type": "finish", "details": {"ghost": True}})
    recorder.answer({"type": "verify"})
    recorder.answer({"type": "samples", "segment": 5, "samples": ramp(0.2, 0.4, 0.9)})
    recorder.answer({"type": "finish", "details": {"ghost": False}})
    details = catalogue.details("ann", "valence", catalogue.clip(1))
    assert details["verified"] is None
    assert details["ghost"] is True


def test_one_page_writes_at_a_time(catalogue):
    writers = Writers()
    first = opened(catalogue, writers=writers)
    with pytest.raises(UserError, match="open for ann in another tab"):
        opened(catalogue, writers=writers)
    opened(catalogue, rater="ben", writers=writers)
    opened(catalogue, video=2, writers=writers)
    first.close()
    opened(catalogue, writers=writers)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "é", "x" * 65, None, 3])
def test_a_raters_name_is_no_path(name, catalogue, tmp_path):
    with pytest.raises(UserError, match="rater's name must be"):
        opened(catalogue, rater=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["videos"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "samples", "segment": 1, "samples": [[0.1, 1.5]]},
        {"type": "samples", "segment": 1, "samples": [[-1, 0.5]]},
        {"type": "samples", "segment": 1, "samples": [[99, 0.5]]},
        {"type": "samples", "segment": 1, "samples": [["a", 0.5]]},
        {"type": "samples", "segment": 1, "samples": [[0.5]]},
        {"type": "samples", "segment": "x", "samples": [[0.1, 0.5]]},
        {"type": "samples", "segment": 1, "samples": [[0.0, 0.0]] * (MOST_SAMPLES + 1)},
        {"type": "samples", "segment": 1},
        {"type": "open", "rater": "ann", "video": 99, "dimensions": ["valence"]},
        {"type": "open", "rater": "ann", "video": 1, "dimensions": ["joy"]},
        {"type": "open", "rater": "ann", "video": 1, "dimensions": []},
        {"type": "delete"},
        {},
    ],
)
def test_messages_that_make_no_sense_change_nothing(message, catalogue, tmp_path):
    recorder = opened(catalogue)
    before = sorted(tmp_path.rglob("*"))
    assert catalogue.source == tmp_path
    with pytest.raises((UserError, ValueError, KeyError, TypeError, IndexError)):
        recorder.answer(message)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("sample", [[0.1, 0.5], [0.1, 0.5, 7]])
def test_samples_of_two_dimensions_are_kept_together_or_not_at_all(sample, catalogue, tmp_path):
    recorder = opened(catalogue, dimensions=("valence", "arousal"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((IndexError, ValueError)):
        recorder.answer({"type": "samples", "segment": 1, "samples": [sample]})
    assert sorted(tmp_path.rglob("*")) == before
    assert recorder.answer({"type": "samples", "segment": 1, "samples": [[0.1, 0.5, -0.5]]})["next"] == 2


def test_each_raters_order_is_random_and_stays(tmp_path):
    names = [f"v{number}" for number in range(12)]
    catalogue = make_folder(tmp_path, names, seconds=0.1)
    orders = {rater: [clip.name for clip in catalogue.order(rater)] for rater in ("ann", "ben")}
    assert orders["ann"] != orders["ben"]
    assert sorted(orders["ann"]) == sorted(names)
    assert [clip.name for clip in Catalogue(tmp_path).order("ann")] == orders["ann"]
    (tmp_path / "videos/train/v3.mp4").unlink()
    fewer = [clip.name for clip in Catalogue(tmp_path).order("ann")]
    assert fewer == [name for name in orders["ann"] if name != "v3"]
