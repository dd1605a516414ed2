"""The layout recola: six raters, AVEC's gold standards, the row of t = 0, the official split."""

import numpy as np
import pytest

from tests.helpers.layout_trees import assert_codes, by_frame, code, labels_of, lay
from tfrecords_tools.errors import UserError
from tfrecords_tools.layouts.labels import choose_annotators
from tfrecords_tools.layouts.recola import RATERS, find_videos, find_videos_of_46, split_of

ROOT = "RECOLA-Annotation/emotional_behaviour"
HEADER = "time;FM1 ;FM2 ;FM3 ;FF1 ;FF2 ;FF3"
ARFF = """@relation GOLDSTANDARD

@attribute Instance_name string
@attribute frameTime numeric
@attribute GoldStandard numeric

@data

"""


def raters(frames, sign, header=HEADER):
    """A table of `frames` + 1 rows; row i is the code of frame i + 1, shown from i / 25 s; raters differ slightly."""
    names = [name.strip() for name in header.split(";")[1:]]
    spread = {name: (RATERS.index(name) - 2.5) / 10_000 for name in names}  # of mean 0
    rows = [
        f"{i / 25:.2f};" + ";".join(f"{code(i + 1, sign) + spread[name]:.6f}" for name in names)
        for i in range(frames + 1)
    ]
    return "\n".join([header, *rows]) + "\n"


def arff(name, frames, sign):
    return ARFF + "".join(f"'{name}',{i / 25:.2f},{code(i + 1, sign)}\n" for i in range(frames + 1))


def commas(frames, sign):
    return "time,gold\n" + "".join(f"{i / 25:.2f},{code(i + 1, sign)}\n" for i in range(frames + 1))


def dataset(folder, name, make, suffix="csv", root=ROOT):
    return lay(folder, {
        f"{root}/valence/{name}.{suffix}": make(1), f"{root}/arousal/{name}.{suffix}": make(-1),
        f"videos/{name}.mp4": "",
    })  # fmt: skip


@pytest.mark.parametrize(
    ("name", "suffix", "make"),
    [
        ("P16", "csv", lambda sign: raters(200, sign)),
        ("P16", "csv", lambda sign: raters(200, sign).replace("\n", "\r\n").replace("FM1 ;", " FM1;")),
        ("P16", "csv", lambda sign: "\ufeff" + raters(200, sign)),
        ("train_1", "arff", lambda sign: arff("train_1", 200, sign)),
        ("P16", "csv", lambda sign: commas(200, sign)),
    ],
    ids=["raters", "raters with CRLF", "raters with BOM", "arff", "commas"],
)
def test_the_row_of_time_zero_is_frame_one_and_the_last_is_no_frame(tmp_path, name, suffix, make):
    (video,), left_out = find_videos(dataset(tmp_path, name, make, suffix))
    assert left_out == []
    labels = labels_of(video)
    assert labels.values.shape == (201, 2)
    assert (labels.times[0], labels.times[1], labels.times[-1]) == (0, 0.04, 8)
    assert_codes(by_frame(video, 200, 25).values, range(1, 201))


def test_all_of_7500_frames_have_their_row_and_that_of_300_seconds_none(tmp_path):
    (video,), _ = find_videos(dataset(tmp_path, "P19", lambda sign: "time,gold\n" + "".join(
        f"{i * 0.04:.2f},{sign * (i + 1) / 10_000}\n" for i in range(7501)
    )))  # fmt: skip
    values = by_frame(video, 7500, 25).values
    np.testing.assert_allclose(values[:, 0], np.arange(1, 7501) / 10_000, atol=1e-6)


def test_the_label_is_the_mean_of_the_raters_and_each_is_kept_in_one_order(tmp_path):
    swapped = "time;FF3 ;FM1 ;FM2 ;FM3 ;FF1 ;FF2 "
    folder = dataset(tmp_path, "P16", lambda sign: raters(5, sign))
    lay(folder, {f"{ROOT}/arousal/P16.csv": raters(5, -1, swapped)})
    (video,), _ = find_videos(folder)
    assert video.annotators == ("FM1", "FM2", "FM3", "FF1", "FF2", "FF3")
    labels = labels_of(video)
    assert labels.annotators.shape == (6, 6, 2)
    expected = np.array([code(3) + (rater - 2.5) / 10_000 for rater in range(6)])
    np.testing.assert_allclose(labels.annotators[2, :, 0], expected, atol=1e-6)
    np.testing.assert_allclose(labels.annotators[2, :, 1], expected - 2 * code(3), atol=1e-6)
    assert_codes(labels.values, range(1, 7))
    two = choose_annotators(labels, video.annotators, ("FM1", "FF3"))
    np.testing.assert_allclose(two.values[:, 0], labels.annotators[:, [0, 5], 0].mean(1), atol=1e-6)


def test_the_gold_standard_is_used_instead_of_the_raters_and_other_names_are_skipped(tmp_path):
    dataset(tmp_path, "dev_2", lambda sign: arff("dev_2", 3, sign), "arff", "ratings_gold_standard")
    dataset(tmp_path, "dev_2", lambda sign: raters(3, -sign), "csv", "ratings_individual")
    lay(tmp_path, {"ratings_gold_standard/valence/dev_all.arff": "", "holiday.mp4": "", "x/P16.csv": ""})
    (video,), left_out = find_videos(tmp_path)
    assert (video.split, video.annotators, left_out) == ("validation", (), [])
    assert_codes(labels_of(video).values, range(1, 5))


