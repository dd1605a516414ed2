"""The authors' checkpoints: networks written again in TensorFlow 1, saved by its saver, imported and compared."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.config import scaled
from affwildnet.experiments.networks import NETWORKS
from affwildnet.weights import import_weights, isolated, tensorflow1
from affwildnet.weights.affwildnet_tf1 import open_checkpoint
from affwildnet.weights.weight_file import unreadable
from tests.helpers.damaged_weights import mutated, outcome
from tests.helpers.networks import numpy
from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError

tf1 = tf.compat.v1
# Cases of the fuzz test; the long form has more.
CASES = int(os.environ.get("AFFWILDNET_FUZZ", "60"))
SMALL = {"image_size": 32, "width": 0.05}
NEW = {"kernel": "kernel", "bias": "bias"}
OLD = {"kernel": "weights", "bias": "biases"}


@pytest.fixture(autouse=True)
def in_this_process(request, monkeypatch):
    """Read in this process, but for the tests of the other one: that imports TensorFlow anew."""

    def read(path, what, reader, library="", files=None):
        try:
            return tensorflow1.content(path)
        except Exception as error:
            raise unreadable(path, what, error) from None

    if "apart" not in request.node.name:
        monkeypatch.setattr(isolated, "read", read)


class Checkpoint:
    """A network with the names and the equations of the authors' code and random variables, and its predictions."""

    def __init__(self, config, spelling=NEW, seed=0):
        self.config = config
        self.spelling = spelling
        self.rng = np.random.default_rng(seed)
        self.arrays = {}

    def variable(self, name, *shape, low=None, gain=1):
        """A variable of fitting size: a weight, a bias, or (with `low`) uniform from there to 1 above; times `gain`."""
        fan_in = np.prod(shape[:-1]) if len(shape) > 1 else 100
        value = self.rng.normal(0, np.sqrt(2 / fan_in), shape) if low is None else self.rng.uniform(low, low + 1, shape)
        assert name not in self.arrays
        self.arrays[name] = (gain * value).astype("float32")
        return tf.constant(self.arrays[name])

    def units(self, count):
        return scaled(count, self.config.width)

    def dense(self, x, units, weights, biases):
        return tf.matmul(x, self.variable(weights, int(x.shape[-1]), units)) + self.variable(biases, units)

    def vgg(self, x):
        index = 0
        for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(convolutions):
                index += 1
                channels_in, out = int(x.shape[-1]), self.units(channels)
                kernel = self.variable(f"conv_{index}/weights", 3, 3, channels_in, out)
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + self.variable(f"conv_{index}/biases", out))
            x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        return tf.reshape(x, (-1, np.prod(x.shape[1:])))

    def slim(self, x):
        def conv(x, channels, side, stride, scope, gain=1):
            """Slim's conv2d_same, and its batch normalisation."""
            kernel = self.variable(f"resnet_v1_50/{scope}/weights", side, side, int(x.shape[-1]), channels)
            if stride == 1:
                x = tf.nn.conv2d(x, kernel, 1, "SAME")
            else:
                before = (side - 1) // 2
                after = side - 1 - before
                edges = [[0, 0], [before, after], [before, after], [0, 0]]
                x = tf.nn.conv2d(tf.pad(x, edges), kernel, stride, "VALID")
            norm = f"resnet_v1_50/{scope}/BatchNorm"
            gamma, beta = (
                self.variable(f"{norm}/gamma", channels, low=0.5, gain=gain),
                self.variable(f"{norm}/beta", channels),
            )
            mean = self.variable(f"{norm}/moving_mean", channels)
            variance = self.variable(f"{norm}/moving_variance", channels, low=0.5)
            return (x - mean) / tf.sqrt(variance + 1e-5) * gamma + beta

        x = tf.nn.relu(conv(x, self.units(64), 7, 2, "conv1"))
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for block, (base, units, last_stride) in enumerate(
            [(64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)], start=1
        ):
            narrow = self.units(base)
            for unit in range(1, units + 1):
                scope = f"block{block}/unit_{unit}/bottleneck_v1"
                stride = last_stride if unit == units else 1
                if int(x.shape[-1]) == 4 * narrow:
                    shortcut = tf.nn.max_pool2d(x, 1, stride, "VALID")
                else:
                    shortcut = conv(x, 4 * narrow, 1, stride, f"{scope}/shortcut")
                x = tf.nn.relu(conv(x, narrow, 1, 1, f"{scope}/conv1"))
                x = tf.nn.relu(conv(x, narrow, 3, stride, f"{scope}/conv2"))
                # Residuals below their shortcuts: otherwise each unit doubles the variance, and what is compared in the
                # end is rounding.
                x = tf.nn.relu(shortcut + conv(x, 4 * narrow, 1, 1, f"{scope}/conv3", gain=0.3))
        return tf.reduce_mean(x, (1, 2))

    def gru(self, x, scope, index):
        """`tf.nn.rnn_cell.GRUCell` over (B, T, F), as its documentation has it."""
        units, inputs = self.units(128), int(x.shape[-1])
        cell = f"{scope}/rnn/multi_rnn_cell/cell_{index}/gru_cell"
        gates = self.variable(f"{cell}/gates/{self.spelling['kernel']}", inputs + units, 2 * units)
        gates_bias = self.variable(f"{cell}/gates/{self.spelling['bias']}", 2 * units, low=0.5)
        candidate = self.variable(f"{cell}/candidate/{self.spelling['kernel']}", inputs + units, units)
        candidate_bias = self.variable(f"{cell}/candidate/{self.spelling['bias']}", units, low=-0.5)
        state = tf.zeros((x.shape[0], units))
        outputs = []
        for now in tf.unstack(x, axis=1):
            both = tf.nn.sigmoid(tf.matmul(tf.concat([now, state], 1), gates) + gates_bias)
            reset, update = both[:, :units], both[:, units:]
            new = tf.nn.tanh(tf.matmul(tf.concat([now, reset * state], 1), candidate) + candidate_bias)
            state = update * state + (1 - update) * new
            outputs.append(state)
        return tf.stack(outputs, 1)

    def predictions(self, pixels):
        frames = (tf.reshape(pixels, (-1, *pixels.shape[2:])) - 128.0) / 128.0
        slim = self.config.backbone == "resnet50_slim"
        x = self.slim(frames) if slim else self.vgg(frames)
        for units, scope in zip(self.config.hidden, ("linear_1", "linear2_1"), strict=False):
            x = tf.nn.relu(self.dense(x, self.units(units), f"{scope}/weights", f"{scope}/biases"))
        if self.config.recurrent == "none":
            return tf.reshape(self.dense(x, 2, "linear3_1/weights", "linear3_1/biases"), (*pixels.shape[:2], 2))
        scope, ending = ("rnn", "output") if slim else ("rnn_1", "rnn")
        x = tf.reshape(x, (*pixels.shape[:2], int(x.shape[-1])))
        for index in range(2):
            x = self.gru(x, scope, index)
        y = self.dense(
            tf.reshape(x, (-1, int(x.shape[-1]))), 2, f"{scope}/weights_{ending}", f"{scope}/biases_{ending}"
        )
        return tf.reshape(y, (*pixels.shape[:2], 2))

    def save(self, path, optimizer=False):
        """Write the checkpoint with TensorFlow 1's saver, with what its Adam keeps if asked for."""
        with tf.Graph().as_default(), tf1.Session() as session:
            variables = [tf1.get_variable(name, initializer=value) for name, value in self.arrays.items()]
            if optimizer:
                step = tf1.train.get_or_create_global_step()
                total = tf.add_n([tf.reduce_sum(variable) for variable in variables])
                tf1.train.AdamOptimizer().minimize(total, global_step=step)
            session.run(tf1.global_variables_initializer())
            tf1.train.Saver().save(session, str(path))

    def save_quickly(self, path):
        """Write the checkpoint with the operation that the saver runs."""
        names = list(self.arrays)
        tf.raw_ops.SaveV2(
            prefix=str(path), tensor_names=names, shape_and_slices=[""] * len(names), tensors=list(self.arrays.values())
        )


