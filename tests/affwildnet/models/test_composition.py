"""Networks with several recurrent stacks, networks made of several, and the places of landmarks and dropout."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet.experiments.networks import NETWORKS
from affwildnet.models import build, fit_landmarks, fuse_decisions
from affwildnet.models.cost import parameters
from tests.helpers.networks import SMALL, inputs, numpy, outputs_of, randomised
from tfrecords_tools.errors import UserError

TINY = {"image_size": 32, "width": 0.05}


def small(name, **changes):
    return replace(NETWORKS[name], **TINY, **changes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(sequence, layer):
    """The TensorFlow 1 form, step by step in float64 (thesis section 2.3.7)."""
    kernel, recurrent, bias = (numpy(weight).astype("float64") for weight in layer.weights)
    units = recurrent.shape[0]
    h = np.zeros((len(sequence), units))
    states = []
    for t in range(sequence.shape[1]):
        x = sequence[:, t].astype("float64") @ kernel + bias
        gates = sigmoid(x[:, : 2 * units] + h @ recurrent[:, : 2 * units])
        z, r = gates[:, :units], gates[:, units:]
        c = np.tanh(x[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
        h = z * h + (1 - z) * c
        states.append(h)
    return np.stack(states, axis=1)


def stack(model, prefix, sequence):
    return gru(gru(sequence, model.get_layer(f"{prefix}gru1")), model.get_layer(f"{prefix}gru2"))


def flat(model, tap, data, batch=2, steps=5):
    return outputs_of(model, tap, data).reshape(batch, steps, -1)


def dense(model, name, x):
    layer = model.get_layer(name)
    return x @ numpy(layer.kernel).astype("float64") + numpy(layer.bias)


def relu(x):
    return np.maximum(x, 0)


# Several recurrent stacks (omg2019 section 5.3).


def test_cnn_3rnn():
    config = small("cnn_3rnn")
    model, data = randomised(build(config)), inputs(config)
    stacks = [
        stack(model, f"{tap}_", flat(model, layer, data))
        for tap, layer in [("pool2", "pool2"), ("pool5", "pool5"), ("fc", "fc1")]
    ]
    expected = dense(model, "valence_arousal", np.concatenate(stacks, axis=-1))
    np.testing.assert_allclose(numpy(model(data)), expected, atol=1e-5)


def test_cnn_1rnn():
    config = small("cnn_1rnn")
    model, data = randomised(build(config)), inputs(config)
    taps = np.concatenate([flat(model, layer, data) for layer in ("pool2", "pool5", "fc1")], axis=-1)
    expected = dense(model, "valence_arousal", stack(model, "", taps))
    np.testing.assert_allclose(numpy(model(data)), expected, atol=1e-5)


def test_joined_by_a_hidden_layer():
    config = small("cnn_2rnn_1fc")
    model, data = randomised(build(config)), inputs(config)
    stacks = [stack(model, f"{tap}_", flat(model, layer, data)) for tap, layer in [("pool5", "pool5"), ("fc", "fc1")]]
    joined = relu(dense(model, "joined_fc1", np.concatenate(stacks, axis=-1)))
    np.testing.assert_allclose(numpy(model(data)), dense(model, "valence_arousal", joined), atol=1e-5)


@pytest.mark.parametrize(
    "entries", [("conv8", "pool5", "fc"), ("conv3", "conv7", "fc"), ("conv6+conv13", "features"), ("conv1+pool3+fc",)]
)
def test_any_tap_feeds_a_stack(entries):
    config = small("cnn_3rnn", rnn_inputs=entries)
    model, data = build(config), inputs(config)
    for entry in entries:
        widths = [np.prod(flat(model, {"fc": "fc1"}.get(tap, tap), data).shape[2:]) for tap in entry.split("+")]
        prefix = f"{entry.replace('+', '_')}_" if len(entries) > 1 else ""
        assert model.get_layer(f"{prefix}gru1").input.shape[-1] == sum(widths)
    assert numpy(model(data)).shape == (2, 5, 2)


def test_only_the_hidden_layer_reads_landmarks():
    config = small("cnn_3rnn")
    model, data = build(config), inputs(config)
    moved = {**data, "landmarks": data["landmarks"] + 0.3}
    for layer, changes in [("pool2_gru2", False), ("pool5_gru2", False), ("fc_gru2", True)]:
        assert np.any(outputs_of(model, layer, data) != outputs_of(model, layer, moved)) == changes


# Landmarks and dropout.


def test_landmarks_join_the_second_hidden_layer():
    config = replace(SMALL, hidden=(160, 120), recurrent="none", landmarks_join=2)
    model, data = build(config), inputs(config)
    joined = outputs_of(model, "fc1_landmarks", data)
    np.testing.assert_array_equal(joined[:, :8], outputs_of(model, "fc1", data))
    np.testing.assert_array_equal(joined[:, 8:], data["landmarks"].reshape(10, 136))
    expected = relu(dense(model, "fc2", joined))
    np.testing.assert_allclose(outputs_of(model, "fc2", data), expected, atol=1e-5)


def test_encoded_landmarks():
    config = small("cnn_3rnn_encoded_landmarks")
    model, data = randomised(build(config)), inputs(config)
    encoded = relu(dense(model, "landmark_fc", data["landmarks"].reshape(10, 136)))
    assert encoded.shape == (10, 51)
    joined = np.concatenate([outputs_of(model, "features", data), encoded], axis=1)
    np.testing.assert_allclose(outputs_of(model, "features_landmarks", data), joined, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg_face", {"fc1_dropout": 0.5}),
        ("cvprw_vgg", {f"{dimension}_fc{i}_dropout": 0.5 for dimension in ("valence", "arousal") for i in (1, 2, 3)}),
        ("affwildnet_vggface", {"fc1_dropout": 0.5, "gru1_dropout": 0.5}),
        ("omg_affwildnet", {"fc1_dropout": 0.5, "gru1_dropout": 0.2}),
    ],
)
def test_dropout_is_that_of_the_paper(name, expected):
    rates = {layer.name: layer.rate for layer in build(small(name)).layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == pytest.approx(expected)


def test_dropout_after_the_last_recurrent_layer():
    model = build(small("cvprw_gru"))
    rates = sorted(layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    assert rates == [0.5] * 6  # fc1, first and second GRU, twice (cvprw2017 table 3)


# A network for each dimension (cvprw2017 section 4.1).


def test_separate_networks():
    config = small("cvprw_gru")
    model, data = randomised(build(config)), inputs(config)
    before = numpy(model(data))
    alone = build(replace(config, separate=False))
    for layer in alone.layers:
        if layer.weights and layer.name != "valence_arousal":
            layer.set_weights(model.get_layer(f"arousal_{layer.name}").get_weights())
    sequence = keras.Model(alone.inputs, alone.get_layer("valence_arousal").input)(data)
    np.testing.assert_allclose(before[..., 1:], dense(model, "arousal", numpy(sequence)), atol=1e-5)
    for weight in model.weights:
        if weight.path.startswith("valence_"):
            weight.assign(weight + 0.01)
    after = numpy(model(data))
    assert np.all(after[..., 0] != before[..., 0])
    np.testing.assert_array_equal(after[..., 1], before[..., 1])


def test_separate_networks_start_from_different_weights():
    model = build(small("cvprw_vgg"))
    assert not np.allclose(model.get_layer("valence_conv2").kernel, model.get_layer("arousal_conv2").kernel)


def test_landmark_statistics_of_both_networks():
    config = small("cvprw_gru", standardise_landmarks=True)
    model = build(config)
    landmarks = inputs(config)["landmarks"].reshape(10, 68, 2)
    fit_landmarks(model, landmarks)
    for dimension in ("valence", "arousal"):
        mean = model.get_layer(f"{dimension}_standardise_landmarks").mean
        np.testing.assert_allclose(np.ravel(mean), landmarks.reshape(10, -1).mean(axis=0), atol=1e-6)


# Fusion (omg2019 section 5.4).


def member(model, index, data):
    """The outputs of all recurrent stacks of a fused network's member, in NumPy."""
    if index == 1:
        taps = np.concatenate([flat(model, f"net1_{tap}", data) for tap in ("pool2", "pool5", "fc1")], axis=-1)
        return stack(model, "net1_", taps)
    pairs = [("pool2", "pool2"), ("pool5", "pool5"), ("fc", "fc1")]
    stacks = [stack(model, f"net2_{tap}_", flat(model, f"net2_{layer}", data)) for tap, layer in pairs]
    return np.concatenate(stacks, axis=-1)


