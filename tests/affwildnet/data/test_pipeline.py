"""Batches against the records decoded separately: every frame, label and landmark stands where the plan says."""

import logging
import shutil
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.data import START, Corpus, Position, Share, evaluation_batches, pipeline, training_batches
from affwildnet.data.augmentation import augment
from affwildnet.data.windows import evaluation_plan, training_stream
from affwildnet.experiments.config import EvaluationConfig, TrainingConfig
from tests.helpers.corpora import FPS, decode, face_of, identity_of, label_of, landmarks_of, make_corpus
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records

SIZE = 32
VIDEOS = [
    {"frames": 23},
    {"frames": [1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 30], "unlabelled": [2, 10, 11]},
    {"frames": 17, "split": "validation", "unlabelled": range(6, 18)},
    {"frames": [5, 6, 8, 9, 10], "split": "validation"},
    {"frames": range(100, 131)},
]
TRAINING = TrainingConfig(batch_size=3, window=4, seed=5)
EVALUATION = EvaluationConfig(batch_size=3, window=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus")
    make_corpus(path, VIDEOS, SIZE)
    return path


@pytest.fixture(scope="module")
def corpus(folder):
    return Corpus.open(folder, "train", SIZE)


def batches(dataset, number=None):
    return list(islice(dataset.as_numpy_iterator(), number))


def videos_of(corpus):
    """For each video of the split: its index in VIDEOS, its frame numbers, and those without a label."""
    found = []
    for entry in corpus.videos:
        index = int(entry.video[1:])
        frames = VIDEOS[index]["frames"]
        frames = list(range(1, frames + 1)) if isinstance(frames, int) else list(frames)
        found.append((index, frames, set(VIDEOS[index].get("unlabelled", ()))))
    return found


def assert_window(corpus, example, video, first, length):
    """A window of a batch holds these records of this video, and only zeros after them."""
    index, frames, unlabelled = videos_of(corpus)[video]
    numbers = frames[first : first + length]
    assert example["video"] == video
    np.testing.assert_array_equal(example["frame"][:length], numbers)
    labelled = np.array([number not in unlabelled for number in numbers])
    np.testing.assert_array_equal(example["mask"][:length], labelled)
    for step, number in enumerate(numbers):
        assert identity_of(example["frames"][step]) == (index, number)
        assert np.abs(example["frames"][step].astype(int) - face_of(index, number, SIZE)).mean() < 12  # RGB, not BGR
        np.testing.assert_array_equal(example["landmarks"][step], landmarks_of(index, number))
        np.testing.assert_allclose(example["timestamp"][step], (number - 1) / FPS, rtol=1e-6)
        expected = label_of(index, number) if labelled[step] else (0, 0)
        np.testing.assert_allclose(example["labels"][step], expected, atol=1e-6)
    for name in ("frame", "mask", "frames", "landmarks", "labels", "timestamp"):
        assert not example[name][length:].any()


def assert_shapes(batch, size, window):
    shapes = {
        "frames": (np.uint8, (size, window, SIZE, SIZE, 3)), "landmarks": (np.float32, (size, window, 68, 2)),
        "labels": (np.float32, (size, window, 2)), "mask": (np.float32, (size, window)),
        "frame": (np.int64, (size, window)), "timestamp": (np.float32, (size, window)), "video": (np.int64, (size,)),
    }  # fmt: skip
    for name, (dtype, shape) in shapes.items():
        assert batch[name].dtype == dtype, name
        assert batch[name].shape == shape, name
    assert batch.keys() - shapes.keys() <= {"epoch", "window"}


def planned(corpus, config, start=START):
    """(epoch, window, plan's row) of every window from `start` on."""
    stream = training_stream(corpus, config, start)
    return ((epoch, first + i, row) for epoch, first, plan in stream for i, row in enumerate(plan))


@pytest.mark.parametrize("changes", [{}, {"batch_size": 1, "window": 7}, {"window": 5, "max_gap": 4}])
def test_training_batches_hold_the_planned_frames_in_order(corpus, changes):
    config = replace(TRAINING, **changes)
    plan = planned(corpus, config)
    epochs = set()
    for batch in batches(training_batches(corpus, config), 12):
        assert_shapes(batch, config.batch_size, config.window)
        for index in range(config.batch_size):
            epoch, window, (video, first, length) = next(plan)
            assert (batch["epoch"][index], batch["window"][index]) == (epoch, window)
            example = {name: value[index] for name, value in batch.items()}
            assert_window(corpus, example, video, first, length)
            epochs.add(epoch)
    assert len(epochs) > 1


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("batch_size", "window"), [(3, 4), (4, 40), (2, 1)])
def test_evaluation_batches_hold_every_record_once(folder, split, batch_size, window):
    corpus = Corpus.open(folder, split, SIZE)
    config = replace(EVALUATION, batch_size=batch_size, window=window)
    plan = iter(evaluation_plan(corpus, config))
    seen = []
    for batch in batches(evaluation_batches(corpus, config)):
        assert_shapes(batch, batch_size, window)
        for index in range(batch_size):
            video, first, length = next(plan)
            example = {name: value[index] for name, value in batch.items()}
            assert_window(corpus, example, video, first, length)
            seen += [(video, int(number)) for number in example["frame"] if number]
    assert next(plan, None) is None
    records = [(video, number) for video, (_, numbers, _) in enumerate(videos_of(corpus)) for number in numbers]
    assert sorted(seen) == records