def test_the_official_split(tmp_path):
    numbers = (16, 21, 23, 25, 37, 39, 41, 46, 56, 19, 26, 28, 30, 34, 42, 45, 64, 65, 17, 62)
    for number in numbers:
        dataset(tmp_path, f"P{number}", lambda sign: commas(1, sign))
    for name in ("train_9", "dev_9", "test_9"):
        dataset(tmp_path, name, lambda sign: commas(1, sign))
    videos, _ = find_videos(tmp_path)
    found = {split: {v.video for v in videos if v.split == split} for split in ("train", "validation", "test")}
    assert found["train"] == {"P16", "P21", "P23", "P25", "P37", "P39", "P41", "P46", "P56", "train_9"}
    assert found["validation"] == {"P19", "P26", "P28", "P30", "P34", "P42", "P45", "P64", "P65", "dev_9"}
    assert found["test"] == {"P17", "P62", "test_9"}


def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path):
    dataset(tmp_path, "P16", lambda sign: commas(1, sign))
    dataset(tmp_path, "P21", lambda sign: commas(1, sign), root="one")
    dataset(tmp_path, "P21", lambda sign: commas(1, sign), root="two")
    lay(tmp_path, {"P23.mp4": "", "P25.mp4": "", "valence/P25.csv": commas(1, 1), "valence/P37.csv": commas(1, 1)})
    lay(tmp_path, {"P39.mp4": "", "P39.avi": "", "valence/P41.csv": b"\xff\xfe", "arousal/P41.csv": "", "P41.mp4": ""})
    videos, left_out = find_videos(tmp_path)
    assert [video.video for video in videos] == ["P16"]
    reasons = {left.video: left.reason for left in left_out}
    assert list(reasons) == ["P21", "P23", "P25", "P37", "P39", "P41"]
    assert "one/" in reasons["P21"]
    assert "two/" in reasons["P21"]
    assert "no annotation valence/P23.csv" in reasons["P23"]
    assert "no annotation arousal/P25.csv" in reasons["P25"]
    assert "no video P37.mp4" in reasons["P37"]
    assert "P39.avi and " in reasons["P39"]
    assert "readable text" in reasons["P41"]


@pytest.mark.parametrize(
    ("suffix", "valence", "says"),
    [
        ("csv", HEADER + "\n0;0;0;0;0;0;0\n0.04;0;0;0;0;0;2\n", "line 3, `FF3`: must be from -1 to 1. Received: 2"),
        ("csv", HEADER + "\n0;0;0;0;0;0;0\n0.04;0;0;0;0;0\n", "line 3: must have 7 cells"),
        ("csv", HEADER + "\n0.04;0;0;0;0;0;0\n0;0;0;0;0;0;0\n", "line 3: times must not fall. Received: 0 after 0.04"),
        ("csv", HEADER.replace("FF1 ", "XX") + "\n0;0;0;0;0;0;0\n", "must name each column once, among them time, FM1"),
        ("csv", "time,gold\n0,0\n0.04,x\n", "line 3, `gold`: must be one number"),
        ("csv", "0,0\n0.04,0\n", "must have a header and two columns"),
        ("csv", "time,a,b\n0,0,0\n", "must have a header and two columns"),
        ("csv", "time,gold\n0,0\n", "must have the same times. Received: 1 and 2 rows"),
        ("csv", "time,gold\n0,0\n0.08,0\n", "must have the same times. Received: 2 and 2 rows, the times differ"),
        ("csv", HEADER + "\n0;0;0;0;0;0;0\n0.04;0;0;0;0;0;0\n", "must have the same raters"),
        ("arff", ARFF + "'P16',0,0\n'P16',0.04,-3\n", "line 10, `goldstandard`: must be from -1 to 1"),
        ("arff", ARFF, "must have the attributes frameTime and GoldStandard"),
        ("arff", ARFF.replace("GoldStandard", "Gold") + "'P16',0,0\n", "must have the attributes"),
    ],
)
def test_bad_annotations_are_named_by_file_and_line(tmp_path, suffix, valence, says):
    dataset(tmp_path, "P16", lambda sign: commas(1, sign))
    (tmp_path / ROOT / "valence/P16.csv").unlink()
    lay(tmp_path, {f"{ROOT}/valence/P16.{suffix}": valence})
    (video,), _ = find_videos(tmp_path)
    with pytest.raises(UserError) as error:
        labels_of(video)
    assert f"valence/P16.{suffix}" in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_no_video_is_an_error_that_describes_the_layout(tmp_path):
    lay(tmp_path, {"valence/P16.csv": commas(1, 1)})
    with pytest.raises(UserError, match=r"no videos\. The layout recola needs P16\.mp4"):
        find_videos(tmp_path)


def test_the_corpuss_own_splits_have_16_15_and_15_participants_and_avecs_lie_in_them(tmp_path):
    participants = (*range(13, 27), 28, 30, 32, 34, *range(37, 66))
    for number in participants:
        lay(
            tmp_path,
            {f"P{number}.mp4": "", f"valence/P{number}.csv": commas(1, 1), f"arousal/P{number}.csv": commas(1, 1)},
        )
    videos, left_out = find_videos_of_46(tmp_path)
    assert left_out == []
    by_split = {split: {video.video for video in videos if video.split == split} for split in ("train", "validation")}
    assert {split: len(names) for split, names in by_split.items()} == {"train": 16, "validation": 15}
    assert {"P13", "P20", "P63"} <= {video.video for video in videos if video.split == "test"}
    avec, _ = find_videos(tmp_path)
    for split in by_split:
        own = {video.video for video in avec if video.split == split}
        assert len(own) == 9
        assert own < by_split[split]


def test_names_of_avec_have_avecs_splits_in_both():
    assert [split_of(name) for name in ("train_1", "dev_2", "test_3", "P1x")] == ["train", "validation", "test", None]
