"""Curves over a part of one video: which records, and what is drawn of them."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers.corpora import FPS, make_corpus
from tests.helpers.raters import make_rated_corpus
from tfrecords_tools import cli
from tfrecords_tools.errors import UserError
from tfrecords_tools.study import agreement, figures, video_segments

NAMES = ("ann", "ben", "cleo")


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    ratings = np.random.default_rng(3).uniform(-1, 1, (2, 60, 3, 2)).astype(np.float32)
    folder = tmp_path_factory.mktemp("rated") / "corpus"
    make_rated_corpus(folder, ratings, NAMES)
    return folder, ratings


def test_the_annotations_of_a_segment_and_their_mac_s(rated, tmp_path, monkeypatch):
    folder, ratings = rated
    drawn = []
    monkeypatch.setattr(figures, "annotations", lambda *given: drawn.append(given))
    segment = video_segments.find(folder, "v1", first=11, frames=20)
    found = video_segments.draw_annotations(segment, {("v1", "valence"): (0, 2)}, tmp_path / "a.png")
    part = ratings[1, 10:30]
    expected = np.corrcoef(part[:, 0, 0], part[:, 2, 0])[0, 1]
    assert found["valence"] == pytest.approx(expected, abs=1e-6)
    assert found["arousal"] == pytest.approx(agreement.mac(np.corrcoef(part[:, :, 1].T)), abs=1e-6)
    ((times, panels, title, _),) = drawn
    np.testing.assert_allclose(times, np.arange(10, 30) / FPS, atol=1e-6)
    assert title == "v1"
    assert list(panels) == [f"valence, MAC-S {expected:.2f}", f"arousal, MAC-A {found['arousal']:.2f}"]
    first, second = panels.values()
    assert (list(first), list(second)) == (["ann", "cleo"], list(NAMES))
    np.testing.assert_array_equal(first["cleo"], part[:, 2, 0])


def test_the_commands_draw_them(rated, tmp_path, capsys):
    folder, _ = rated
    where = ["--video=v0", "--first=5", "--frames=30", f"--output={tmp_path}"]
    assert cli.main(["agreement", str(folder), "--best=2", *where]) == 0
    assert cli.main(["stats", str(folder), *where]) == 0
    assert "stats-train-v0.png" in capsys.readouterr().out
    for name in ("agreement-train-v0.png", "stats-train-v0.png"):
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 5


def test_crops_stand_below_the_labels_at_their_times(tmp_path, monkeypatch):
    make_corpus(tmp_path / "corpus", [{"frames": [1, 2, 3, 10, 11, 12]}])
    drawn = []
    monkeypatch.setattr(figures, "labels_with_crops", lambda *given: drawn.append(given))
    video_segments.draw_labels(video_segments.find(tmp_path / "corpus", "train/v0", first=3), tmp_path / "l.png")
    ((times, curves, crops, _, _),) = drawn
    np.testing.assert_allclose(times, (np.array([3, 10, 11, 12]) - 1) / FPS, atol=1e-6)
    assert set(curves) == {"valence", "arousal"}
    assert [time for time, _ in crops] == pytest.approx(times)
    assert all(crop.shape == (32, 32, 3) for _, crop in crops)


@pytest.mark.parametrize(
    ("video", "first", "says"),
    [
        ("v9", 1, "`video` must be one of"),
        ("v0", 60, "at least two frames must lie in the segment. Received: 1 from frame 60 on; the video has 1 to 60"),
    ],
)
def test_what_is_not_there_is_said(rated, video, first, says):
    with pytest.raises(UserError, match=says):
        video_segments.find(rated[0], video, first)


def test_a_name_in_two_splits_needs_its_split(tmp_path):
    make_corpus(tmp_path / "c", [{"frames": 3, "video": "a"}, {"frames": 4, "video": "a", "split": "test"}])
    with pytest.raises(UserError, match="which is in train and test"):
        video_segments.find(tmp_path / "c", "a")
    assert video_segments.find(tmp_path / "c", "test/a").entry.frames == 4


def test_a_corpus_without_annotators_has_no_annotations(tmp_path):
    make_corpus(tmp_path / "c", [{"frames": 3}])
    with pytest.raises(UserError, match="must hold single annotators' labels"):
        video_segments.draw_annotations(video_segments.find(tmp_path / "c", "v0"), {}, tmp_path / "a.png")
