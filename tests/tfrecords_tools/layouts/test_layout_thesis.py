"""The layout thesis: irregular times and k / 30, several raters, merged files, crops, -1000 to 1000."""

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, by_frame, frames_seen, labels_of, lay, numbered_images
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.labels import match
from tfrecords_tools.layouts.thesis import find_videos
from tfrecords_tools.packing.labelling import check_fits

# Table 3.3 of the thesis: seconds and value.
TABLE = [(0.010, 121), (0.030, 122), (0.041, 123), (0.057, 124), (0.089, 125), (0.102, 126), (0.119, 127)]


def text(rows):
    return "".join(f"{' '.join(map(str, row))}\n" for row in rows)


def rater(valence, arousal, name="a", folder=""):
    return {
        f"annotations/{folder}valence/{name}.txt": text(valence),
        f"annotations/{folder}arousal/{name}.txt": text(arousal),
    }


def test_the_example_of_the_thesis(tmp_path):
    # Section 3.2.3: frame 2 has the time 0.06667, the closest in table 3.3 is 0.057, and its value 124. By hand:
    # frame 1 at 0.0333 -> 0.030, frame 3 at 0.1 -> 0.102, frame 4 at 0.1333 -> 0.119.
    lay(tmp_path, {"videos/a.mp4": "", **rater(TABLE, [(time, -value) for time, value in TABLE])})
    (video,), left_out = find_videos(tmp_path)
    values = by_frame(video, 4, 30).values
    np.testing.assert_allclose(values[:, 0] * 1000, [122, 124, 126, 127], atol=1e-3)
    np.testing.assert_array_equal(values[:, 1], -values[:, 0])
    assert left_out == []


def test_each_frame_takes_the_row_nearest_to_its_number_over_thirty(tmp_path):
    random = np.random.default_rng(0)
    clocks = [np.round(np.sort(random.uniform(0, 4, 90)), 3), np.round(np.sort(random.uniform(0, 4, 70)), 3)]
    values = [random.integers(-1000, 1001, len(clock)) for clock in clocks]
    lay(
        tmp_path,
        {"videos/a.mp4": "", **rater(*(list(zip(c, v, strict=True)) for c, v in zip(clocks, values, strict=True)))},
    )
    (video,), _ = find_videos(tmp_path)
    found = by_frame(video, 120, 30).values
    for frame in range(1, 121):
        for column in (0, 1):
            distances = [abs(round(1000 * time) * 30 - 1000 * frame) for time in clocks[column]]  # whole numbers
            near = [values[column][i] for i, d in enumerate(distances) if d == min(distances)]
            assert round(found[frame - 1, column] * 1000) == near[0]


def test_a_frame_whose_time_is_a_row_gets_that_row_in_videos_and_in_crops(tmp_path):
    rows = [(f"{frame / 30:.5f}", frame) for frame in range(1, 61)]
    opposite = [(time, -frame) for time, frame in rows]
    lay(tmp_path, {
        "videos/a.mp4": "", **rater(rows, opposite), **rater(rows, opposite, "b"), "videos/b.mp4": "",
        **numbered_images("faces/b", 1, 60, without={1, 7, 60}),
    })  # fmt: skip
    (video, crops), left_out = find_videos(tmp_path)
    assert left_out == []
    assert (video.path.name, video.cropped, video.fps) == ("a.mp4", False, None)
    assert (crops.path.name, crops.cropped, crops.fps, crops.first) == ("b", True, 30, 1)
    assert_codes(by_frame(video, 60, 30).values, range(1, 61))
    seen = frames_seen(crops)
    assert len(seen) == 57
    assert_codes(by_frame(crops, 60, 30).values[[frame - 1 for frame in seen]], list(seen.values()))


MEDIA = '{"clock": "media"}'


def with_media_clock(folder=""):
    return {f"annotations/{folder}{dimension}/a.json": MEDIA for dimension in ("valence", "arousal")}


