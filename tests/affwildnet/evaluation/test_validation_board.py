"""What TensorBoard reads of a run: one name for a value of training and of validation, faces, curves, fields, norms."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from affwildnet.data import Corpus
from affwildnet.evaluation.face_grid import COLUMNS, SIDE, TEXT, FaceGrid
from affwildnet.evaluation.scoring.predictions import Evaluation, VideoPredictions
from affwildnet.evaluation.validation_board import ValidationBoard, fields, loss_of
from affwildnet.experiments import get
from affwildnet.metrics import Moments
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.workdir import Workdir
from affwildnet.training import log
from affwildnet.training.log import TrainingLog, norms
from affwildnet.training.step import StepOutcome
from tests.helpers.corpora import face_of, label_of, make_corpus
from tests.helpers.trainings import TINY, plain_model


@pytest.fixture
def corpus(tmp_path):
    videos = [{"frames": 9, "split": "validation"}, {"frames": 12, "split": "validation", "unlabelled": [1, 2]}]
    make_corpus(tmp_path / "corpus", videos)
    return Corpus.open(tmp_path / "corpus", "validation")


def evaluation_of(corpus, error=0.1):
    videos = []
    for number, entry in enumerate(corpus.videos):
        frames = entry.frame_numbers
        labels = np.array([label_of(number, frame) for frame in frames], np.float32)
        predictions = labels + np.float32(error)
        labels = np.where(np.isin(frames, entry.labelled_frame_numbers)[:, None], labels, np.nan)
        videos.append(VideoPredictions(entry.video, entry.subject, frames, frames / 30, labels, predictions))
    return Evaluation.of("validation", videos)


def events(folder):
    found = EventAccumulator(str(folder), {"images": 0, "tensors": 0})
    found.Reload()
    return found


def scalars(found):
    """{name: {step: value}} of all scalars."""
    kinds = found.SummaryMetadata
    return {
        tag: {event.step: float(tf.make_ndarray(event.tensor_proto)) for event in found.Tensors(tag)}
        for tag in found.Tags()["tensors"]
        if kinds(tag).plugin_data.plugin_name == "scalars"
    }


def image(found, tag):
    (event,) = found.Tensors(tag)
    return tf.io.decode_png(event.tensor_proto.string_val[2]).numpy()


@pytest.fixture
def board(corpus, tmp_path):
    """The events of a run with two lines of training and one scored checkpoint."""
    workdir = Workdir(tmp_path / "run")
    workdir.path.mkdir()
    evaluation = evaluation_of(corpus)
    line = {"step": 20, "loss": 0.25, "ccc": evaluation.scores["ccc"]}
    earlier = {"step": 10, "ccc": {"mean": 2.0, "valence": 0.0, "arousal": 0.0}}
    with ValidationBoard(workdir.tensorboard("validation"), TINY, corpus, "run") as board:
        board.add(line, evaluation, evaluation.scores, [earlier, line])
    training = TrainingLog(workdir, steps=20, frames_per_step=8, first_step=0)
    for step in (1, 2):
        labels = np.array([[0.1, 0.2], [0.5, -0.4], [0.3, 0.1]])
        training.add(StepOutcome(0.5, 1.0, Moments.from_arrays(labels, step * labels)))
        training.write(step, 0, plain_model())
    return {name: events(workdir.tensorboard(name)) for name in ("train", "validation")}, evaluation, workdir


def test_training_and_validation_share_the_names_of_their_values(board):
    found, evaluation, workdir = board
    train, validation = scalars(found["train"]), scalars(found["validation"])
    shared = {"loss", *(f"{metric}/{name}" for metric in ("ccc", "mse") for name in ("valence", "arousal", "mean"))}
    assert shared <= train.keys() & validation.keys()
    assert validation["ccc/valence"][20] == pytest.approx(evaluation.scores["ccc"]["valence"])
    assert validation["loss"] == {20: 0.25}
    # The second line is of the second step alone: predictions twice the labels.
    labels = np.array([0.1, 0.5, 0.3])
    wanted = 2 * 2 * labels.var() / (labels.var() + 4 * labels.var() + labels.mean() ** 2)
    assert train["ccc/valence"][2] == pytest.approx(wanted)
    assert train["ccc/valence"][1] == pytest.approx(1)
    assert [line["ccc"]["valence"] for line in read_lines(workdir.training_log)] == pytest.approx([1, wanted])


def test_the_best_scores_so_far_are_beside_the_experiments_fields(board):
    found, evaluation, _ = board
    values = scalars(found["validation"])
    assert values["best/mean"] == {20: 2.0}  # of an earlier checkpoint
    assert values["best/valence"][20] == pytest.approx(evaluation.scores["ccc"]["valence"])
    content = found["validation"].SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    noted = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert noted["experiment"].string_value == TINY.name
    assert noted["training.learning_rate"].number_value == TINY.training.learning_rate
    assert noted["model.backbone"].string_value == TINY.model.backbone
    content = found["validation"].SummaryMetadata("_hparams_/experiment").plugin_data.content
    listed = plugin_data_pb2.HParamsPluginData.FromString(content).experiment
    assert {metric.name.tag for metric in listed.metric_infos} == {"best/mean", "best/valence", "best/arousal"}
    assert {each.name for each in listed.hparam_infos} == set(noted)


def test_every_field_is_listed():
    found = fields(get("thesis2018/vggface_attention_c3"))
    assert len(found) > 50
    assert {type(value) for value in found.values()} <= {bool, int, float, str}
    assert found["training.batch_size"] == get("thesis2018/vggface_attention_c3").training.batch_size


def test_the_grid_has_labelled_faces_with_two_lines_each(board, corpus):
    grid = image(board[0]["validation"], "faces")
    assert grid.shape == (3 * (SIDE + TEXT), COLUMNS * SIDE, 3)
    first = grid[:SIDE, :SIDE].astype(float)
    entry = corpus.videos[0]
    wanted = np.kron(face_of(0, entry.labelled_frame_numbers[0]), np.ones((SIDE // 32, SIDE // 32, 1)))
    assert np.abs(first - wanted).mean() < 12  # JPEG, and smoothed when it was enlarged
    below = grid[SIDE : SIDE + TEXT, :SIDE].reshape(-1, 3).astype(int)
    green, orange = below[:, 1] > below[:, 0] + 30, below[:, 0] > below[:, 2] + 60
    assert green.sum() > 50
    assert orange.sum() > 50


def test_another_networks_grid_differs_in_the_predictions_alone(corpus):
    grid = FaceGrid(corpus)
    one, two = (grid.drawn(evaluation_of(corpus, error)) for error in (0.1, 0.2))
    rows = np.flatnonzero((one != two).any(axis=(1, 2))) % (SIDE + TEXT)
    assert len(rows)
    assert rows.min() > SIDE + 14


def test_curves_of_two_videos_are_drawn(board):
    curves = image(board[0]["validation"], "curves")
    assert curves.shape[0] > 300
    assert len(np.unique(curves.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("name", ["ccc", "mse"])
def test_the_loss_is_that_of_all_labelled_frames(corpus, name):
    evaluation = evaluation_of(corpus, 0.3)
    scores = evaluation.scores[name]["mean"]
    assert loss_of(evaluation, name) == pytest.approx(1 - scores if name == "ccc" else scores, abs=1e-6)


def test_the_norms_of_a_layer_are_those_of_its_weights_and_gradients_together():
    model = plain_model()
    gradients = np.arange(1.0, 1 + len(model.trainable_variables))
    weights = gradients**2
    found = norms(model, StepOutcome(0.5, 1.0, None, gradients, weights))
    own = [index for index, each in enumerate(model.trainable_variables) if each.path.startswith("out/")]
    assert len(own) == 2
    assert found["weights/out"] == pytest.approx(np.linalg.norm(weights[own]))
    assert found["gradients/out"] == pytest.approx(np.linalg.norm(gradients[own]))


def test_norms_are_logged_with_the_first_line_and_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "NORMS_EVERY", 2)
    workdir = Workdir(tmp_path)
    training = TrainingLog(workdir, steps=9, frames_per_step=8, first_step=0)
    model = plain_model()
    weights = np.ones(len(model.trainable_variables))
    for step in (1, 2, 3, 4):
        training.add(StepOutcome(0.5, 1.0, weights=weights))
        training.write(step, 0, model)
    found = scalars(events(workdir.tensorboard("train")))
    assert list(found["weights/out"]) == [1, 3]
    assert list(found["loss"]) == [1, 2, 3, 4]
    assert "ccc/mean" not in found  # of expressions there is none


def test_line_file_and_tensorboard_have_the_same_numbers(tmp_path, shown):
    """The loss is the mean over the steps since the line before; norm and rate are those of the last one."""
    workdir = Workdir(tmp_path)
    training = TrainingLog(workdir, steps=9, frames_per_step=8, first_step=0)
    for loss, norm, rate in ((0.5, 3.0, 1e-3), (0.25, 5.0, 1e-4)):
        training.add(StepOutcome(loss, norm, learning_rate=rate))
    training.write(2, 1, plain_model())
    assert "step      2/9  epoch   1  loss 0.3750  gradient   5.000" in shown()
    (line,) = read_lines(workdir.training_log)
    assert {name: line[name] for name in ("loss", "gradient_norm", "learning_rate")} == {
        "loss": 0.375, "gradient_norm": 5.0, "learning_rate": 1e-4,
    }  # fmt: skip
    found = scalars(events(workdir.tensorboard("train")))
    assert set(line) - {"step", "epoch"} == set(found)
    for name, value in found.items():
        assert value == {2: pytest.approx(line[name])}


def test_a_gradient_that_overflows_leaves_a_line_of_json(tmp_path, shown):
    """As with float16 before its scale is lowered; JSON has no infinity, and a curve no point."""
    workdir = Workdir(tmp_path)
    training = TrainingLog(workdir, steps=9, frames_per_step=8, first_step=0)
    for step, norm in enumerate((float("inf"), float("nan"), 2.0), start=1):
        training.add(StepOutcome(0.5, norm))
        training.write(step, 0, plain_model())
    lines = workdir.training_log.read_text("utf-8").splitlines()
    assert [json.loads(line, parse_constant=pytest.fail)["gradient_norm"] for line in lines] == [None, None, 2.0]
    assert scalars(events(workdir.tensorboard("train")))["gradient_norm"] == {3: 2.0}
    assert "gradient     inf" in shown()


def test_what_goes_wrong_with_a_checkpoint_comes_out_at_the_next_or_at_the_end(corpus, tmp_path, monkeypatch):
    evaluation, line = evaluation_of(corpus), {"step": 1, "loss": 0.5}
    monkeypatch.setattr(FaceGrid, "drawn", lambda *_: 1 / 0)
    board = ValidationBoard(str(tmp_path / "board"), TINY, corpus, "run")
    with pytest.raises(ZeroDivisionError), board:
        board.add(line, evaluation, {}, [line])
    board = ValidationBoard(str(tmp_path / "board"), TINY, corpus, "run")

    def twice():
        with board:
            board.add(line, evaluation, {}, [line])
            board.add(line, evaluation, {}, [line])
            raise AssertionError("the second must not be begun")

    with pytest.raises(ZeroDivisionError):
        twice()
