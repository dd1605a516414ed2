"""Augmentation: flip and colours alike in all frames of a window, noise on every landmark; eager and in tf.data."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.data.augmentation import augment, jitter, mirror
from tfrecords_tools.records import schema

STEPS, SIDE = 3, 32


def window(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "frames": tf.constant(rng.integers(0, 256, (STEPS, SIDE, SIDE, 3), np.uint8)),
        "landmarks": tf.constant(rng.random((STEPS, 68, 2), np.float32)),
        "labels": tf.constant(rng.random((STEPS, 2), np.float32)),
    }


def in_eager_mode(change, example):
    return {name: value.numpy() for name, value in change(example).items()}


def inside_tf_data(change, example):
    dataset = tf.data.Dataset.from_tensors(example).map(change)
    for name, spec in dataset.element_spec.items():
        assert spec.shape == example[name].shape
    return next(dataset.as_numpy_iterator())


BOTH = pytest.mark.parametrize("apply", [in_eager_mode, inside_tf_data])


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


@BOTH
def test_mirroring_reverses_the_pixels_and_exchanges_left_and_right(apply):
    example = window()
    got = apply(mirror, example)
    np.testing.assert_array_equal(got["frames"], example["frames"].numpy()[:, :, ::-1])
    assert got["frames"].dtype == np.uint8
    assert got["landmarks"].dtype == np.float32
    landmarks = example["landmarks"].numpy()
    for left, right in [(0, 16), (36, 45), (31, 35), (48, 54), (30, 30)]:
        np.testing.assert_allclose(got["landmarks"][:, left, 0], 1 - landmarks[:, right, 0], rtol=1e-6)
        np.testing.assert_array_equal(got["landmarks"][:, left, 1], landmarks[:, right, 1])
    np.testing.assert_array_equal(got["labels"], example["labels"])


@BOTH
def test_mirroring_twice_changes_nothing(apply):
    example = window()
    got = apply(lambda e: mirror(mirror(e)), example)
    np.testing.assert_array_equal(got["frames"], example["frames"])
    np.testing.assert_allclose(got["landmarks"], example["landmarks"], atol=1e-6)


@pytest.mark.parametrize(("x", "y"), [(3, 20), (16, 0), (31, 31)])
def test_a_mirrored_dot_lies_under_its_mirrored_landmark(x, y):
    example = window()
    frames = np.zeros((STEPS, SIDE, SIDE, 3), np.uint8)
    frames[:, y, x] = 255
    landmarks = np.zeros((STEPS, 68, 2), np.float32)
    landmarks[:, 36] = (np.array((x, y)) + 0.5) / SIDE
    got = in_eager_mode(mirror, {**example, "frames": tf.constant(frames), "landmarks": tf.constant(landmarks)})
    place = got["landmarks"][:, schema.MIRRORED[36]] * SIDE - 0.5
    for image, (column, row) in zip(got["frames"], place.round().astype(int), strict=True):
        assert image[row, column, 0] == 255
        assert image.astype(int).sum() == 3 * 255


def states(number=400, seed=7):
    return [(seed, epoch, index) for epoch in range(4) for index in range(number // 4)]


@BOTH
def test_without_augmentation_nothing_changes(apply):
    example = window()
    for state in states(8):
        assert_equal(apply(lambda e, s=state: augment(e, s, flip=False, colour_jitter=0.0), example), example)


@BOTH
def test_half_of_the_windows_are_mirrored_and_these_wholly(apply):
    example = window()
    mirrored = in_eager_mode(mirror, example)
    all_states = tf.constant(states(200 if apply is in_eager_mode else 80), tf.int64)
    if apply is in_eager_mode:
        results = [in_eager_mode(lambda e, s=s: augment(e, s, True, 0.0), example) for s in all_states.numpy()]
    else:
        dataset = tf.data.Dataset.from_tensor_slices(all_states)
        change = lambda state: augment(example, tuple(tf.unstack(state)), True, 0.0)  # noqa: E731
        results = list(dataset.map(change).as_numpy_iterator())
    turned = [not np.array_equal(result["frames"], example["frames"]) for result in results]
    for result, is_turned in zip(results, turned, strict=True):
        assert_equal(result, mirrored if is_turned else {name: value.numpy() for name, value in example.items()})
    assert 0.35 < np.mean(turned) < 0.65


@BOTH
def test_the_draw_follows_from_seed_epoch_and_window(apply):
    example = window()

    def draw(state):
        return apply(lambda e: augment(e, state, True, 0.5), example)["frames"]

    first = draw((1, 2, 3))
    np.testing.assert_array_equal(first, draw((1, 2, 3)))
    for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (2, 1, 3), (1, 3, 2)]:
        assert (draw(other) != first).any()


def test_eager_mode_and_tf_data_draw_the_same():
    example = window()
    for state in states(12):
        change = lambda e, s=state: augment(e, s, True, 0.3)  # noqa: E731
        assert_equal(inside_tf_data(change, example), in_eager_mode(change, example))


@BOTH
def test_brightness_and_contrast_are_those_of_the_formula(apply):
    example = window()
    frames = example["frames"].numpy().astype(np.float64)
    for brightness, contrast in [(1.0, 1.0), (1.2, 1.0), (1.0, 0.7), (0.8, 1.3)]:
        got = apply(lambda e, b=brightness, c=contrast: {**e, "frames": jitter(e["frames"], b, c)}, example)["frames"]
        expected = ((frames - frames.mean()) * contrast + frames.mean()) * brightness
        assert got.dtype == np.uint8
        np.testing.assert_allclose(got, expected.round().clip(0, 255), atol=1)


def test_the_jitter_stays_in_its_bounds_and_uses_them():
    frames = np.full((STEPS, SIDE, SIDE, 3), 100, np.uint8)  # contrast leaves a flat image, brightness scales it
    example = {**window(), "frames": tf.constant(frames)}
    levels = []
    for state in states(300):
        got = augment(example, state, False, 0.2)
        assert len(np.unique(got["frames"])) == 1
        levels.append(int(got["frames"][0, 0, 0, 0]))
        np.testing.assert_array_equal(got["landmarks"], example["landmarks"])
    assert 80 <= min(levels) <= 83
    assert 117 <= max(levels) <= 120
    assert 95 < np.mean(levels) < 105
    half = [0, 200]  # about this mean of 100, contrast scales the distance of 100
    frames = np.broadcast_to(np.array(half, np.uint8)[:, None, None], (STEPS, SIDE, 2, SIDE // 2, 3)).reshape(
        STEPS, SIDE, SIDE, 3
    )
    spreads = []
    for state in states(300):
        low, high = np.unique(augment({**example, "frames": tf.constant(frames)}, state, False, 0.2)["frames"])
        spreads.append((int(high) - int(low)) / (int(high) + int(low)))
    assert min(spreads) >= 0.79
    assert max(spreads) <= 1
    # Brightness and contrast are drawn independently.
    both = np.array([levels, spreads])[:, np.array(spreads) < 1 - 1e-6]  # above 1, contrast is cut off at black
    assert both.shape[1] > 100
    assert abs(np.corrcoef(both)[0, 1]) < 0.3


def test_contrast_is_about_the_mean_of_the_whole_window():
    # Each frame is flat: about its own mean, contrast would change nothing.
    levels = np.array([40, 100, 160])
    frames = tf.constant(np.broadcast_to(levels[:, None, None, None], (STEPS, SIDE, SIDE, 3)).astype(np.uint8))
    got = jitter(frames, 1.0, 0.5).numpy()
    assert [np.unique(frame).tolist() for frame in got] == [[70], [100], [130]]


def noise(state, deviation=0.01):
    """Return (T, 68, 2): what the jitter adds to the landmarks of a window."""
    example = window()
    got = augment(example, state, flip=False, colour_jitter=0.0, landmark_jitter=deviation)
    np.testing.assert_array_equal(got["frames"], example["frames"])
    return got["landmarks"].numpy() - example["landmarks"].numpy()


def test_each_coordinate_of_each_landmark_of_each_frame_has_noise_of_its_own():
    drawn = np.concatenate([noise(state) for state in states(200)])  # (600, 68, 2)
    assert np.std(drawn) == pytest.approx(0.01, rel=0.05)
    assert np.abs(drawn.mean((0, 1))).max() < 0.001
    flat = noise((1, 2, 3)).reshape(STEPS, -1)
    for one, other in [(flat[0], flat[1]), (flat[1], flat[2]), (flat[:, ::2], flat[:, 1::2]), (flat[:, 0], flat[:, 4])]:
        assert (one != other).all()
    # No part of the noise is common to a frame, a landmark or a coordinate: means shrink as those of independent draws.
    for axes in [(1, 2), (0, 2), (0, 1)]:
        of_window = noise((1, 2, 3))
        size = np.prod([of_window.shape[axis] for axis in axes])
        assert np.std(of_window.mean(axes)) < 4 * 0.01 / np.sqrt(size)


def test_the_noise_follows_from_seed_epoch_and_window():
    np.testing.assert_array_equal(noise((1, 2, 3)), noise((1, 2, 3)))
    for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4)]:
        assert (noise(other) != noise((1, 2, 3))).mean() > 0.9