@pytest.mark.parametrize("fps", [24, 30, 50])
def test_with_the_clock_of_the_media_a_frame_takes_the_row_of_its_own_time(tmp_path, fps):
    rows = [(f"{(frame - 1) / fps:.3f}", frame) for frame in range(1, 101)]
    opposite = [(time, -value) for time, value in rows]
    lay(tmp_path, {"videos/a.mp4": "", **rater(rows, opposite), **with_media_clock()})
    (video,), _ = find_videos(tmp_path)
    assert_codes(by_frame(video, 100, fps).values, range(1, 101))


def test_with_the_clock_of_the_media_labels_are_right_at_a_rate_that_varies(tmp_path):
    times = np.cumsum([0, *np.random.default_rng(1).choice([0.02, 0.04, 0.1, 0.5], 79)])
    rows = [(f"{time:.3f}", frame) for frame, time in enumerate(times, start=1)]
    opposite = [(time, -value) for time, value in rows]
    files = {}
    for name in ("anna", "ben"):
        files |= rater(rows, opposite, folder=f"{name}/") | with_media_clock(f"{name}/")
    lay(tmp_path, {"videos/a.mp4": "", **files})
    (video,), _ = find_videos(tmp_path)
    assert_codes(match(labels_of(video), range(1, 81), times).values, range(1, 81))
    beyond = match(labels_of(video), [81, 82], [times[-1] + 0.4, times[-1] + 0.6])
    assert np.isnan(beyond.values).any(axis=1).tolist() == [False, True]


def test_raters_of_both_clocks_agree_on_a_frame(tmp_path):
    ours = [(f"{(frame - 1) / 30:.3f}", frame) for frame in range(1, 61)]
    theirs = [(f"{frame / 30:.3f}", frame) for frame in range(1, 91)]
    files = rater(ours, ours, folder="anna/") | with_media_clock("anna/") | rater(theirs, theirs, folder="ben/")
    lay(tmp_path, {"videos/a.mp4": "", **files})
    (video,), _ = find_videos(tmp_path)
    found = by_frame(video, 90, 30).annotators[:, :, 0] * 1000
    np.testing.assert_allclose(found[:60], np.repeat(np.arange(1, 61)[:, None], 2, axis=1), atol=1e-3)
    np.testing.assert_allclose(found[:, 1], np.arange(1, 91), atol=1e-3)


@pytest.mark.parametrize("content", ["no json", "[]", '{"clock": "other"}'])
def test_another_file_beside_an_annotation_leaves_the_clock_as_it_was(tmp_path, content):
    lay(tmp_path, {"videos/a.mp4": "", **rater(TABLE, TABLE), "annotations/valence/a.json": content})
    (video,), _ = find_videos(tmp_path)
    np.testing.assert_allclose(by_frame(video, 4, 30).values[:, 0] * 1000, [122, 124, 126, 127], atol=1e-3)


def test_frames_long_after_the_last_row_have_no_label(tmp_path):
    rows = [(0.1, 10), (1.0, 20)]
    lay(tmp_path, {"videos/a.mp4": "", **rater(rows, rows)})
    (video,), _ = find_videos(tmp_path)
    labelled = ~np.isnan(by_frame(video, 120, 30).values).any(1)
    assert labelled.nonzero()[0].tolist() == list(range(45))  # k / 30 is at most half a second after 1.0
    check_fits(labels_of(video), 120, 1, video)


def test_the_label_is_the_mean_of_the_raters_that_annotated_it(tmp_path):
    lay(tmp_path, {
        "videos/a.mp4": "", "videos/b.mp4": "",
        **rater([(0, 100), (1, 100)], [(0, -1000), (1, -1000)], folder="zoe/"),
        **rater([(0, 500), (1, 500)], [(0, 0), (1, 0)], folder="adam/"),
        "annotations/mia/valence/a.txt": "0,900\n1,900\n",
        **rater([(0, 7), (1, 7)], [(0, 8), (1, 8)], "b", folder="zoe/"),
    })  # fmt: skip
    (video, other), left_out = find_videos(tmp_path)
    assert left_out == []
    assert video.annotators == other.annotators == ("adam", "mia", "zoe")
    labels = by_frame(video, 30, 30)
    np.testing.assert_allclose(labels.values, np.tile([0.5, -0.5], (30, 1)), atol=1e-6)
    np.testing.assert_allclose(labels.annotators[3], [[0.5, 0], [0.9, np.nan], [0.1, -1]], atol=1e-6)
    labels = by_frame(other, 30, 30)
    np.testing.assert_allclose(labels.values[29], [0.007, 0.008], atol=1e-6)
    assert np.isnan(labels.annotators[:, :2]).all()


