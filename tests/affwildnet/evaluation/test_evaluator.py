"""Every frame of a split is predicted as the network alone predicts it, and scored as NumPy computes it."""

import csv
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from affwildnet.data import Corpus
from affwildnet.evaluation import evaluator as evaluator_module
from affwildnet.evaluation.evaluator import Evaluator, VideoPredictions
from affwildnet.evaluation.reporting import submissions
from affwildnet.experiments.config import EvaluationConfig
from affwildnet.models.recurrent import PeepholeLSTM
from tests.helpers.corpora import label_of, make_corpus
from tests.helpers.networks import numpy
from tests.helpers.paths import ROOT
from tests.helpers.recurrent_networks import STACKS, network
from tests.helpers.trainings import TINY, tiny_model
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import manifest
from tfrecords_tools.records.reader import read_records

RUNS = [(3, 11), (14, 26)]  # of v2; v3 has the frames 1 to 13
UNLABELLED = {5, 6, 20}


def light_model(seed=5):
    """A network of the mean colour and the landmarks with one recurrent layer, which is quickly compiled."""
    frames, landmarks = (
        keras.Input((None, 32, 32, 3), dtype="uint8", name="frames"),
        keras.Input((None, 68, 2), name="landmarks"),
    )
    colour = ops.mean(ops.cast(frames, "float32") / 255, axis=(2, 3))
    together = layers.Concatenate()([colour, layers.Reshape((-1, 136))(landmarks)])
    sequence = PeepholeLSTM(3, name="lstm1")(together)
    model = keras.Model([frames, landmarks], layers.Dense(2, name="valence_arousal")(sequence))
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.weights])
    return model


@pytest.fixture(scope="module")
def corpus(tiny_folder):
    return Corpus.open(tiny_folder, "validation", 32)


@pytest.fixture(scope="module")
def model():
    return light_model()


@pytest.fixture(scope="module")
def evaluation(corpus, model):
    return Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))(model)


def scores_by_numpy(labels, predictions):
    """CCC, Pearson and MSE of (N, 2) values, from their definitions, in float64."""
    labels, predictions = np.float64(labels), np.float64(predictions)
    found = {"ccc": [], "pearson": [], "mse": []}
    for y, x in zip(labels.T, predictions.T, strict=True):
        covariance = np.mean((y - y.mean()) * (x - x.mean()))
        found["ccc"].append(2 * covariance / (y.var() + x.var() + (y.mean() - x.mean()) ** 2))
        found["pearson"].append(covariance / (y.std() * x.std()))
        found["mse"].append(np.mean((y - x) ** 2))
    return {name: dict(zip(("valence", "arousal", "mean"), (*v, np.mean(v)), strict=True)) for name, v in found.items()}


def sequences(corpus):
    """The records of each video, by name."""
    return {entry.video: list(read_records(corpus.folder, entry)) for entry in corpus.videos}


def predicted(model, records):
    """Return (N, 2), the network's predictions for these records as one sequence without padding."""
    inputs = {
        "frames": np.stack([tf.io.decode_jpeg(record["face"]).numpy() for record in records])[None],
        "landmarks": np.stack([record["landmarks"] for record in records])[None],
    }
    return numpy(model([inputs[tensor.name] for tensor in model.inputs])[0])


def by_hand(corpus, model, window, overlap=0):
    """Return (frames, predictions) of each video: each window alone, and the mean over the windows of a frame."""
    found = {}
    for entry in corpus.videos:
        records = list(read_records(corpus.folder, entry))
        of_frame = {int(record["frame"]): [] for record in records}
        for first, last in entry.segments:
            start = first
            while True:
                part = [record for record in records if start <= record["frame"] < min(start + window, last + 1)]
                for record, prediction in zip(part, predicted(model, part), strict=True):
                    of_frame[int(record["frame"])].append(np.float64(prediction))
                if start + window > last:
                    break
                start += window - overlap
        found[entry.video] = list(of_frame), np.array([sum(own) / len(own) for own in of_frame.values()])
    return found


def whole_videos(corpus, model):
    """Return (frames, predictions) of each video as one sequence across its gaps."""
    return {
        video: ([int(record["frame"]) for record in records], predicted(model, records))
        for video, records in sequences(corpus).items()
    }


