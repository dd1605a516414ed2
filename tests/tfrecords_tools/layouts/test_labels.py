"""Annotation files, and the proof that line i is the label of frame i."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.boxes import Box
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.layouts.labels import (
    Labels,
    NumberedLabels,
    choose_annotators,
    match,
    mean_of,
    nearest,
    no_labels,
    read_pair,
    read_values,
)
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.packing import video_packer
from tfrecords_tools.packing.labelling import check_fits, check_length
from tfrecords_tools.packing.pack_options import PackOptions
from tfrecords_tools.packing.video_packer import pack_video
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.video.writing import VideoWriter


@pytest.fixture
def written(tmp_path):
    def write(content, name="clip.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "0.5\n-1\n0.25\n",
        "0.5\n-1\n0.25",
        "0.5\r\n-1\r\n0.25\r\n",
        "\ufeff0.5\n-1\n0.25\n",
        "0.5\n-1\n0.25\n\n \n\r\n",
        " 0.5\t\n -1.0 \n2.5e-1\n",
    ],
    ids=["plain", "no newline at the end", "CRLF", "BOM", "blank lines at the end", "spaces and exponents"],
)
def test_one_value_per_line(written, content):
    values = read_values(written(content))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [0.5, -1, 0.25])


# Python's own `float` takes some of these.
@pytest.mark.parametrize(
    "line",
    [
        "happy",
        "0.1 0.2",
        "0,5",
        "--",
        "0_1",
        "0.1_5",
        "\uff10.\uff15",
        "\u0661",
        "0.5\u00a0",
        "\u20280.5",
        "0.5\x0c",
        "\x1f0.5",
        "0x1",
        "1e",
        ".",
        "0.1\x0c0.2",
    ],
)
def test_what_is_no_number_is_named_by_file_and_line(written, line):
    path = written(f"0.1\n0.2\n{line}\n0.4\n")
    with pytest.raises(UserError) as error:
        read_values(path)
    assert f"{path}, line 3:" in str(error.value)
    assert repr(line.strip())[1:-1] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("line", ["1.01", "-1.5", "nan", "inf", "-Infinity", "1e300"])
def test_what_is_out_of_range_or_not_finite_is_named_by_file_and_line(written, line):
    path = written(f"1\n-1\n0\n{line}\n")
    with pytest.raises(UserError, match=r"clip\.txt, line 4: must be from -1 to 1\. Received: " + line):
        read_values(path)


def test_another_range_can_be_asked_for(written):
    np.testing.assert_array_equal(read_values(written("10\n0\n"), low=0, high=10), [10, 0])


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_annotation_is_an_error(written, content):
    with pytest.raises(UserError, match=r"clip\.txt: .*empty"):
        read_values(written(content))


def test_a_missing_annotation_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"gone\.txt: no annotation"):
        read_values(tmp_path / "gone.txt")


@pytest.mark.parametrize("content", [b"\x00\xff\xfe\xfa", "0.1\n0.2\n".encode("utf-16")])
def test_what_is_no_text_is_an_error(written, content):
    with pytest.raises(UserError, match=r"clip\.txt"):
        read_values(written(content))


def test_a_folder_in_place_of_an_annotation_is_an_error(tmp_path):
    with pytest.raises(UserError, match="readable text"):
        read_values(tmp_path)


def test_a_pair_is_valence_then_arousal(written):
    pair = read_pair(written("0.1\n0.2\n", "v.txt"), written("-0.1\n-0.2\n", "a.txt"))
    np.testing.assert_array_equal(pair, np.float32([[0.1, -0.1], [0.2, -0.2]]))


def test_a_pair_of_unequal_lengths_is_an_error(written):
    with pytest.raises(UserError, match=r"v\.txt: .*3 of valence and 2 of arousal"):
        read_pair(written("0\n0\n0\n", "v.txt"), written("0\n0\n", "a.txt"))


@pytest.mark.parametrize(("labels", "says"), [(103, "3 frames longer"), (97, "3 frames shorter")])
def test_lengths_may_differ_by_the_tolerance_and_no_more(tmp_path, labels, says):
    check_length(labels, 100, 3, tmp_path / "clip.mp4")
    with pytest.raises(UserError, match=rf"clip\.mp4: the annotation is {says}"):
        check_length(labels, 100, 2, tmp_path / "clip.mp4")


def nearest_by_hand(times, moment, tolerance):
    """In whole microseconds, row by row; the first of those that are equally near."""
    times, moment = [round(time * 1e6) for time in times], round(moment * 1e6)
    if not times or max(times[0] - moment, moment - times[-1]) > round(tolerance * 1e6):
        return -1
    distances = [abs(time - moment) for time in times]
    return distances.index(min(distances))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 17, 60])
def test_nearest_is_what_a_loop_finds(rows):
    random = np.random.default_rng(rows)
    times = np.sort(random.integers(0, 200, rows)) / 100 + 1  # coarse: many ties, and times that repeat
    moments = np.arange(-50, 450) / 100
    found = nearest(times, moments, 0.5)
    assert found.tolist() == [nearest_by_hand(times, moment, 0.5) for moment in moments]


def test_of_two_rows_as_near_the_earlier_is_taken_whatever_the_rounding():
    # 0.1 + 0.2 is not 0.3, and the distances to 0.2 differ in the last bit
    assert nearest(np.array([0.1, 0.1 + 0.2]), np.array([0.2])).tolist() == [0]
    assert nearest(np.array([0.7, 0.9]), np.array([0.8])).tolist() == [0]


def test_beyond_the_ends_a_row_is_valid_for_half_a_second_and_within_without_limit():
    times = np.array([2.0, 100.0])
    found = nearest(times, np.array([1.499, 1.5, 50.0, 52.0, 100.5, 100.501]))
    assert found.tolist() == [-1, 0, 0, 1, 1, -1]


def test_in_the_middle_of_a_long_hole_there_is_no_label():
    times = np.array([0.0, 1.0, 8.0, 9.001])
    at = np.array([0.4, 0.5, 0.6, 1.5, 1.51, 4.5, 7.49, 7.5, 8.5, 8.5005, 8.502, 9.5])
    assert nearest(times, at, 0.5, 1.0).tolist() == [0, 0, 1, 1, -1, -1, -1, 2, 2, -1, 3, 3]
    assert nearest(times, at, 0.5, 7.0).tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    found = match(Labels(rows_of_numbers(4), times), [1] * 3, [0.0, 4.5, 8.0])
    np.testing.assert_array_equal(found.values[:, 0], [1, np.nan, 3])
    assert match(Labels(rows_of_numbers(4), times), [1], [4.5], max_hole=10).values[0, 0] == 2


def test_the_one_row_of_a_video_has_no_holes():
    labels = Labels(rows_of_numbers(1), np.zeros(1))
    assert match(labels, [1, 2], [0.0, 500.0]).values[:, 0].tolist() == [1, 1]


def rows_of_numbers(count):
    return np.stack([np.arange(1, count + 1), -np.arange(1, count + 1)], 1).astype(np.float32)


def test_without_times_a_frame_has_the_row_of_its_number():
    labels = Labels(rows_of_numbers(5), None, rows_of_numbers(5)[:, None], np.arange(5))
    found = match(labels, [5, 1, 6, 3, 3, -1], [9.0] * 6)
    np.testing.assert_array_equal(found.values[:, 0], [5, 1, np.nan, 3, 3, np.nan])
    np.testing.assert_array_equal(found.annotators[:, 0, 1], [-5, -1, np.nan, -3, -3, np.nan])
    assert found.expression.tolist() == [4, 0, -1, 2, 2, -1]
    assert found.times is None
    assert found.values.dtype == np.float32


def test_with_times_a_frame_has_the_nearest_row_whatever_its_number():
    labels = Labels(rows_of_numbers(3), np.array([0.0, 0.04, 0.08]))
    found = match(labels, [70, 80, 90, 95], [0.0, 0.05, 0.07, 9.0])
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 3, np.nan])
    assert (found.annotators, found.expression) == (None, None)


def test_one_row_with_a_time_is_the_label_of_the_whole_video_and_no_row_of_none():
    labels = Labels(rows_of_numbers(1), np.zeros(1))
    np.testing.assert_array_equal(match(labels, range(1, 4), [0.0, 50.0, 5000.0]).values[:, 0], [1, 1, 1])
    assert np.isnan(match(no_labels(), [1, 2], [0.0, 1.0]).values).all()
    assert np.isnan(match(Labels(rows_of_numbers(0), np.zeros(0)), [1, 2], [0.0, 1.0]).values).all()
    assert match(labels, [], []).values.shape == (0, 2)


def test_the_mean_is_over_the_annotators_that_rated_the_frame():
    nan = np.nan
    annotators = np.float32([[[1, nan], [0, nan], [nan, nan]], [[0.5, -1], [0.25, 0], [0.75, 0.25]]])
    np.testing.assert_array_equal(mean_of(annotators), np.float32([[0.5, nan], [0.5, -0.25]]))


def test_annotators_are_chosen_by_name():
    labels = Labels(np.zeros((1, 2), np.float32), None, np.float32([[[1, -1], [0.5, 0], [0, 0.5]]]))
    found = choose_annotators(labels, ("ann", "bob", "cleo"), ("cleo", "ann"))
    np.testing.assert_array_equal(found.values, [[0.5, -0.25]])
    assert found.annotators is labels.annotators
    with pytest.raises(
        UserError, match=r"`annotators` must be one of ann, bob, cleo\. Received: bop\. Did you mean bob"
    ):
        choose_annotators(labels, ("ann", "bob", "cleo"), ("bop",))
    with pytest.raises(UserError, match="must name at least one of ann, bob, cleo"):
        choose_annotators(labels, ("ann", "bob", "cleo"), ())
    with pytest.raises(UserError, match="must stay unset"):
        choose_annotators(Labels(labels.values), (), ("ann",))


@pytest.mark.parametrize(
    ("labels", "fits", "fails"),
    [
        (Labels(rows_of_numbers(10)), (9, 10, 11), (1, 8, 12, 99)),
        (NumberedLabels(rows_of_numbers(10)), (9, 10, 11, 12, 99), (1, 8)),
        (Labels(rows_of_numbers(10), np.arange(10.0)), (1, 10, 99), ()),
        (no_labels(), (1, 99), ()),
    ],
    ids=["one row per frame", "numbered", "own clock", "none"],
)
def test_whether_labels_fit_a_video(tmp_path, labels, fits, fails):
    source = VideoSource("clip", "train", "clip", tmp_path / "clip.mp4", no_labels)
    for frames in fits:
        check_fits(labels, frames, 1, source)
    for frames in fails:
        with pytest.raises(UserError, match=r"clip\.mp4: the annotation is"):
            check_fits(labels, frames, 1, source)


SIDE, BLOCK = 64, 16


def numbered_frame(number):
    """(64, 64, 3) grey: 4x4 blocks, black or white, that spell `number` in bits."""
    board = np.array([number >> bit & 1 for bit in range(16)], np.uint8).reshape(4, 4, 1)
    return np.kron(board * 200 + 25, np.ones((BLOCK, BLOCK, 3), np.uint8))


def number_in(image):
    levels = image.reshape(4, BLOCK, 4, BLOCK, 3).mean((1, 3, 4)).ravel()
    return sum(1 << bit for bit, level in enumerate(levels) if level > 125)


class WholeImage:
    """Find the whole image, but no face in the frames of the numbers `faceless`."""

    def __init__(self, faceless=()):
        self.faceless = faceless

    def detect(self, image):
        return [] if number_in(image) in self.faceless else [Box(0, 0, SIDE, SIDE)]

    def detect_near(self, image, box):
        return self.detect(image)

    def predict(self, image, box):
        return np.full((68, 2), number_in(image) / 4, np.float32)


def label_of(number):
    return round(0.01 * number, 4), round(-0.02 * number, 4)


@pytest.fixture
def numbered_clip(tmp_path):
    def make(frames, labels, fps=25, suffix=".mp4"):
        for split in ("videos/train", "annotations/train/valence", "annotations/train/arousal"):
            (tmp_path / split).mkdir(parents=True)
        with VideoWriter(tmp_path / f"videos/train/clip{suffix}", fps, (SIDE, SIDE)) as video:
            for number in range(1, frames + 1):
                video.write(numbered_frame(number))
        for column, name in enumerate(("valence", "arousal")):
            lines = "".join(f"{label_of(number)[column]}\n" for number in range(1, labels + 1))
            (tmp_path / f"annotations/train/{name}/clip.txt").write_text(lines)
        (source,), left_out = LAYOUTS["aff_wild"].find_videos(tmp_path)
        assert not left_out
        return source

    return make


def packed(source, monkeypatch, tmp_path, faceless=(), tolerance=1):
    monkeypatch.setattr(video_packer, "_detector", lambda upsample: WholeImage(faceless))
    monkeypatch.setattr(video_packer, "_predictor", lambda model: WholeImage())
    options = PackOptions(tmp_path / "none", Aligner(SIDE, margin=0), length_tolerance=tolerance, every=1)
    entry = pack_video(source, options, tmp_path / "clip.records")
    return entry, read_records(tmp_path, entry)


def seen_in(record):
    return number_in(cv2.imdecode(np.frombuffer(record["face"], np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_line_i_is_the_label_of_frame_i(numbered_clip, monkeypatch, tmp_path, suffix):
    entry, records = packed(numbered_clip(40, 40, fps=25, suffix=suffix), monkeypatch, tmp_path)
    assert [seen_in(record) for record in records] == list(range(1, 41))
    for record in records:
        number = seen_in(record)
        assert record["frame"] == number
        np.testing.assert_allclose(record["label"], label_of(number), atol=1e-6)
        np.testing.assert_allclose(record["timestamp"], (number - 1) / 25, atol=1e-4)
        np.testing.assert_allclose(record["landmarks"] * SIDE - 0.5, number / 4, atol=1e-4)
        np.testing.assert_array_equal(record["box"], [0, 0, SIDE, SIDE])
    assert (entry.frames_decoded, entry.frames_without_face, entry.fps) == (40, 0, 25)
    assert entry.segments == entry.labelled_segments == ((1, 40),)


def test_frames_without_a_face_are_left_out_and_shift_no_label(numbered_clip, monkeypatch, tmp_path):
    faceless = {1, 2, 9, 17, 18, 30}
    entry, records = packed(numbered_clip(30, 30), monkeypatch, tmp_path, faceless)
    assert [seen_in(record) for record in records] == [n for n in range(1, 31) if n not in faceless]
    for record in records:
        assert record["frame"] == seen_in(record)
        np.testing.assert_allclose(record["label"], label_of(seen_in(record)), atol=1e-6)
    assert entry.segments == ((3, 8), (10, 16), (19, 29))
    assert (entry.frames_decoded, entry.frames_without_face) == (30, 6)


def test_frames_beyond_the_annotation_have_no_label(numbered_clip, monkeypatch, tmp_path):
    entry, records = packed(numbered_clip(20, 18), monkeypatch, tmp_path, tolerance=2)
    labelled = {int(record["frame"]): not np.isnan(record["label"]).any() for record in records}
    assert labelled == {number: number <= 18 for number in range(1, 21)}
    assert (entry.segments, entry.labelled_segments) == (((1, 20),), ((1, 18),))


def test_half_a_label_is_none(numbered_clip, monkeypatch, tmp_path):
    source = numbered_clip(6, 6)
    values = source.read_labels().values
    values[1, 0] = values[3, 1] = values[4] = np.nan
    entry, records = packed(replace(source, read_labels=partial(Labels, values)), monkeypatch, tmp_path)
    assert entry.segments == ((1, 6),)
    assert entry.labelled_segments == ((1, 1), (3, 3), (6, 6))
    assert entry.frames_labelled == 3
    np.testing.assert_array_equal([record["label"] for record in records], values)  # the record keeps what there is


def test_labels_beyond_the_video_are_not_used(numbered_clip, monkeypatch, tmp_path):
    entry, records = packed(numbered_clip(20, 21), monkeypatch, tmp_path)
    assert [record["frame"] for record in records] == list(range(1, 21))
    assert entry.labelled_segments == ((1, 20),)


def test_an_annotation_of_another_length_leaves_no_file(numbered_clip, monkeypatch, tmp_path):
    source = numbered_clip(20, 22)
    with pytest.raises(UserError, match=r"clip\.mp4: the annotation is 2 frames longer"):
        packed(source, monkeypatch, tmp_path)
    assert not [path for path in tmp_path.iterdir() if "records" in path.name]