def test_half_a_label_is_none(tmp_path):
    labels = [(0.1, 0.2), (np.nan, 0.3), (0.4, np.nan), (0.5, 0.6)]
    make_corpus(tmp_path, [{"frames": 4, "labels": labels}], SIZE)
    (batch,) = batches(evaluation_batches(Corpus.open(tmp_path, "train"), EvaluationConfig(batch_size=1, window=4)))
    assert batch["mask"].tolist() == [[1, 0, 0, 1]]
    np.testing.assert_allclose(batch["labels"][0], [(0.1, 0.2), (0, 0), (0, 0), (0.5, 0.6)], atol=1e-6)


@pytest.mark.parametrize(("longest", "worth"), [(1, 0), (256, 1_000)])
def test_long_windows_and_those_of_few_frames_are_decoded_alike(folder, monkeypatch, longest, worth):
    validation = Corpus.open(folder, "validation", SIZE)
    monkeypatch.setattr(pipeline, "WORTH_UNROLLING", 0)
    unrolled = batches(evaluation_batches(validation, EVALUATION))
    monkeypatch.setattr(pipeline, "LONGEST_UNROLLED", longest)
    monkeypatch.setattr(pipeline, "WORTH_UNROLLING", worth)
    for batch, expected in zip(batches(evaluation_batches(validation, EVALUATION)), unrolled, strict=True):
        np.testing.assert_array_equal(batch["frames"], expected["frames"])


def test_the_masks_of_an_evaluation_count_every_label_once(folder):
    corpus = Corpus.open(folder, "validation", SIZE)
    masks = sum(batch["mask"].sum() for batch in batches(evaluation_batches(corpus, EVALUATION)))
    assert masks == corpus.frames_labelled == 5 + 5


def assert_same(got, expected):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


AUGMENTED = replace(TRAINING, flip=True, colour_jitter=0.3)


def test_the_same_seed_gives_the_same_batches(corpus):
    first = batches(training_batches(corpus, AUGMENTED), 15)
    assert_same(batches(training_batches(corpus, AUGMENTED), 15), first)
    other = batches(training_batches(corpus, replace(AUGMENTED, seed=6)), 15)
    assert any((a["frame"] != b["frame"]).any() for a, b in zip(first, other, strict=True))


def test_a_dataset_read_twice_begins_anew(corpus):
    dataset = training_batches(corpus, AUGMENTED)
    assert_same(batches(dataset, 4), batches(dataset, 4))


def test_training_resumed_after_any_batch_sees_what_it_would_have_seen(corpus):
    whole = batches(training_batches(corpus, AUGMENTED), 14)
    assert whole[-1]["epoch"][-1] >= 2  # across the borders of epochs
    assert any(len(set(batch["epoch"])) == 2 for batch in whole)  # and within a batch
    last = max(index for index, batch in enumerate(whole[:-3]) if len(set(batch["epoch"])) == 1)
    for stop in (1, 4, last + 1):
        position = Position(int(whole[stop - 1]["epoch"][-1]), int(whole[stop - 1]["window"][-1]) + 1)
        assert_same(batches(training_batches(corpus, AUGMENTED, position), 14 - stop), whole[stop:])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_workers_rows_one_after_the_other_are_the_batch_of_one(workers, corpus):
    config = replace(AUGMENTED, batch_size=6)
    whole = batches(training_batches(corpus, config), 5)
    shares = [batches(training_batches(corpus, config, share=Share(index, workers)), 5) for index in range(workers)]
    together = [
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for parts in zip(*shares, strict=True)
    ]
    assert_same(together, whole)


