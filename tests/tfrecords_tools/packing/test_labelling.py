"""Whose mean the labels are, and labels brought forward by the raters' delays."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.helpers.annotated_clips import two_annotated_clips
from tfrecords_tools.cli import main
from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import jobs
from tfrecords_tools.packing.labelling import check_delays, labels_of_frames, rows_unused
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_columns
from tfrecords_tools.study import delay_report, stats
from tfrecords_tools.study.inspection import table

FPS = 10
RATERS = {"ann": 0.0, "ben": 0.2, "cleo": 0.4}


def curve(time):
    return 0.5 * np.sin(2 * time)


def seen(frames, fps=FPS):
    return {n: (n - 1) / fps for n in range(1, frames + 1)}, {n: n for n in range(1, frames + 1)}


def rated(frames, delays, times=None):
    moments = np.arange(frames) / FPS if times is None else times
    annotators = np.stack([np.stack([curve(moments - delay)] * 2, axis=1) for delay in delays], axis=1)
    return Labels(annotators.mean(1).astype(np.float32), times, annotators.astype(np.float32))


@pytest.mark.parametrize("times", [None, np.arange(100) / FPS])
def test_each_raters_delay_is_taken_back_and_the_label_is_the_mean(times):
    labels, frames = rated(100, (0.0, 1.0), times), range(1, 101)
    found = labels_of_frames(labels, ("ann", "ben"), frames, seen(100), delays=(("ben", 1.0),))
    expected = np.repeat(curve(np.arange(100) / FPS)[:, None], 2, axis=1)
    np.testing.assert_allclose(found.annotators[:90, 0], expected[:90], atol=1e-6)
    np.testing.assert_allclose(found.annotators[:90, 1], expected[:90], atol=1e-6)
    np.testing.assert_allclose(found.values[:90], expected[:90], atol=1e-6)
    assert np.isnan(found.annotators[96:, 1]).all()  # more than half a second beyond the end nothing was rated


def timed(times):
    return Labels(np.zeros((len(times), 2), np.float32), np.asarray(times, np.float64))


def clip(end=None):
    return VideoSource("a", "train", "a", Path("a.mp4"), None, end=end)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        (
            np.arange(258) * 40.0,
            "257 of 258 rows .* after the video's end at 10.3 seconds, the last at 10280.* milliseconds",
        ),
        (np.arange(1.0, 259), "248 of 258 rows .* numbers of frames"),
        (np.arange(258) * 0.4, "230 of 258 rows .* Check that the times are seconds"),
    ],
)
def test_rows_that_no_frame_uses_are_an_error(times, says):
    with pytest.raises(UserError, match=says):
        rows_unused(timed(times), 10.32, 258, clip())


def test_a_few_rows_that_no_frame_uses_are_counted():
    assert rows_unused(timed(np.arange(300) * 0.04), 10.32, 258, clip()) == 29
    assert rows_unused(timed(np.arange(3000) * 0.004), 11.9, 258, clip()) == 0
    assert rows_unused(timed(np.arange(258) * 40.0), 10.32, 258, clip(end=10.3)) == 0  # a part of a longer video
    assert rows_unused(timed([90.0]), 10.32, 258, clip()) == 0  # the one row of a video
    assert rows_unused(Labels(np.zeros((500, 2), np.float32)), 10.32, 258, clip()) == 0


def test_without_delays_and_choice_the_labels_stay_as_they_are():
    labels = rated(20, (0.0, 1.0))
    found = labels_of_frames(labels, ("ann", "ben"), [3, 7], seen(20))
    np.testing.assert_array_equal(found.values, labels.values[[2, 6]])


def test_a_dataset_without_single_annotators_is_shifted_as_a_whole():
    labels = Labels(rated(50, (0.0,)).values)
    found = labels_of_frames(labels, (), range(1, 51), seen(50), delays=(("label", 0.5),))
    np.testing.assert_array_equal(found.values[:45], labels.values[5:])


def test_frames_without_a_face_do_not_move_the_labels():
    labels = rated(50, (0.0, 0.3))
    found = labels_of_frames(labels, ("ann", "ben"), [1, 2, 30], seen(50), delays=(("ben", 0.3),))
    np.testing.assert_allclose(found.annotators[:, 1], labels.annotators[[0, 1, 29], 0], atol=1e-6)


def test_raters_are_chosen_for_each_dimension():
    labels = rated(10, (0.0, 0.3, 0.6))
    found = labels_of_frames(labels, ("a", "b", "c"), range(1, 11), seen(10), chosen=(("a", "b"), ("b", "c")))
    np.testing.assert_allclose(found.values[:, 0], labels.annotators[:, :2, 0].mean(1), atol=1e-6)
    np.testing.assert_allclose(found.values[:, 1], labels.annotators[:, 1:, 1].mean(1), atol=1e-6)


@pytest.fixture(scope="module")
def annotated(sample_clips, tmp_path_factory):
    """Two clips of the sample with three raters of known delays."""

    def late(delay):
        return lambda time: curve(time - delay)

    curves = {rater: late(delay) for rater, delay in RATERS.items()}
    return two_annotated_clips(sample_clips / "videos", tmp_path_factory.mktemp("rated"), curves)


def names(folder):
    return sorted(path.stem for path in (folder / "videos").rglob("*.mp4"))


def options():
    return PackOptions(landmark_model=find_model(), aligner=Aligner(32))


def columns(folder, packed, index=0):
    return read_columns(folder, packed.videos[index], ["timestamp", "label", "annotators"], packed.fields)


def test_packing_by_a_selection_labels_with_its_mean_and_keeps_it(annotated, tmp_path):
    first, second = names(annotated)
    selected = tmp_path / "selected.csv"
    selected.write_text(
        f"video,annotators,dimension\n{first},ann;ben,valence\n{first},ben;cleo,arousal\n{second},ann;cleo,\n"
    )
    packed = pack("thesis", annotated, tmp_path / "packed", options(), selected=selected)
    assert packed.selected == {
        first: {"valence": ["ann", "ben"], "arousal": ["ben", "cleo"]},
        second: {"valence": ["ann", "cleo"], "arousal": ["ann", "cleo"]},
    }
    assert manifest.load(tmp_path / "packed") == packed
    at = next(index for index, entry in enumerate(packed.videos) if entry.video == first)
    found = columns(tmp_path / "packed", packed, at)
    np.testing.assert_allclose(found["label"][:, 0], found["annotators"][:, :2, 0].mean(1), atol=1e-6)
    np.testing.assert_allclose(found["label"][:, 1], found["annotators"][:, 1:, 1].mean(1), atol=1e-6)
    assert "the mean of the annotators selected for 2 videos" in table(tmp_path / "packed")


def test_a_video_that_is_not_selected_is_left_out_with_the_reason(annotated, tmp_path):
    first, second = names(annotated)
    selected = tmp_path / "selected.csv"
    selected.write_text(f"video,annotators,dimension\n{first},ann;ben,\n{second},ann;ben,valence\n")
    packed = pack("thesis", annotated, tmp_path / "packed", options(), selected=selected)
    assert [entry.video for entry in packed.videos] == [first]
    (left,) = packed.left_out
    assert (left.video, left.reason) == (second, f"{selected}: selects no annotators for its arousal")


def test_packing_with_delays_keeps_and_shows_them(annotated, tmp_path, capsys):
    folder = tmp_path / "packed"
    arguments = ["pack", "--layout=thesis", f"--source={annotated}", f"--output={folder}", "--size=32", "--workers=1"]
    assert main([*arguments, "--delay=ben:0.2,cleo:0.4"]) == 0
    assert "brought forward by the annotators' delays: ben 0.20 s, cleo 0.40 s" in capsys.readouterr().out
    packed = manifest.load(folder)
    assert packed.delays == {"ben": 0.2, "cleo": 0.4}
    found = columns(folder, packed)
    kept = found["timestamp"].ravel() < found["timestamp"].max() - 0.4
    expected = curve(found["timestamp"].ravel())[kept]
    for rater in range(3):
        np.testing.assert_allclose(found["annotators"][kept, rater, 0], expected, atol=0.02)
    assert "cleo 0.40 s" in table(folder)
    assert "cleo 0.40 s" in stats.table(stats.statistics(folder))


def test_another_selection_or_delay_packs_only_what_it_changes(annotated, tmp_path):
    folder = tmp_path / "packed"
    before = pack("thesis", annotated, folder, options())
    selected = tmp_path / "selected.csv"
    first, second = names(annotated)
    selected.write_text(f"video,annotators,dimension\n{first},ann;ben,\n{second},ann;ben,\n")
    chosen = pack("thesis", annotated, folder, options(), selected=selected, overwrite=True)
    late = pack("thesis", annotated, folder, options(), delays={"ben": 0.2}, overwrite=True)
    again = pack("thesis", annotated, folder, options(), overwrite=True)
    digests = [[entry.input_sha256 for entry in each.videos] for each in (before, chosen, late, again)]
    assert digests[0] == digests[3]
    assert len({digests[index][0] for index in range(3)}) == 3


@pytest.mark.parametrize("delays", [{"dora": 1.0}, {"ann": 61.0}, {"ann": float("nan")}])
def test_a_delay_of_nobody_or_too_long_is_refused(annotated, tmp_path, delays):
    with pytest.raises(UserError, match="`delay` must be"):
        pack("thesis", annotated, tmp_path / "packed", options(), delays=delays)


def test_the_delay_of_who_rated_alone_is_that_of_the_label():
    alone = [SimpleNamespace(annotators=())]
    check_delays({"label": 0.4}, alone)
    with pytest.raises(UserError, match=r"must be of `label` where one person alone has rated.*Received: anna"):
        check_delays({"anna": 0.4}, alone)


def test_clips_that_are_too_short_have_no_estimated_delay(annotated, tmp_path):
    with pytest.raises(UserError, match="`delay` cannot be estimated for ann, ben, cleo"):
        pack("thesis", annotated, tmp_path / "packed", options(), delays="auto")


@pytest.mark.parametrize("text", ["ann", "ann:", "ann:fast", ":2", "auto,ann:1"])
def test_what_is_no_delay_is_refused(annotated, tmp_path, capsys, text):
    status = main(["pack", "--layout=thesis", f"--source={annotated}", f"--output={tmp_path / 'p'}", f"--delay={text}"])
    assert status == 2
    assert "must be auto or NAME:SECONDS" in capsys.readouterr().err


def test_estimated_delays_are_those_behind_the_landmarks(annotated, tmp_path, monkeypatch):
    rest = {"low": None, "high": None, "correlation": 0.9, "undelayed": 0.5, "rests_on": 40.0, "chance": 0.3, "p": 0.05}
    raters = [{"name": name, "landmarks": {"seconds": seconds + 0.001, **rest}} for name, seconds in RATERS.items()]
    looked_at = []

    def report(folder):
        looked_at.append(manifest.load(folder).delays)
        return {"raters": raters}

    searched = []

    def searching(source, *more):
        searched.append(source.video)
        return pack_video(source, *more)

    monkeypatch.setattr(delay_report, "report", report)
    monkeypatch.setattr(jobs, "pack_video", searching)
    packed = pack("thesis", annotated, tmp_path / "packed", options(), delays="auto")
    assert looked_at == [{}]  # estimated where nothing was shifted
    assert packed.delays == RATERS
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]
    assert sorted(searched) == names(annotated)  # faces are found once
    afresh = pack("thesis", annotated, tmp_path / "afresh", options(), delays=RATERS)
    assert [entry.sha256 for entry in packed.videos] == [entry.sha256 for entry in afresh.videos]
    assert [entry.to_json() for entry in packed.videos] == [entry.to_json() for entry in afresh.videos]