def test_a_merged_file_counts_frames_from_one(tmp_path):
    merged = "Frame Valence Arousal\n" + text((frame, frame, -frame) for frame in (5, 2, 3))
    lay(tmp_path, {"annotations/a.txt": merged, **numbered_images("faces/a", 1, 6)})
    (video,), _ = find_videos(tmp_path)
    values = by_frame(video, 6, 30).values
    assert (~np.isnan(values).any(1)).nonzero()[0].tolist() == [1, 2, 4]
    seen = frames_seen(video)
    assert_codes(values[[1, 2, 4]], [seen[2], seen[3], seen[5]])
    check_fits(labels_of(video), 6, 1, video)


def test_raters_are_used_instead_of_a_merged_file_and_a_merged_file_has_no_rater(tmp_path):
    lay(tmp_path, {
        "videos/a.mp4": "", "videos/b.mp4": "", "annotations/a.txt": "1 1 1\n", "annotations/b.txt": "1 1000 -1000\n",
        **rater([(0, 500)], [(0, 500)], folder="x/"), **rater([(0, 300)], [(0, 300)], folder="y/"),
    })  # fmt: skip
    (first, second), _ = find_videos(tmp_path)
    np.testing.assert_allclose(labels_of(first).values[0], [0.4, 0.4], atol=1e-6)
    labels = labels_of(second)
    np.testing.assert_array_equal(labels.values, [[1, -1]])
    assert labels.annotators.shape == (1, 2, 2)
    assert np.isnan(labels.annotators).all()


def test_splits_are_folders_and_else_all_is_train(tmp_path):
    rows = rater([(0, 0)], [(0, 0)])
    names = {"videos/test/deep/a.mp4": "", "faces/validation/b/00001.jpg": "", "videos/c.mp4": ""}
    for name in "abc":
        lay(tmp_path, {key.replace("a.txt", f"{name}.txt"): value for key, value in rows.items()})
    videos, left_out = find_videos(lay(tmp_path, names))
    assert [(v.video, v.split) for v in videos] == [("a", "test"), ("b", "validation"), ("c", "train")]
    assert left_out == []


@pytest.mark.parametrize("separator", ["\t", ", ", ";", "   "])
@pytest.mark.parametrize("wrap", ["{}", "time{s}value\n{}", "\ufeff{}", "{}\n \n"])
def test_separators_headers_and_marks_do_not_matter(tmp_path, separator, wrap):
    rows = f"0.5{separator}-1000{separator}\r\n1.5{separator}1000\r\n".replace(f"1000{separator}\r", "1000\r")
    content = wrap.replace("{s}", separator).format(rows)
    lay(tmp_path, {"videos/a.mp4": "", "annotations/valence/a.txt": content, "annotations/arousal/a.txt": content})
    (video,), _ = find_videos(tmp_path)
    values = by_frame(video, 40, 30).values
    np.testing.assert_array_equal(values[28:31, 0], [-1, -1, 1])  # 1.0 s is as near to both: the earlier counts


