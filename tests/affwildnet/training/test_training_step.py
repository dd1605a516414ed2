"""The training step against Adam written in NumPy, learning rates computed by hand, and settings that are refused."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments.config import TrainingConfig
from affwildnet.training import step as training_step
from affwildnet.training.step import TrainStep, make_optimizer
from tests.helpers.networks import numpy
from tfrecords_tools.errors import UserError

RATE, STEPS = 0.05, 6
CONFIG = TrainingConfig(loss="mse", learning_rate=RATE)


def linear_model(config):
    """One linear layer on 3 landmark values, called as the networks are, compiled as the trainer does it."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(config.precision)
    entrance = keras.Input((None, 3), name="landmarks")
    model = keras.Model([entrance], keras.layers.Dense(2, name="out")(entrance))
    keras.config.set_dtype_policy("float32")
    model.compile(optimizer=make_optimizer(config), auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    return model


def batches(scale=1.0):
    """Batches of different size of gradient, with masked frames that would spoil everything if they counted.

    Every value of a gradient is far from 0, where Adam would make large steps of what float32 rounds.
    """
    rng = np.random.default_rng(0)
    for index in range(STEPS):
        mask = rng.random((2, 5)) < 0.7
        labels = rng.uniform(0.5, 1.5, (2, 5, 2)) * scale * (-4.0) ** index
        labels[~mask] = 1e6
        yield {
            "landmarks": rng.uniform(0.5, 1.5, (2, 5, 3)).astype(np.float32),
            "labels": labels.astype(np.float32),
            "mask": mask.astype(np.float32),
            "video": np.zeros(2, np.int64),
        }


def adam(kernel, bias, clip_norm=0.0, rates=(RATE,) * STEPS):
    """Weights after each batch, and the gradients' norms: Kingma and Ba 2015, algorithm 1, in float64."""
    weights = np.concatenate([kernel, bias[None]]).astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    found, norms = [], []
    for number, (batch, rate) in enumerate(zip(batches(), rates, strict=True), start=1):
        scored = batch["mask"] > 0
        x = np.concatenate([batch["landmarks"][scored], np.ones((scored.sum(), 1))], axis=1).astype(np.float64)
        gradient = x.T @ (2 * (x @ weights - batch["labels"][scored])) / (2 * len(x))
        norms.append(np.sqrt(np.sum(gradient**2)))
        if clip_norm:
            gradient = gradient * min(1, clip_norm / norms[-1])
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9**number), second / (1 - 0.999**number)
        weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        found.append(weights)
    return np.array(found), np.array(norms)


def run(model, config, scale=1.0):
    step = TrainStep(model, config, tf.distribute.get_strategy())
    layer = model.get_layer("out")
    found, norms, losses = [], [], []
    for batch in batches(scale):
        loss, norm, *_ = step({name: tf.constant(value) for name, value in batch.items()})()
        found.append(np.concatenate([numpy(layer.kernel), numpy(layer.bias)[None]]))
        norms.append(norm)
        losses.append(loss)
    return np.array(found), np.array(norms), np.array(losses)


@pytest.mark.parametrize("clip_norm", [0.0, 0.5, 30.0])
def test_updates_are_those_of_adam_on_the_clipped_gradient(clip_norm):
    config = replace(CONFIG, clip_norm=clip_norm)
    model = linear_model(config)
    kernel, bias = (numpy(weight).copy() for weight in model.weights)
    expected, expected_norms = adam(kernel, bias, clip_norm)
    found, norms, _ = run(model, config)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-4)  # before clipping
    unclipped, _ = adam(kernel, bias)
    if clip_norm == 30:
        assert expected_norms.min() < 30 < expected_norms.max()
    if clip_norm:
        assert np.abs(unclipped - expected).max() > 0.01  # or this test would not see clipping


def test_the_scheduled_rate_is_the_one_applied():
    config = replace(CONFIG, decay_rate=0.5, decay_steps=2)
    model = linear_model(config)
    expected, _ = adam(*map(numpy, model.weights), rates=[RATE * factor for factor in (1, 1, 0.5, 0.5, 0.25, 0.25)])
    found, _, _ = run(model, config)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_the_loss_returned_is_that_before_the_update():
    model = linear_model(CONFIG)
    kernel, bias = (np.float64(numpy(weight)) for weight in model.weights)
    batch = next(batches())
    scored = batch["mask"] > 0
    errors = batch["landmarks"][scored] @ kernel + bias - batch["labels"][scored]
    _, _, losses = run(model, CONFIG)
    assert losses[0] == pytest.approx(np.mean(errors**2), rel=1e-5)


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 1e-4), (399, 1e-4), (400, 0.97e-4), (799, 0.97e-4), (800, 0.9409e-4), (4000, 7.374241268949282e-05)],
)
def test_the_rate_falls_in_stairs(step, rate):
    optimizer = make_optimizer(TrainingConfig(learning_rate=1e-4, decay_rate=0.97, decay_steps=400))
    optimizer.iterations.assign(step)
    assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-6)