def test_workers_must_be_able_to_share_a_batch_equally(corpus):
    with pytest.raises(UserError, match=r"multiple of the number of workers, 2\. Received: 3"):
        training_batches(corpus, TRAINING, share=Share(0, 2))


def test_the_draw_of_a_window_follows_from_seed_epoch_and_window(corpus):
    plain = batches(training_batches(corpus, TRAINING), 12)
    changed = batches(training_batches(corpus, AUGMENTED), 12)
    assert plain[-1]["epoch"][-1] > 0
    for before, after in zip(plain, changed, strict=True):
        for index, state in enumerate(zip(before["epoch"], before["window"], strict=True)):
            example = {name: before[name][index] for name in ("frames", "landmarks")}
            expected = augment(example, (AUGMENTED.seed, *state), AUGMENTED.flip, AUGMENTED.colour_jitter)
            np.testing.assert_array_equal(after["frames"][index], expected["frames"])
            np.testing.assert_allclose(after["landmarks"][index], expected["landmarks"], rtol=1e-6)


def test_augmentation_turns_whole_windows_with_their_landmarks(corpus):
    turned = []
    for batch in batches(training_batches(corpus, replace(TRAINING, flip=True)), 12):
        for frames, landmarks, numbers, video in zip(
            batch["frames"], batch["landmarks"], batch["frame"], batch["video"], strict=True
        ):
            index = videos_of(corpus)[video][0]
            flipped = landmarks[0, 0, 0] != landmarks_of(index, numbers[0])[0, 0]
            for image, points, number in zip(frames, landmarks, numbers, strict=True):
                assert identity_of(image[:, ::-1] if flipped else image) == (index, number)
                x = landmarks_of(index, number)[16 if flipped else 0, 0]
                np.testing.assert_allclose(points[0, 0], 1 - x if flipped else x, rtol=1e-5)
            turned.append(flipped)
    assert 0.2 < np.mean(turned) < 0.8


def test_records_are_read_in_the_order_of_their_file(folder, corpus):
    # The pipeline reads from byte offsets; this reads the files from end to end.
    for entry in corpus.videos:
        path = str(folder / entry.file)
        whole = [data.numpy() for data in tf.data.TFRecordDataset(path, buffer_size=1 << 18)]
        frames = [tf.train.Example.FromString(data).features.feature["frame"].int64_list.value[0] for data in whole]
        assert frames == [int(record["frame"]) for record in read_records(folder, entry)]
        faces = [identity_of(decode(record["face"]))[1] for record in read_records(folder, entry)]
        assert faces == frames