def faces(config, batch=1, steps=80, seed=1):
    side = config.image_size
    return np.random.default_rng(seed).integers(0, 256, (batch, steps, side, side, 3), "uint8")


def check_predictions(path, name, steps=80, batch=1, spelling=NEW, optimizer=None, **fields):
    """Save a checkpoint (with an `optimizer`, as TensorFlow saves it) and import it; return it and the report."""
    config = replace(NETWORKS[name], **fields)
    frames = faces(config, batch, steps)
    checkpoint = Checkpoint(config, spelling)
    expected = checkpoint.predictions(tf.constant(frames, "float32")).numpy()
    checkpoint.save_quickly(path) if optimizer is None else checkpoint.save(path, optimizer)
    model, report = import_weights("affwildnet_tf1", path, config)
    result = numpy(model({"frames": frames}, training=False))
    assert result.shape == expected.shape == (batch, steps, 2)
    assert expected.std(axis=1).min() > 1e-3  # no constant could pass
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert report.as_built == ()
    assert {source for row in report.weights for source in row.sources} == set(checkpoint.arrays)
    assert sum(int(np.prod(row.shape)) for row in report.weights) == model.count_params()
    return checkpoint, report


def test_vgg_face_gru(tmp_path):
    _, report = check_predictions(tmp_path / "model.ckpt-7", "affwildnet_vggface_no_landmarks", **SMALL)
    assert "rnn_1/rnn/multi_rnn_cell/cell_1/gru_cell/gates/kernel" in str(report)
    assert report.left_out == {}