def test_model_level_fusion():
    data = inputs(SMALL)
    for name in ("model_fusion_fc", "model_fusion_rnn"):
        model = randomised(build(small(name)))
        together = np.concatenate([member(model, index, data) for index in (1, 2)], axis=-1)
        if name == "model_fusion_fc":
            fused = relu(dense(model, "joined_fc1", together))
        else:
            fused = gru(together, model.get_layer("gru1"))
        np.testing.assert_allclose(numpy(model(data)), dense(model, "valence_arousal", fused), atol=1e-5)


def test_decision_level_fusion_starts_with_equal_weights():
    data = inputs(SMALL)
    model = randomised(build(small("decision_fusion")))
    model.get_layer("valence_arousal").shares.assign(np.ones((2, 2)))
    predictions = [dense(model, f"net{i}_valence_arousal", member(model, i, data)) for i in (1, 2)]
    np.testing.assert_allclose(numpy(model(data)), np.mean(predictions, axis=0), atol=1e-5)


def linear_network(seed):
    """A network that is one matrix from pixels to valence and arousal."""
    frames = keras.Input((None, 8, 8, 3), dtype="uint8", name="frames")
    pixels = keras.layers.Reshape((-1, 8 * 8 * 3))(keras.layers.Rescaling(1 / 255, name="normalise")(frames))
    model = keras.Model([frames], keras.layers.Dense(2, name="valence_arousal")(pixels))
    return randomised(model, seed)