def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path):
    lay(tmp_path, {
        "videos/a.mp4": "", **rater([(0, 0)], [(0, 0)]), **rater([(0, 0)], [(0, 0)], "lost"),
        "videos/half.mp4": "", "annotations/valence/half.txt": "0 0\n", "videos/none.mp4": "",
        "videos/x/twice.mp4": "", "videos/y/twice.mp4": "", "annotations/twice.txt": "1 0 0\n",
    })  # fmt: skip
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["a"]
    reasons = {left.video: left.reason for left in left_out}
    assert set(reasons) == {"lost", "half", "none", "twice"}
    assert "neither a video nor crops" in reasons["lost"]
    assert "both valence and arousal" in reasons["half"]
    assert "x/twice.mp4 and " in reasons["twice"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("valence/a", "0 0\n1 1001\n", "line 2, `value`: must be from -1000 to 1000. Received: 1001"),
        ("valence/a", "0 0\n1\n", "line 2: must have 2 cells (time, value). Received: 1"),
        ("valence/a", "0 0\n1 0 3\n", "line 2: must have 2 cells"),
        ("valence/a", "1 0\n0 0\n", "line 2: times must not fall"),
        ("valence/a", "-1 0\n0 0\n", "line 1, `time`: must be from 0"),
        ("valence/a", "time value\n", "must hold rows of time, value. Received: none"),
        ("valence/a", "x 0\n1 0\n", "line 1, `time`: must be one number. Received: 'x'"),
        ("a", "1 0 0\n2 0\n", "line 2: must have 3 cells"),
        ("a", "0 0 0\n", "line 1, `frame`: must be from 1"),
        ("a", "1.5 0 0\n", "line 1, `frame`: must be a whole number"),
        ("a", "1 0 0\n2 0 0\n1 0 0\n", "line 3: each frame must have one row"),
    ],
)
def test_bad_values_are_named_by_file_and_line(tmp_path, name, content, says):
    lay(tmp_path, {"videos/a.mp4": "", f"annotations/{name}.txt": content})
    if name != "a":
        lay(tmp_path, {"annotations/arousal/a.txt": "0 0\n"})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError) as error:
        labels_of(video)
    assert says in str(error.value)
    assert f"{name}.txt" in str(error.value)


def test_faces_are_detected_and_no_video_is_an_error(tmp_path):
    with pytest.raises(UserError, match="layout thesis needs videos"):
        find_videos(tmp_path)
    lay(tmp_path, {"videos/a.mp4": "", **rater([(0, 0)], [(0, 0)])})
    assert find_videos(tmp_path)[0][0].read_faces is None


def test_values_from_minus_one_to_one_are_refused_not_taken_for_thousandths(tmp_path):
    fractions = [(k / 10, k / 10) for k in range(-9, 10)]
    lay(tmp_path, {"videos/a.mp4": "", **rater([(k, v) for k, (_, v) in enumerate(fractions)], [(0, 1), (1, 0)])})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match=r"a\.txt: values must be from -1000 to 1000\. Received: fractions"):
        labels_of(video)
    merged = "".join(f"{k + 1} {v} {v}\n" for k, (_, v) in enumerate(fractions))
    lay(tmp_path / "merged", {"videos/a.mp4": "", "annotations/a.txt": merged})
    (video,), _ = find_videos(tmp_path / "merged")
    with pytest.raises(UserError, match="Received: fractions"):
        labels_of(video)


def test_a_calm_rater_gives_whole_numbers(tmp_path):
    lay(tmp_path, {"videos/a.mp4": "", **rater([(0, 0), (1, 1)], [(0, -1), (1, 0)])})
    (video,), _ = find_videos(tmp_path)
    np.testing.assert_allclose(labels_of(video).values[0], [0, -0.001])


def test_a_rater_gives_nothing_in_a_long_hole(tmp_path):
    rows = [(0, 100), (1, 200), (8, 300), (9, 400)]
    lay(tmp_path, {"videos/a.mp4": "", **rater(rows, rows)})
    (video,), _ = find_videos(tmp_path)
    values = by_frame(video, 300, 30).values[:, 0]
    seconds = np.arange(1, 301) / 30
    np.testing.assert_array_equal(np.isnan(values), ((seconds > 1.5) & (seconds < 7.5)) | (seconds > 9.5))
    assert not np.isnan(video.labels(max_hole=10).values[:270]).any()


def test_a_clock_that_cannot_be_read_is_not_guessed(tmp_path):
    lay(tmp_path, {"videos/a.mp4": "", **rater(TABLE, TABLE), "annotations/valence/a.json": '{"clock": "med'})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError, match=r"a\.json: must be readable JSON"):
        labels_of(video)
