"""A network divided where training begins: both parts together compute what the whole does, bit for bit."""

from dataclasses import replace
from fnmatch import fnmatchcase

import keras
import numpy as np
import pytest

from affwildnet import models
from affwildnet.experiments.config import ModelConfig
from affwildnet.models.frozen_part import boundary, divide
from tests.helpers.networks import SMALL, inputs, numpy, randomised

GRU = replace(SMALL, backbone="vgg16", recurrent_units=(12, 12), dropout=0.4)
HEAD = ("fc*", "*gru*", "valence_arousal")
TAPS = replace(GRU, rnn_inputs=("pool2", "pool5", "fc"))
NETWORKS = {
    # name: the network, what is trained of it, and the values of a frame that the rest reads
    "hidden layers": (GRU, HEAD, 26),
    "the last convolution too": (GRU, ("conv13", *HEAD), 4 * 26),
    "hidden layers frozen too": (GRU, ("*gru*", "valence_arousal"), 26),  # as the landmarks reach them
    "without landmarks": (replace(GRU, landmarks=False), ("*gru*", "valence_arousal"), 8),
    "several taps": (TAPS, HEAD, 8 * 8 * 6 + 26 + 26),
    "attention": (
        replace(GRU, hidden=(), attention=5, recurrent_dropout=0.0),
        ("attention", "valence_arousal"),
        26,
    ),
    "batch normalisation": (replace(GRU, backbone="cnn_m"), HEAD, 26),
    "two networks": (ModelConfig(members=(GRU, TAPS), width=0.05, image_size=32, hidden=()), ("*fc*", *HEAD), None),
    "one for each output": (replace(GRU, separate=True), ("*fc*", "*gru*", "valence", "arousal"), 2 * 26),
}


def frozen(config, trained):
    model = randomised(models.build(config))
    for layer in model.layers:
        layer.trainable = any(fnmatchcase(layer.name, pattern) for pattern in trained)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_both_parts_together_are_the_network(name):
    config, trained, width = NETWORKS[name]
    model = frozen(config, trained)
    before = model.get_config()
    divided = divide(model)
    assert divided.width == (width or divided.width)
    reads = config.members[0] if config.members else config
    data = inputs(replace(SMALL, landmarks=reads.landmarks), batch=2, steps=5)
    features = numpy(divided.features(data["frames"].reshape(10, 32, 32, 3)))
    assert features.shape == (10, divided.width)
    assert features.dtype == np.float32
    assert np.ptp(features, axis=0).any()
    given = {**data, "frame_features": features.reshape(2, 5, -1)}
    del given["frames"]
    states = [variable.value.numpy() for variable in model.non_trainable_variables]
    for training in (False, True):
        keras.utils.set_random_seed(3)
        reset(model, states)
        whole = numpy(model(data, training=training))
        reset(model, states)
        assert np.array_equal(numpy(divided.rest(given, training=training)), whole)
    # A frame's features do not depend on what stands beside it, and what is saved is the network as it was.
    assert np.array_equal(numpy(divided.features(data["frames"][1, 2:3])), features[7:8])
    assert model.get_config() == before
    trainable = {id(weight) for weight in model.trainable_weights}
    assert {id(weight) for weight in divided.rest.trainable_weights} == trainable
    assert not divided.frozen.trainable_weights


def reset(model, states):
    """Set dropout's random states, which each call moves on, and the moving statistics."""
    for variable, value in zip(model.non_trainable_variables, states, strict=True):
        variable.assign(value)


@pytest.mark.parametrize(
    ("config", "trained"),
    [
        (GRU, ("*",)),
        (GRU, ("conv1", *HEAD)),  # nothing with weights is frozen below it
        (replace(GRU, backbone="cnn_m"), ("conv1", *HEAD)),
        (
            ModelConfig(members=(GRU, GRU), width=0.05, image_size=32, hidden=()),
            ("net2_*", *HEAD),
        ),  # one is trained whole
    ],
)
def test_there_is_no_frozen_part_below_what_is_trained_first(config, trained):
    model = frozen(config, trained)
    assert boundary(model) == []
    assert divide(model) is None


def test_the_fingerprint_is_of_weights_and_preprocessing_and_survives_saving(tmp_path):
    model = frozen(GRU, HEAD)
    before = divide(model).fingerprint()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert divide(loaded).fingerprint() == before
    loaded.get_layer("fc1").bias.assign_add(np.ones(8, "float32"))
    assert divide(loaded).fingerprint() == before
    loaded.get_layer("conv2").bias.assign_add(np.full(3, 1e-6, "float32"))
    assert divide(loaded).fingerprint() != before
    other = replace(GRU, pixel_mean=(127.5, 128.0, 128.0))
    again = frozen(other, HEAD)
    again.set_weights(model.get_weights())
    assert divide(again).fingerprint() != before