@pytest.mark.slow
def test_what_adam_kept_is_left_out_and_listed(tmp_path):
    name = "affwildnet_vggface_no_landmarks"
    checkpoint, report = check_predictions(tmp_path / "model.ckpt-7", name, steps=3, batch=2, optimizer=True, **SMALL)
    slots = {f"{name}/{slot}" for name in checkpoint.arrays for slot in ("Adam", "Adam_1")}
    assert set(report.left_out) == slots | {"beta1_power", "beta2_power", "global_step"}
    assert set(report.left_out.values()) == {"of the optimizer"}
    assert "conv_13/weights/Adam_1" in str(report)


@pytest.mark.parametrize("name", ["vgg_face_no_landmarks", "vgg_face_2000"])
def test_vgg_face_cnns(tmp_path, name):
    check_predictions(tmp_path / "model.ckpt", name, steps=3, **SMALL)


def test_resnet50_gru_with_the_older_names(tmp_path):
    checkpoint, _ = check_predictions(
        tmp_path / "model.ckpt", "affwildnet_resnet50_released", steps=4, spelling=OLD, image_size=33, width=0.05
    )
    assert "rnn/rnn/multi_rnn_cell/cell_0/gru_cell/candidate/weights" in checkpoint.arrays


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    # The ResNet: 23,508,032 trained and 53,120 moving statistics; GRUs 3 * 128 * (2048 + 128 + 1) and
    # 3 * 128 * (128 + 128 + 1); 128 * 2 + 2.
    [("affwildnet_vggface_no_landmarks", 35_314_498), ("affwildnet_resnet50_released", 24_496_066)],
)
def test_at_full_size(tmp_path, name, count):
    checkpoint, _ = check_predictions(tmp_path / "model.ckpt", name, optimizer=False)
    assert sum(value.size for value in checkpoint.arrays.values()) == count


def test_variables_that_are_not_used_are_listed(tmp_path, saved):
    config, checkpoint, _ = saved
    more = {"conv_1/weights/ExponentialMovingAverage": "a running average of a weight"}
    more |= dict.fromkeys(["linear_1/biases/Adam", "linear_1/biases/Adam_1", "global_step"], "of the optimizer")
    more["extra/weights"] = "the network has no such layer"
    names = [*checkpoint.arrays, *more]
    values = [*checkpoint.arrays.values(), *(np.zeros(2, "float32") for _ in more)]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "m"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )
    _, report = import_weights("affwildnet_tf1", tmp_path / "m", config)
    assert report.left_out == more


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small CNN's configuration, checkpoint, and where that is saved."""
    config = replace(NETWORKS["vgg_face_2000"], **SMALL)
    prefix = tmp_path_factory.mktemp("saved") / "model.ckpt"
    checkpoint = Checkpoint(config)
    checkpoint.predictions(tf.constant(faces(config, steps=1), "float32"))
    checkpoint.save_quickly(prefix)
    return config, checkpoint, prefix


def changed(path, checkpoint, **arrays):
    """Save a checkpoint with some arrays replaced, or left out for None; __ stands for /."""
    other = Checkpoint(checkpoint.config)
    arrays = {name.replace("__", "/"): value for name, value in arrays.items()}
    assert arrays.keys() <= checkpoint.arrays.keys()
    together = {**checkpoint.arrays, **arrays}
    other.arrays = {name: value for name, value in together.items() if value is not None}
    other.save_quickly(path)
    return path