def test_the_outcome_has_the_norms_of_the_new_weights_and_the_next_rate():
    config = replace(CONFIG, decay_rate=0.5, decay_steps=1)
    model = linear_model(config)
    step = TrainStep(model, config, tf.distribute.get_strategy())
    for number, batch in enumerate(batches(), start=1):
        outcome = step({name: tf.constant(value) for name, value in batch.items()})()
        wanted = [np.linalg.norm(numpy(weight)) for weight in model.trainable_variables]
        np.testing.assert_allclose(outcome.weights, wanted, rtol=1e-6)
        assert outcome.learning_rate == pytest.approx(RATE * 0.5**number)


def test_without_decay_the_rate_is_constant():
    optimizer = make_optimizer(TrainingConfig(learning_rate=1e-4, decay_steps=1))
    optimizer.iterations.assign(10_000)
    assert float(optimizer.learning_rate) == pytest.approx(1e-4)


def test_the_optimizer_is_adam_with_the_usual_constants():
    optimizer = make_optimizer(TrainingConfig())
    assert type(optimizer) is keras.optimizers.Adam
    settings = optimizer.get_config()
    assert (settings["beta_1"], settings["beta_2"], settings["epsilon"]) == (0.9, 0.999, 1e-8)
    assert settings["weight_decay"] is None
    assert settings["clipnorm"] is None  # the step clips, by the norm over all weights


def test_loss_scaling_changes_neither_norm_nor_clipping():
    config = replace(CONFIG, clip_norm=0.8, precision="mixed_float16")
    model = linear_model(config)
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    plain = linear_model(replace(config, precision="float32"))
    model.set_weights([weight / 4 for weight in model.get_weights()])
    plain.set_weights(model.get_weights())
    # Small enough that no gradient overflows, of which some are clipped and some are not.
    found, norms, _ = run(model, config, scale=1 / 1024)
    expected, expected_norms, _ = run(plain, config, scale=1 / 1024)
    assert expected_norms.min() < 0.8 < expected_norms.max()
    np.testing.assert_allclose(norms, expected_norms, rtol=0.02)
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert int(model.optimizer.inner_optimizer.iterations) == STEPS


def test_an_overflowing_float16_gradient_updates_nothing():
    config = replace(CONFIG, clip_norm=0.5, precision="mixed_float16")
    model = linear_model(config)
    before = model.get_weights()
    step = TrainStep(model, config, tf.distribute.get_strategy())
    batch = {**next(batches()), "labels": np.full((2, 5, 2), 1e4, np.float32)}
    loss, norm, *_ = step({name: tf.constant(value) for name, value in batch.items()})()
    assert np.isfinite(loss)
    assert not np.isfinite(norm)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("batch_size", 0, "at least 1"),
        ("window", 0, "at least 1"),
        ("steps", -1, "at least 1"),
        ("log_steps", 0, "at least 1"),
        ("checkpoint_steps", 0, "at least 1"),
        ("keep_checkpoints", 0, "at least 1"),
        ("decay_steps", 0, "at least 1"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("decay_rate", -0.5, "above 0"),
        ("checkpoint_minutes", 0.0, "above 0"),
        ("clip_norm", -1.0, "at least 0"),
        ("clip_norm", float("nan"), "at least 0"),
        ("colour_jitter", -0.1, "at least 0"),
        ("landmark_jitter", -0.1, "at least 0"),
        ("precision", "float8", "one of float32, tf32, mixed_bfloat16, mixed_float16"),
    ],
)
def test_bad_settings_are_named(field, value, rule):
    with pytest.raises(UserError, match=rf"^`training\.{field}` must be {rule}\. Received: {value}"):
        training_step.check(replace(TrainingConfig(), **{field: value}))


def test_an_unknown_loss_is_refused_with_the_closest_name():
    with pytest.raises(UserError, match=r"`training\.loss` must be one of .*Did you mean ccc"):
        training_step.check(TrainingConfig(loss="cc"))


def test_good_settings_pass():
    training_step.check(TrainingConfig())
    training_step.check(TrainingConfig(clip_norm=1.0, colour_jitter=0.3, precision="mixed_float16"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            TrainingConfig(batch_size=6),
            r"`training\.batch_size` .* must be a multiple of their number, 4\. Received: 6$",
        ),
        (TrainingConfig(batch_size=8, jit_compile="true"), r"`training\.jit_compile` must be auto or false on several"),
    ],
)
def test_settings_that_several_devices_cannot_use_are_named(config, message):
    training_step.check(config, 1)
    with pytest.raises(UserError, match=message):
        training_step.check(config, 4)


