"""Folded networks compute what the network does, with less, and nothing of the network changes."""

import gc
import weakref

import keras
import numpy as np
import pytest

from affwildnet.experiments.config import ModelConfig
from affwildnet.models import build
from affwildnet.models.folding import FoldedAttention, fold, refold
from affwildnet.models.streaming import with_states
from tests.helpers.networks import numpy

FIELDS = {"width": 0.05, "image_size": 32, "recurrent_dropout": 0.0, "attention": 3}
FRAMES = np.random.default_rng(3).integers(0, 256, (2, 7, 32, 32, 3), dtype=np.uint8)


def random_network(**fields):
    """A network whose weights, biases included, are all random."""
    keras.utils.set_random_seed(1)
    model = build(ModelConfig(**{**FIELDS, **fields}))
    for weight in model.trainable_variables:
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.05))
    return model


@pytest.mark.parametrize("recurrent", ["gru", "lstm", "indrnn"])
def test_predictions_are_those_of_the_network(recurrent):
    model = random_network(recurrent=recurrent)
    before = model.get_weights()
    folded = fold(model)
    assert [type(layer) for layer in folded.layers].count(FoldedAttention) == 1
    np.testing.assert_allclose(numpy(folded(FRAMES)), numpy(model(FRAMES)), atol=2e-6)
    for weight, value in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_video_frame_by_frame_gives_the_same():
    model = random_network(recurrent="gru")
    stateful = with_states(fold(model))
    states, outputs = stateful.initial_states(2), []
    for frame in range(FRAMES.shape[1]):
        output, states = stateful([keras.ops.convert_to_tensor(FRAMES[:, frame : frame + 1])], states)
        outputs.append(numpy(output))
    np.testing.assert_allclose(np.concatenate(outputs, axis=1), numpy(model(FRAMES)), atol=1e-5)


def test_the_large_products_are_gone():
    model = random_network(recurrent="gru")
    features = model.get_layer("attention").input_kernel.shape[0]
    shapes = [tuple(weight.shape) for weight in fold(model).get_layer("attention").weights]
    # W1' is (units, features): its product with K was a tenth of a step with states.
    assert [shape for shape in shapes if features in shape] == [(features, 3 * 6)]  # W1 K, and neither W1 nor K


def test_what_is_folded_into_the_loop_is_the_same_bit_for_bit():
    attention = random_network(recurrent="gru").get_layer("attention")
    folded = FoldedAttention.from_config(attention.get_config())
    folded.build((None, None, attention.input_kernel.shape[0]))
    folded.take_weights(attention)
    projected = np.random.default_rng(4).normal(size=(2, 18)).astype("float32")
    states = [np.full((2, *shape), 0.25, "float32") for shape in attention.state_shapes]
    (own, own_states), (other, other_states) = (each.recurrence()(projected, states) for each in (folded, attention))
    for found, expected in zip([own, *own_states], [other, *other_states], strict=True):
        np.testing.assert_array_equal(numpy(found), numpy(expected))


def test_a_folded_network_is_saved_and_loaded(tmp_path):
    folded = fold(random_network(recurrent="gru"))
    folded.save(tmp_path / "folded.keras")
    loaded = keras.models.load_model(tmp_path / "folded.keras")
    np.testing.assert_array_equal(numpy(loaded(FRAMES)), numpy(folded(FRAMES)))


def test_later_weights_are_folded_again():
    model = random_network(recurrent="gru")
    folded = fold(model)
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    refold(folded, model)
    np.testing.assert_allclose(numpy(folded(FRAMES)), numpy(model(FRAMES)), atol=5e-6)


def mixed_network(policy="mixed_bfloat16", **fields):
    keras.config.set_dtype_policy(policy)
    try:
        return random_network(**fields)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ("mixed_bfloat16", {"backbone": "vgg16", "attention": 0, "recurrent": "gru"}),
        ("mixed_bfloat16", {"backbone": "resnet50", "attention": 0, "recurrent": "none"}),
        ("mixed_bfloat16", {"backbone": "cnn_m", "attention": 0, "recurrent": "gru", "separate": True}),
        ("mixed_float16", {"backbone": "cnn_m", "attention": 0, "recurrent": "none"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["backbone"],
)
def test_weights_of_mixed_precision_are_rounded_once_and_predictions_stay_bit_for_bit(policy, fields):
    model = mixed_network(policy, **fields)
    folded = fold(model)
    for _ in range(2):
        expected, found = (
            keras.ops.convert_to_numpy(network({"frames": FRAMES}, training=False)) for network in (model, folded)
        )
        assert np.ptp(expected) > 0
        np.testing.assert_array_equal(found, expected)
        model.set_weights([weight * 1.25 for weight in model.get_weights()])  # those of another checkpoint
        refold(folded, model)
    low = policy.removeprefix("mixed_")
    stored = {type(layer): {weight.dtype for weight in layer.weights} for layer in folded.layers if layer.weights}
    assert stored.pop(keras.layers.Conv2D) == {low}
    assert folded.get_layer(next(layer.name for layer in model.layers if "fc1" in layer.name)).kernel.dtype == low
    assert stored.get(keras.layers.BatchNormalization, {"float32"}) == {"float32"}
    assert {weight.dtype for weight in folded.layers[-1].weights} <= {"float32"}
    assert fold(folded) is folded


def test_the_attention_of_mixed_precision_is_folded_as_that_of_float32():
    model = mixed_network(recurrent="gru")
    plain = random_network(recurrent="gru")
    plain.set_weights(model.get_weights())
    own, other = (fold(network).get_layer("attention") for network in (model, plain))
    for weight, expected in zip(own.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    np.testing.assert_allclose(numpy(fold(model)(FRAMES)), numpy(model(FRAMES)), atol=2e-6)


def test_nothing_holds_on_to_the_float32_weights():
    model = mixed_network(attention=0, recurrent="gru")
    folded, gone = fold(model), weakref.ref(model.get_layer("fc1"))
    own, whole = (sum(weight.nbytes for weight in network.get_weights()) for network in (folded, model))
    del model
    gc.collect()
    assert gone() is None
    assert 0.5 <= own / whole < 0.6
    assert folded({"frames": FRAMES}).shape == (2, 7, 2)


def test_a_network_without_attention_is_returned_as_it_is():
    model = random_network(attention=0, recurrent="gru")
    assert fold(model) is model