def test_trained_networks_fused_by_their_ccc():
    models = [linear_network(seed) for seed in range(3)]
    ccc = np.array([[0.4, 0.1], [0.5, 0.3], [0.1, 0.2]])
    fused = fuse_decisions(models, ccc)
    data = {"frames": np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), "uint8")}
    predictions = [numpy(model(data)) for model in models]
    expected = sum(own * weights for own, weights in zip(predictions, ccc, strict=True)) / ccc.sum(axis=0)
    np.testing.assert_allclose(numpy(fused(data)), expected, atol=1e-5)
    assert np.abs(expected - np.mean(predictions, axis=0)).min() > 1e-4  # or equal weights would pass
    assert not fused.get_layer("valence_arousal").trainable_weights


@pytest.mark.slow
def test_published_networks_can_be_fused():
    models = [
        randomised(build(small(name)), seed) for seed, name in enumerate(["cnn_1rnn", "cnn_3rnn", "cnn2_to_1rnn"])
    ]
    fused, data = fuse_decisions(models, np.ones((3, 2))), inputs(SMALL)
    expected = np.mean([numpy(model(data)) for model in models], axis=0)
    np.testing.assert_allclose(numpy(fused(data)), expected, atol=1e-5)


def test_fused_with_and_without_landmarks():
    models = [build(small("affwildnet_vggface_no_landmarks")), build(small("affwildnet_vggface"))]
    fused = fuse_decisions(models, np.array([[0.5, 0.5], [0.5, 0.5]]))
    data = inputs(SMALL)
    expected = (numpy(models[0]({"frames": data["frames"]})) + numpy(models[1](data))) / 2
    np.testing.assert_allclose(numpy(fused(data)), expected, atol=1e-6)


@pytest.mark.parametrize("ccc", [[[0.5, 0.0], [0.5, 0.5]], [[0.5, 0.5]], [[0.5, np.nan], [0.5, 0.5]]])
def test_fusing_needs_a_good_ccc_of_each(ccc):
    models = [build(small("affwildnet_vggface"))] * 2
    with pytest.raises(UserError, match="needs a CCC above 0 of valence and arousal for each network"):
        fuse_decisions(models, np.array(ccc))


def test_fused_networks_have_one_crop():
    models = [build(small("affwildnet_vggface")), build(replace(small("affwildnet_vggface"), image_size=48))]
    with pytest.raises(UserError, match=r"frames of one size\. Received: .*32, 32.*48, 48"):
        fuse_decisions(models, np.full((2, 2), 0.5))


# Larger crops.


def test_crops_of_224_pixels():
    config = replace(NETWORKS["vgg_face_no_landmarks"], image_size=224)
    features = 7 * 7 * 512
    counted = 14_714_688 + (features + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 2
    assert parameters(config) == counted
    config = replace(config, width=0.05)
    assert numpy(build(config)(inputs(config, batch=1, steps=2))).shape == (1, 2, 2)