def damaged(folder, tmp_path, change):
    copy = shutil.copytree(folder, tmp_path / "damaged")
    entry = manifest.load(copy).split("validation")[0]
    data = bytearray((copy / entry.file).read_bytes())
    (copy / entry.file).write_bytes(change(data, entry.offsets[7] + entry.record_bytes[7] // 2))
    return copy


@pytest.mark.parametrize("damage", ["flipped", "cut off"])
def test_a_corrupt_record_stops_the_reading(folder, tmp_path, damage):
    def change(data, at):
        if damage == "cut off":
            return data[:at]
        data[at] ^= 1
        return data

    corpus = Corpus.open(damaged(folder, tmp_path, change), "validation", SIZE)
    with pytest.raises(tf.errors.DataLossError):
        batches(evaluation_batches(corpus, EVALUATION))
    with pytest.raises(tf.errors.DataLossError):
        batches(training_batches(corpus, replace(TRAINING, window=8)), 10)


def test_a_corpus_knows_its_split(folder, corpus):
    assert [entry.video for entry in corpus.videos] == ["v0", "v1", "v4"]
    assert corpus.files == [str(folder / entry.file) for entry in corpus.videos]
    assert corpus.frames_labelled == 23 + 9 + 31
    assert corpus.first_record.tolist() == [0, 23, 35, 66]
    assert corpus.record_frames.tolist() == [*range(1, 24), *VIDEOS[1]["frames"], *VIDEOS[4]["frames"]]
    assert corpus.record_labelled.sum() == corpus.frames_labelled
    assert corpus.record_labelled[[23, 24, 30, 31]].tolist() == [True, False, False, True]


def test_a_corpus_that_cannot_be_used_is_an_error(folder, tmp_path):
    with pytest.raises(UserError, match=r"split must hold videos\. Received: test.*has: train, validation"):
        Corpus.open(folder, "test")
    with pytest.raises(UserError, match=r"crops of 96x96\. Received: crops of 32x32.*--size=96"):
        Corpus.open(folder, "train", 96)
    with pytest.raises(UserError, match="not a packed corpus"):
        Corpus.open(tmp_path, "train")
    copy = shutil.copytree(folder, tmp_path / "copy")
    gone = manifest.load(copy).split("train")[1].file
    (copy / gone).unlink()
    with pytest.raises(UserError, match=f"{gone}: missing"):
        Corpus.open(copy, "train")


def test_a_window_that_fits_nowhere_is_an_error_before_anything_is_read(corpus):
    with pytest.raises(UserError, match=r"labelled window of 60 .*at most 31 frames.*training\.window"):
        training_batches(corpus, replace(TRAINING, window=60))


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ({}, ""),
        ({"window": 7}, "1 of 3 videos has no 7 consecutive frames and is not trained on. "),
        ({"window": 24}, "2 of 3 videos have no 24 consecutive frames and are not trained on. "),
        ({"window": 11, "max_gap": 4}, ""),  # v1 has frames 1 to 5 and 9 to 14
        ({"window": 12, "window_rule": "first_to_last"}, ""),  # and 30
        ({"window": 12, "max_gap": 4}, "1 of 3 videos has no 12 "),
    ],
)
def test_videos_too_short_for_a_window_are_logged(changes, summary, corpus, caplog):
    with caplog.at_level(logging.INFO):
        training_batches(corpus, replace(TRAINING, **changes))
    assert len(caplog.messages) == bool(summary)
    assert "".join(caplog.messages).startswith(summary)


@pytest.mark.parametrize("changes", [{"window": 7}, {"window": 24}, {"window": 7, "max_gap": 4}])
def test_padded_windows_include_short_segments(changes, corpus, caplog):
    config = replace(TRAINING, window_rule="padded", **changes)
    plan, seen = planned(corpus, config), set()
    caplog.set_level(logging.INFO)
    for batch in batches(training_batches(corpus, config), 12):
        assert_shapes(batch, config.batch_size, config.window)
        for index in range(config.batch_size):
            _, _, (video, first, length) = next(plan)
            example = {name: value[index] for name, value in batch.items()}
            assert_window(corpus, example, video, first, length)
            seen.add((videos_of(corpus)[video][0], int(example["frame"][0]), int(length)))
    # v1's segments: 1 to 5, 9 to 14 and 30, or with a gap of 4 the first two as one of 11.
    short = {(index, first, length) for index, first, length in seen if length < config.window}
    expected = {(1, 1, 5), (1, 9, 6), (1, 30, 1)} if config.max_gap == 1 else {(1, 30, 1)}
    assert short == expected | ({(0, 1, 23)} if config.window == 24 else set())
    assert caplog.messages == []


@pytest.mark.parametrize("most", [5, 20, 60])
def test_landmarks_are_those_of_records_spread_evenly_over_the_split(most, corpus):
    numbers = [(index, frame) for index, frames, _ in videos_of(corpus) for frame in frames]
    known = {landmarks_of(*number).tobytes(): place for place, number in enumerate(numbers)}
    places = [known[points.tobytes()] for points in corpus.landmarks(most)]
    assert places == sorted(places)
    assert len(places) == most
    assert (places[0], places[-1]) == (0, len(numbers) - 1)
    steps = np.diff(places)
    assert steps.max() - steps.min() <= 1
    assert len(corpus.landmarks()) == len(numbers)