def test_a_batch_that_divides_evenly_is_accepted_on_several_devices():
    training_step.check(TrainingConfig(batch_size=8), 4)


def test_epsilon_is_added_as_tensorflow_1_adds_it():
    """To the root of the second moment, whose bias the rate makes up for: lr sqrt(1 - b2^t) / (1 - b1^t)."""
    assert make_optimizer(TrainingConfig()).epsilon == 1e-8
    config = replace(CONFIG, epsilon=0.5)
    model = linear_model(config)
    layer = model.get_layer("out")
    before = np.concatenate([numpy(layer.kernel), numpy(layer.bias)[None]]).astype(np.float64)
    batch = next(batches())
    TrainStep(model, config, tf.distribute.get_strategy())({name: tf.constant(v) for name, v in batch.items()})
    scored = batch["mask"] > 0
    x = np.concatenate([batch["landmarks"][scored], np.ones((scored.sum(), 1))], axis=1).astype(np.float64)
    gradient = x.T @ (2 * (x @ before - batch["labels"][scored])) / (2 * len(x))
    rate = RATE * np.sqrt(1 - 0.999) / (1 - 0.9)
    expected = before - rate * 0.1 * gradient / (np.sqrt(0.001) * np.abs(gradient) + 0.5)
    found = np.concatenate([numpy(layer.kernel), numpy(layer.bias)[None]])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def penalised_model():
    """A convolution, a hidden layer and an output, on 4 x 4 images."""
    keras.utils.set_random_seed(1)
    entrance = keras.Input((4, 4, 3), name="frames")
    x = keras.layers.Conv2D(2, 3, name="conv1")(entrance)
    x = keras.layers.Dense(5, activation="relu", name="fc1")(keras.layers.Flatten()(x))
    return keras.Model([entrance], keras.layers.Dense(2, name="out")(x))


@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
def test_the_penalty_adds_its_own_gradient_to_that_of_the_loss(clip_norm):
    """l2 / 2 times the sum of squares of two kernels, as TF-Slim has it; the loss that is returned is without it."""
    l2 = 0.3
    config = TrainingConfig(loss="mse", l2=l2, clip_norm=clip_norm)
    model = penalised_model()
    assert [w.path for w in training_step.penalised_weights(model)] == ["conv1/kernel", "fc1/kernel"]
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(3, 4, 4, 3)).astype("float32")
    labels, mask = rng.normal(size=(3, 2)).astype("float32"), np.ones(3, "float32")
    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(frames) - labels) ** 2)
        kernels = (model.get_layer("conv1").kernel, model.get_layer("fc1").kernel)
        total = loss + sum(l2 * tf.nn.l2_loss(kernel.value) for kernel in kernels)
    gradients = tape.gradient(total, [weight.value for weight in weights])
    norm = float(tf.linalg.global_norm(gradients))
    factor = min(1, clip_norm / norm) if clip_norm else 1
    # Plain gradient descent shows the gradient itself.
    model.compile(optimizer=keras.optimizers.SGD(1.0), auto_scale_loss=False)
    model.optimizer.build(weights)
    before = [numpy(weight).copy() for weight in weights]
    batch = {"frames": frames, "labels": labels, "mask": mask}
    found = TrainStep(model, config, tf.distribute.get_strategy())({k: tf.constant(v) for k, v in batch.items()})()
    assert found[:2] == (pytest.approx(float(loss), rel=1e-5), pytest.approx(norm, rel=1e-5))
    # Norms of each weight's gradient before clipping, and of each weight after the update.
    np.testing.assert_allclose(found.gradients, [np.linalg.norm(each) for each in gradients], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.weights, [np.linalg.norm(numpy(each)) for each in weights], rtol=1e-5)
    for weight, old, gradient in zip(weights, before, gradients, strict=True):
        np.testing.assert_allclose(numpy(weight), old - factor * gradient.numpy(), rtol=1e-4, atol=1e-6)


def test_the_graph_without_translated_python_has_the_same_operations_in_the_same_order():
    config = replace(CONFIG, clip_norm=1.0)
    step, batch = TrainStep(linear_model(config), config, tf.distribute.get_strategy()), next(batches())
    fed = step._fed({name: tf.constant(value) for name, value in batch.items()})

    def operations(translated):
        graph = tf.function(step._run, autograph=translated).get_concrete_function(*fed).graph
        return [(node.op, list(node.input)) for node in graph.as_graph_def().node]

    assert operations(True) == operations(False)
    assert len(operations(False)) > 50