def failure(path, config):
    with pytest.raises(UserError) as caught:
        import_weights("affwildnet_tf1", path, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_variable_is_named_on_both_sides(tmp_path, saved):
    config, checkpoint, _ = saved
    message = failure(changed(tmp_path / "m", checkpoint, conv_4__biases=None), config)
    assert "must hold conv_4/biases of shape (6,), for conv4/bias of the network" in message


def test_a_variable_of_another_shape_is_named_on_both_sides(tmp_path, saved):
    config, checkpoint, _ = saved
    other = np.zeros((205, 99), "float32")
    message = failure(changed(tmp_path / "m", checkpoint, linear2_1__weights=other), config)
    assert "linear2_1/weights must have shape (205, 100), for fc2/kernel of the network" in message
    assert "(205, 99)" in message


def test_a_checkpoint_of_another_network(saved):
    config, _, prefix = saved
    gru = replace(NETWORKS["affwildnet_vggface_no_landmarks"], **SMALL)
    assert "must hold rnn_1/rnn/multi_rnn_cell/cell_0/gru_cell/gates/kernel" in failure(prefix, gru)
    assert "linear2_1/weights must have shape (205, 205)" in failure(prefix, replace(config, hidden=(4096, 4096)))


@pytest.mark.parametrize(
    "other",
    [
        {"landmarks": True},
        {"recurrent": "gru"},
        {"hidden": (4096,)},
        {"separate": True},
        {"head": "expression"},
        {"reset_after": True},
    ],
)
def test_a_network_that_was_not_published(saved, other):
    config, _, prefix = saved
    message = failure(prefix, replace(config, **other))
    assert "must be a network that the authors published" in message
    assert "affwildnet_resnet50_released" in message


def test_a_path_without_a_checkpoint(tmp_path, saved):
    config, _, prefix = saved
    message = failure(prefix.with_name("model.ckpt-9"), config)
    assert "model.ckpt-9, which is none" in message
    assert message.endswith("In that folder: model.ckpt.")
    assert "In that folder: model.ckpt." in failure(prefix.parent, config)
    (tmp_path / "weights.txt").write_text("no checkpoint")
    assert "must be a TensorFlow 1 checkpoint" in failure(tmp_path / "weights.txt", config)


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_a_truncated_checkpoint(tmp_path, saved, ending):
    config, _, prefix = saved
    for file in prefix.parent.glob("model.ckpt.*"):
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[: len(content) // 2] if file.name.endswith(ending) else content)
    assert "must be a TensorFlow 1 checkpoint" in failure(tmp_path / "model.ckpt", config)


def test_the_files_name_the_checkpoint(saved):
    config, checkpoint, prefix = saved
    for name in ("model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001"):
        opened = open_checkpoint(prefix.with_name(name), config)
        assert opened.file.shapes.keys() == checkpoint.arrays.keys()
        assert set(opened.file.checksums()) == {"model.ckpt.index", "model.ckpt.data-00000-of-00001"}


@pytest.mark.slow
def test_a_checkpoint_is_read_apart(tmp_path, saved):
    """In a process of its own, with limits on memory and time that TensorFlow keeps to."""
    config, checkpoint, prefix = saved
    opened = open_checkpoint(prefix, config)
    assert opened.file.shapes == {name: array.shape for name, array in checkpoint.arrays.items()}
    for name, array in checkpoint.arrays.items():
        np.testing.assert_array_equal(opened.file.take(name, [array.shape], name), array)
    index = tmp_path / "m.index"
    index.write_bytes(prefix.with_name("model.ckpt.index").read_bytes()[:100])
    assert "must be a TensorFlow 1 checkpoint" in failure(tmp_path / "m", config)


def test_variables_that_claim_more_than_the_files_hold():
    tensorflow1.check_claim({"x": [4]}, {"x": tf.float32}, 100)
    with pytest.raises(ValueError, match="variables of 4,398,046,511,104 bytes in files of 100"):
        tensorflow1.check_claim({"x": [1 << 40]}, {"x": tf.float32}, 100)


@pytest.mark.slow
def test_mutated_checkpoints_are_read_or_refused(saved, tmp_path):
    """Each case in a child of a process that has imported TensorFlow: a crash is an outcome like another."""
    code = f"import sys; from {__name__} import fuzz; fuzz(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(saved[2]), str(tmp_path / "mutated"), str(CASES)]
    outcomes = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    print("tensorflow 1", outcomes)
    assert sum(outcomes.values()) == CASES
    assert outcomes.keys() <= {"read", "refused", "crash", "time"}
    assert outcomes.get("refused", 0) > CASES / 10


def fuzz(prefix, to, cases):
    """Print how often each outcome came of checkpoints whose index or data, in turns, is mutated."""
    files = {ending: Path(prefix + ending).read_bytes() for ending in (".index", ".data-00000-of-00001")}
    outcomes = {}
    for case in range(int(cases)):
        for number, (ending, data) in enumerate(files.items()):
            damaged = mutated(data, np.random.default_rng([1, case])) if case % len(files) == number else data
            Path(to + ending).write_bytes(damaged)
        name = outcome(tensorflow1.content, Path(to), sum(map(len, files.values())), "tensorflow")
        outcomes[name] = outcomes.get(name, 0) + 1
    print(json.dumps(outcomes))
