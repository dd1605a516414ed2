"""Folded networks compute what the network does, with less, and nothing of the network changes."""

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


def test_the_large_product_is_gone():
    model = random_network(recurrent="gru")
    features = model.get_layer("attention").input_kernel.shape[0]
    shapes = [tuple(weight.shape) for weight in fold(model).get_layer("attention").weights]
    assert (features, features) not in shapes
    assert (features, 3 * 6) in shapes


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


def test_a_network_without_attention_is_returned_as_it_is():
    model = random_network(attention=0, recurrent="gru")
    assert fold(model) is model