def scores_of_csv(path):
    """Return the score of a written CSV, by NumPy in float64."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["valence_label"]]
    columns = (("valence_label", "arousal_label"), ("valence", "arousal"))
    return scores_by_numpy(*(np.array([[float(row[name]) for name in names] for row in rows]) for names in columns))


def assert_predictions(found, expected):
    for video in found.videos:
        frames, predictions = expected[video.video]
        assert video.frames.tolist() == frames
        np.testing.assert_allclose(video.predictions, predictions, rtol=0, atol=1e-5)


def assert_scores(found, path):
    """The scores are those of the CSV that is written of them, over every labelled frame."""
    submissions.write(found, "frames", path)
    for metric, values in scores_of_csv(path).items():
        for name, value in values.items():
            assert found.scores[metric][name] == pytest.approx(value, rel=0, abs=1e-7), (metric, name)
    assert found.frames_scored == found.frames_labelled == 22 - 3 + 13


def test_every_frame_is_predicted_once_in_order(evaluation):
    frames = {video.video: video.frames.tolist() for video in evaluation.videos}
    assert frames == {"v2": [*range(3, 12), *range(14, 27)], "v3": list(range(1, 14))}
    for video in evaluation.videos:
        np.testing.assert_allclose(video.timestamps, (video.frames - 1) / 30, rtol=1e-6)
        assert video.predictions.shape == video.labels.shape == (len(video.frames), 2)


@pytest.mark.parametrize(
    ("batch_size", "window", "overlap"),
    [(2, 6, 0), (1, 80, 0), (3, 1, 0), (2, 6, 2), (4, 9, 8)],
)
def test_predictions_are_those_of_the_network_on_each_window_alone(
    batch_size, window, overlap, corpus, model, tmp_path
):
    config = EvaluationConfig(batch_size=batch_size, window=window, overlap=overlap)
    found = Evaluator(corpus, config)(model)
    assert_predictions(found, by_hand(corpus, model, window, overlap))
    assert_scores(found, tmp_path / "predictions.csv")


@pytest.mark.parametrize("settings", [{"overlap": 2}, {"carry_state": True}])
def test_the_order_of_the_videos_does_not_matter(settings, corpus, model, tmp_path):
    config = EvaluationConfig(batch_size=3, window=5, **settings)
    found = Evaluator(corpus, config)(model)
    backwards = Evaluator(replace(corpus, videos=corpus.videos[::-1]), config)(model)
    assert [video.video for video in backwards.videos] == ["v3", "v2"]
    assert_predictions(backwards, {video.video: (video.frames.tolist(), video.predictions) for video in found.videos})
    assert_scores(backwards, tmp_path / "backwards.csv")


@pytest.mark.slow
def test_predictions_of_a_network_of_the_papers(corpus):
    network = tiny_model(seed=5)
    assert_predictions(Evaluator(corpus, TINY.evaluation)(network), by_hand(corpus, network, 6))


def test_batches_of_one_shape_may_be_compiled_for_it(corpus, model, monkeypatch):
    monkeypatch.setattr(evaluator_module, "WORTH_COMPILING", 1)
    found = Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))(model)
    assert_predictions(found, by_hand(corpus, model, 6))


@pytest.mark.parametrize(("batch_size", "window"), [(1, 5), (3, 4)])
def test_with_its_state_carried_each_video_is_one_sequence(batch_size, window, corpus, model, tmp_path):
    config = EvaluationConfig(batch_size=batch_size, window=window, carry_state=True)
    found = Evaluator(corpus, config)(model)
    assert_predictions(found, whole_videos(corpus, model))
    assert_scores(found, tmp_path / "predictions.csv")


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["gru", "attention", "three stacks", "separate"])  # all: test_streaming.py
def test_the_states_of_recurrent_stacks_are_carried(stack, corpus):
    made = network(STACKS[stack])
    carried = Evaluator(corpus, EvaluationConfig(batch_size=1, window=5, carry_state=True))(made)
    assert_predictions(carried, whole_videos(corpus, made))
    apart = Evaluator(corpus, EvaluationConfig(batch_size=1, window=5))(made)
    distances = [
        np.abs(one.predictions - other.predictions).max()
        for one, other in zip(carried.videos, apart.videos, strict=True)
    ]
    assert min(distances) > 1e-3


def test_videos_that_share_a_row_of_the_batch_start_afresh(tmp_path, model):
    lengths = (9, 4, 7, 5, 1)
    make_corpus(tmp_path, [{"frames": frames} for frames in lengths])
    corpus = Corpus.open(tmp_path, "train")
    found = Evaluator(corpus, EvaluationConfig(batch_size=2, window=3, carry_state=True))(model)
    assert [len(video.frames) for video in found.videos] == list(lengths)
    assert_predictions(found, whole_videos(corpus, model))


def test_a_state_that_is_not_finite_does_not_reach_the_next_video(corpus):
    frames = keras.Input((None, 32, 32, 3), dtype="uint8", name="frames")
    # This block is red in v3 and dark in v2: the logarithm is that of a negative number there.
    block = ops.mean(ops.cast(frames, "float32")[:, :, 24:, :8, :1], axis=(2, 3))
    sequence = PeepholeLSTM(2)(ops.log(block - 128))
    made = keras.Model([frames], layers.Dense(2)(sequence))
    backwards = replace(corpus, videos=corpus.videos[::-1])
    assert np.isfinite(whole_videos(corpus, made)["v3"][1]).all()
    # v2 is the longer of the two, and so the first in the one row; v3 would be the first to be named.
    with pytest.raises(UserError, match="the video v2 are not finite"):
        Evaluator(backwards, EvaluationConfig(batch_size=1, carry_state=True))(made)


def test_a_network_without_recurrence_has_nothing_to_carry(corpus):
    frames = keras.Input((None, 32, 32, 3), dtype="uint8", name="frames")
    made = keras.Model([frames], layers.Dense(2)(ops.mean(ops.cast(frames, "float32") / 255, axis=(2, 3))))
    carried, apart = (
        Evaluator(corpus, EvaluationConfig(batch_size=2, window=5, carry_state=carry))(made) for carry in (True, False)
    )
    expected = {video.video: (video.frames.tolist(), video.predictions) for video in apart.videos}
    assert_predictions(carried, expected)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"overlap": 6}, "`evaluation.overlap` must be from 0 to below `evaluation.window`, 6. Received: 6"),
        ({"overlap": -1}, "`evaluation.overlap` must be from 0 to below `evaluation.window`, 6. Received: -1"),
        (
            {"overlap": 2, "carry_state": True},
            "`evaluation.overlap` must be 0 with `evaluation.carry_state`.*overlap=2",
        ),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: 0"),
        ({"window": 0, "carry_state": True}, "`window` must be at least 1. Received: 0"),
    ],
)
def test_impossible_settings_are_refused(settings, says, corpus):
    with pytest.raises(UserError, match=says):
        Evaluator(corpus, EvaluationConfig(**{"batch_size": 2, "window": 6, **settings}))


def test_the_state_of_an_unknown_recurrence_is_not_carried(corpus):
    landmarks = keras.Input((None, 68, 2), name="landmarks")
    sequence = layers.LSTM(2, return_sequences=True)(layers.Reshape((-1, 136))(landmarks))
    with pytest.raises(UserError, match=r"\(LSTM\) is not one of them"):
        Evaluator(corpus, EvaluationConfig(carry_state=True))(keras.Model([landmarks], layers.Dense(2)(sequence)))


def test_a_network_with_other_outputs_is_refused(corpus):
    landmarks = keras.Input((None, 68, 2), name="landmarks")
    made = keras.Model([landmarks], layers.Dense(7)(layers.Reshape((-1, 136))(landmarks)), name="classes")
    with pytest.raises(UserError, match=r"must have 2 outputs a frame.*Received: classes, which has 7"):
        Evaluator(corpus, TINY.evaluation)(made)


@pytest.mark.slow
def test_two_devices_share_the_work_and_change_nothing(tiny_folder, corpus, model, tmp_path):
    model.save(tmp_path / "network.keras")
    command = [sys.executable, "-m", "tests.helpers.evaluate_on_two", tmp_path / "network.keras", tiny_folder, tmp_path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    expected = [by_hand(corpus, model, 5), by_hand(corpus, model, 5, 3), *[whole_videos(corpus, model)] * 2]
    for number, videos in enumerate(expected):
        with (tmp_path / f"{number}.csv").open(newline="") as file:
            rows = [(row["video"], int(row["frame"]), row["valence"], row["arousal"]) for row in csv.DictReader(file)]
        assert [row[:2] for row in rows] == [(name, frame) for name, (frames, _) in videos.items() for frame in frames]
        predictions = np.array([row[2:] for row in rows], float)
        wanted = np.concatenate([predictions for _, predictions in videos.values()])
        np.testing.assert_allclose(predictions, wanted, rtol=0, atol=1e-5)


def test_where_a_window_starts_matters_so_the_check_above_can_fail(corpus, model):
    short, long = (by_hand(corpus, model, window)["v3"][1] for window in (5, 80))
    np.testing.assert_allclose(short[:5], long[:5], rtol=1e-4, atol=1e-5)
    assert np.abs(short[5:] - long[5:]).max() > 1e-3


def test_labels_are_those_of_the_records_and_missing_ones_nan(evaluation):
    first, second = evaluation.videos
    assert set(first.frames[~first.labelled].tolist()) == UNLABELLED
    assert np.isnan(first.labels[~first.labelled]).all()
    assert second.labelled.all()
    for index, video in ((2, first), (3, second)):
        expected = np.array([label_of(index, frame) for frame in video.frames[video.labelled]])
        np.testing.assert_allclose(video.labels[video.labelled], expected, rtol=1e-6)


def test_scores_per_video_are_of_that_video_alone(evaluation):
    rows = evaluation.per_video()
    assert [(row.video, row.frames, row.frames_scored) for row in rows] == [("v2", 22, 19), ("v3", 13, 13)]
    for row, video in zip(rows, evaluation.videos, strict=True):
        expected = scores_by_numpy(video.labels[video.labelled], video.predictions[video.labelled])
        for metric, values in expected.items():
            assert row.scores[metric] == pytest.approx(values, abs=1e-9)
    # Pooling is not averaging: what the challenge's scores are, and what they are not.
    mean = np.mean([row.scores["ccc"]["mean"] for row in rows])
    assert abs(mean - evaluation.scores["ccc"]["mean"]) > 1e-4


def test_a_video_without_labels_is_predicted_and_not_scored(tiny_folder, model):
    evaluation = Evaluator(Corpus.open(tiny_folder, "test", 32), TINY.evaluation)(model)
    rows = evaluation.per_video()
    assert [(row.frames, row.frames_scored) for row in rows] == [(11, 0), (10, 10)]
    assert rows[0].scores is None
    assert np.isfinite(evaluation.videos[0].predictions).all()
    assert evaluation.frames_scored == evaluation.frames_labelled == 10


def test_half_a_label_does_not_count(tmp_path, model):
    labels = np.array([label_of(0, frame) for frame in range(1, 9)])
    labels[2, 0] = labels[5, 1] = np.nan
    make_corpus(tmp_path, [{"frames": 8, "labels": labels}])
    evaluation = Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)
    assert evaluation.frames_scored == evaluation.frames_labelled == 6
    assert np.isnan(evaluation.videos[0].labels[[2, 5]]).all()


def test_one_evaluator_scores_the_weights_that_the_network_has_now(corpus, evaluation):
    evaluator = Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))
    network = light_model(seed=6)
    before = evaluator(network)
    network.set_weights(light_model(seed=5).get_weights())
    after = evaluator(network)
    for one, other, earlier in zip(after.videos, evaluation.videos, before.videos, strict=True):
        np.testing.assert_allclose(one.predictions, other.predictions, rtol=1e-5, atol=1e-6)
        assert np.abs(one.predictions - earlier.predictions).max() > 1e-3
    other_network = evaluator(light_model(seed=6))
    assert other_network.scores["ccc"]["mean"] == pytest.approx(before.scores["ccc"]["mean"], abs=1e-6)


def test_predictions_that_are_not_finite_name_the_video(corpus):
    network = light_model()
    network.get_layer("valence_arousal").bias.assign([0.0, np.nan])
    with pytest.raises(UserError, match="predictions for the video v2 are not finite: training diverged"):
        Evaluator(corpus, TINY.evaluation)(network)


def test_a_split_without_labels_is_refused(tmp_path):
    make_corpus(tmp_path, [{"frames": 4, "split": "test", "unlabelled": range(1, 5)}])
    with pytest.raises(UserError, match="no frame of the split test has a label, so nothing is scored"):
        Evaluator(Corpus.open(tmp_path, "test"), TINY.evaluation)


def test_labels_that_the_manifest_does_not_list_are_noticed(tmp_path, model):
    packed = make_corpus(tmp_path, [{"frames": 8, "unlabelled": [4]}])
    (entry,) = packed.videos
    entry.index["label"][3], entry.index["labelled"][3] = 0, True
    manifest.save(packed, tmp_path)
    with pytest.raises(UserError, match=r"scored once\. Received: 7 scored of 8 labelled.*verify"):
        Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)
    found = evaluator_module.evaluate(Corpus.open(tmp_path, "train"), lambda entry: np.zeros((entry.frames, 2)))
    assert (found.frames_scored, found.frames_labelled) == (7, 8)  # scored from the records, labelled by the manifest


def test_a_corrupt_record_is_an_error_for_the_user(tmp_path, model):
    packed = make_corpus(tmp_path, [{"frames": 8}])
    path = tmp_path / packed.videos[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a record is corrupt or cut off \(corrupted record at \d+\)\. .*verify"):
        Evaluator(Corpus.open(tmp_path, "train"), TINY.evaluation)(model)


def test_constant_predictions_have_no_pearson():
    labels = np.float32([[0.1, 0.2], [0.3, 0.1]])
    video = VideoPredictions("v", "s", np.array([1, 2]), np.zeros(2, np.float32), labels, np.zeros((2, 2), np.float32))
    assert video.moments.ccc().tolist() == [0, 0]
    assert np.isnan(video.moments.pearson()).all()


def test_reading_that_has_begun_changes_nothing(corpus, model, evaluation):
    evaluator = Evaluator(corpus, EvaluationConfig(batch_size=2, window=6))
    for _ in range(2):  # the second reading is begun after the first has ended
        evaluator.begin()
        found = evaluator(model)
        for video, expected in zip(found.videos, evaluation.videos, strict=True):
            for part in ("frames", "timestamps", "labels", "predictions"):
                np.testing.assert_array_equal(getattr(video, part), getattr(expected, part))
