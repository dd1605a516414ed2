"""Checkpoints: written whole or not at all, with everything that a resumed run needs; and which are kept."""

import errno
import json
import os
import tempfile
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.runs import card as model_card
from affwildnet.runs import checkpoints
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import TrainingState
from affwildnet.training.step import TrainStep
from tests.helpers.networks import inputs, numpy
from tests.helpers.trainings import TINY, plain_model, tiny, tiny_model, truncate
from tfrecords_tools.errors import UserError

DATA = np.linspace(-1, 1, 40, dtype=np.float32).reshape(2, 20)


@pytest.fixture(scope="module")
def model():
    return plain_model()


def state(step=1, **fields):
    return TrainingState(step, 3, 14, 15, **fields)


def saved(model, folder, steps, keep=100):
    return [checkpoints.save(model, state(step), folder, keep) for step in steps]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_what_is_loaded(tmp_path):
    without_recurrence = replace(TINY, model=replace(TINY.model, recurrent="none"))
    model = tiny_model(without_recurrence)
    data = inputs(TINY.model, steps=4)
    batch = {**data, "labels": np.float32([[[0.1, 0.2]] * 4, [[-0.4, 0.3]] * 4]), "mask": np.ones((2, 4), np.float32)}
    step = TrainStep(model, tiny(loss="mse").training, tf.distribute.get_strategy())
    for _ in range(3):
        step({name: tf.constant(value) for name, value in batch.items()})
    path = checkpoints.save(model, state(3), tmp_path, keep=1)
    expected = [numpy(model(data, training=True)) for _ in range(2)]  # draws from the state that was saved

    loaded, found = checkpoints.resume(tmp_path)
    assert (found.step, found.epoch, found.window, found.seed) == (3, 3, 14, 15)
    assert path == tmp_path / "step-00000003.keras"
    drawn = [numpy(loaded(data, training=True)) for _ in range(2)]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3  # dropout moves on
    np.testing.assert_allclose(drawn, expected, rtol=1e-6, atol=1e-7)
    variables = dict(zip([v.path for v in model.optimizer.variables], model.optimizer.variables, strict=True))
    again = {v.path: v for v in loaded.optimizer.variables}
    assert variables.keys() == again.keys()
    assert len(variables) > 2 * len(model.trainable_variables)
    for name, value in variables.items():
        np.testing.assert_array_equal(numpy(again[name]), numpy(value), err_msg=name)
    assert int(loaded.optimizer.iterations) == 3
    assert sum(float(np.abs(numpy(value)).sum()) > 0 for value in variables.values()) > len(model.trainable_variables)


def test_a_loaded_model_has_fresh_dropout_until_its_states_are_restored(model, tmp_path):
    # The reason why the states stand in the JSON: Keras does not save them.
    model(DATA, training=True)
    (path,) = saved(model, tmp_path, [1])
    expected = numpy(model(DATA, training=True))
    assert np.abs(numpy(checkpoints.load(path)(DATA, training=True)) - expected).max() > 1e-3
    resumed, _ = checkpoints.resume(tmp_path)
    np.testing.assert_allclose(numpy(resumed(DATA, training=True)), expected, rtol=1e-6, atol=1e-7)


def test_each_dropout_layer_gets_back_its_own_state(tmp_path):
    entrance = keras.Input((20,))
    x = keras.layers.Dropout(0.5, seed=3)(keras.layers.Dense(50)(entrance))
    model = keras.Model(entrance, keras.layers.Dense(2)(keras.layers.Dropout(0.5, seed=8)(x)))
    model(DATA, training=True)
    saved(model, tmp_path, [1])
    resumed, found = checkpoints.resume(tmp_path)
    assert sorted(seed for seed, _ in found.random_states) == [3, 8]
    for mine, theirs in zip(*map(checkpoints.random_variables, (resumed, model)), strict=True):
        np.testing.assert_array_equal(numpy(mine), numpy(theirs))


def test_only_the_latest_are_kept(model, tmp_path):
    saved(model, tmp_path, [5, 10, 15, 20], keep=2)
    assert names(tmp_path) == [f"step-000000{step}.{kind}" for step in (15, 20) for kind in ("json", "keras")]


@pytest.mark.parametrize("keep", [0, 1])
def test_the_latest_is_always_kept(keep, model, tmp_path):
    saved(model, tmp_path, [5, 10], keep=keep)
    assert names(tmp_path) == ["step-00000010.json", "step-00000010.keras"]


def test_a_broken_later_checkpoint_does_not_displace_the_one_just_saved(model, tmp_path):
    # Resumed from before a broken checkpoint, a run saves steps below it.
    truncate(saved(model, tmp_path, [20, 30])[1])
    path = checkpoints.save(model, state(25), tmp_path, keep=1)
    assert path.exists()
    assert checkpoints.resume(tmp_path)[1].step == 25


def test_the_latest_whole_one_is_resumed_and_the_truncated_ones_are_named(model, tmp_path, shown):
    paths = saved(model, tmp_path, [5, 10, 15, 20])
    truncate(paths[3], 0.9)
    truncate(paths[2], 0)
    resumed, found = checkpoints.resume(tmp_path)
    assert found.step == 10
    printed = shown().splitlines()
    assert len(printed) == 2
    assert printed[0].startswith(f"skipped: {paths[3]}: not a whole checkpoint (")
    assert printed[1].startswith(f"skipped: {paths[2]}: not a whole checkpoint (")
    for mine, theirs in zip(resumed.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(mine), numpy(theirs))


def test_a_changed_byte_is_noticed(model, tmp_path, shown):
    paths = saved(model, tmp_path, [5, 10])
    data = bytearray(paths[1].read_bytes())
    place = data.rindex(numpy(model.get_layer("fc1").kernel).tobytes()[:32])
    data[place] ^= 1
    paths[1].write_bytes(data)
    assert checkpoints.resume(tmp_path)[1].step == 5
    assert "CRC" in shown()


@pytest.mark.parametrize("content", [None, "", '{"step": 10', '{"step": 10}', "[]"])
def test_a_checkpoint_without_its_state_is_skipped(content, model, tmp_path, shown):
    paths = saved(model, tmp_path, [5, 10])
    beside = checkpoints.state_path(paths[1])
    beside.unlink() if content is None else beside.write_text(content)
    assert checkpoints.resume(tmp_path)[1].step == 5
    assert "skipped: " in shown()


def test_checkpoints_none_of_which_is_whole_are_an_error(model, tmp_path):
    for path in saved(model, tmp_path, [5, 10]):
        truncate(path)
    with pytest.raises(
        UserError, match=f"^{tmp_path}: none of its 2 checkpoints is whole, see above. Use another --workdir, or move"
    ):
        checkpoints.resume(tmp_path)


def test_without_checkpoints_nothing_is_resumed(tmp_path):
    assert checkpoints.resume(tmp_path) is None
    assert checkpoints.resume(tmp_path / "nowhere") is None


def test_a_half_written_file_is_not_a_checkpoint(model, tmp_path):
    (path,) = saved(model, tmp_path, [5])
    (tmp_path / ".partial-step-00000010.keras").write_bytes(path.read_bytes()[:100])
    (tmp_path / "step-00000010.json").write_text(json.dumps({"step": 10}))
    (tmp_path / "step-00000011.keras.tmp").touch()
    (tmp_path / "step-7.keras").touch()
    assert checkpoints.listed(tmp_path) == [path]
    assert checkpoints.resume(tmp_path)[1].step == 5


def test_a_kill_while_writing_leaves_the_earlier_checkpoint(model, tmp_path, monkeypatch):
    (path,) = saved(model, tmp_path, [5], keep=1)
    before = path.read_bytes()
    for failing in ("os.replace", "keras.Model.save"):
        with monkeypatch.context() as patched:
            patched.setattr(failing, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                checkpoints.save(model, state(10), tmp_path, keep=1)
        assert checkpoints.listed(tmp_path) == [path]
        assert path.read_bytes() == before
    assert checkpoints.save(model, state(10), tmp_path, keep=1).exists()  # over what is left of the attempts
    assert names(tmp_path) == ["step-00000010.json", "step-00000010.keras"]


def test_steps_beyond_eight_digits_sort_and_resume(model, tmp_path):
    steps = [99_999_999, 100_000_000, 100_000_001, 1_000_000_000]
    paths = [checkpoints.path_of(tmp_path, step) for step in steps]
    assert [checkpoints.step_of(path) for path in paths] == steps
    for path in reversed(paths):
        path.touch()
    assert checkpoints.listed(tmp_path) == paths
    for path in paths[:3]:
        path.unlink()
    checkpoints.save(model, state(1_000_000_000), tmp_path, keep=1)
    assert checkpoints.resume(tmp_path)[1].step == 1_000_000_000


def test_names_of_other_files_have_no_step(tmp_path):
    for name in ("best_mean.keras", "step-0000012.keras", "step-00000012.json", "xstep-00000012.keras"):
        assert checkpoints.step_of(tmp_path / name) is None


def test_weights_alone_are_loaded_into_an_existing_network(model, tmp_path):
    (path,) = saved(model, tmp_path, [5])
    other = plain_model(seed=8)
    checkpoints.load_weights(other, path)
    for mine, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(mine), numpy(theirs))


@pytest.mark.parametrize("read", [lambda model, path: checkpoints.load(path), checkpoints.load_weights])
def test_a_bad_file_is_named(read, model, tmp_path):
    (path,) = saved(model, tmp_path, [5])
    truncate(path)
    text = tmp_path / "text.keras"
    text.write_text("no archive")
    for bad in (path, text, tmp_path / "missing.keras"):
        with pytest.raises(UserError, match=f"^{bad}: not a whole checkpoint") as caught:
            read(model, bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"step": 2}',
        '{"step": 2, "epoch": 0, "window": 0, "seed": 0, "random_states": []}',
        '{"step": 2, "epoch": 0, "window": 0, "seed": 0, "random_states": 3}',
        '{"step": 2, "epoch": -1, "window": 0, "seed": 0, "random_states": [[1, 2]]}',
        '{"step": 2, "epoch": "0", "window": 0, "seed": 0, "random_states": [[1, 2]]}',
        '{"step": 2, "epoch": 0, "window": 0, "seed": 0, "random_states": [[[1]], 2]}',
    ],
)
def test_a_damaged_state_costs_its_checkpoint_alone(text, tmp_path):
    for step in (1, 2):
        checkpoints.save(plain_model(seed=step), TrainingState(step, 0, step, 0), tmp_path, 5)
    checkpoints.state_path(checkpoints.path_of(tmp_path, 2)).write_text(text)
    _, state = checkpoints.resume(tmp_path)
    assert state.step == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_does_not_make_a_checkpoint_broken(code, tmp_path, monkeypatch):
    path = checkpoints.save(plain_model(seed=1), TrainingState(1, 0, 0, 0), tmp_path, 5)

    def full(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(keras.saving, "load_model", full)
    with pytest.raises(OSError, match=os.strerror(code)):
        checkpoints.resume(tmp_path)
    assert path.is_file()


def test_the_size_of_a_file_is_that_of_its_weights_and_of_its_optimizer_if_it_has_one(tmp_path):
    bare, whole = plain_model(compiled=False), plain_model()
    checkpoints.write_model(bare, tmp_path / "bare.keras")
    found = checkpoints.size_of(bare)
    assert (tmp_path / "bare.keras").stat().st_size <= found
    assert checkpoints.size_of(whole) - found == 2 * 4 * (20 * 50 + 50 + 50 * 2 + 2) + 4 + 8  # moments, rate, steps


def test_a_card_does_not_have_keras_unpack_the_archive(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    card = Card(96, corpus="a corpus", provenance={"x": "\u00e9" * 100})
    checkpoints.write_model(plain_model(seed=1), path, card)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 3
        assert archive.testzip() is None
    assert model_card.read(path) == card

    def unpacked(*_, **__):
        raise AssertionError("a folder was made")

    monkeypatch.setattr(tempfile, "mkdtemp", unpacked)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", unpacked)
    checkpoints.load(path)


def test_a_card_of_an_earlier_version_is_read(tmp_path):
    path = tmp_path / "model.keras"
    checkpoints.write_model(plain_model(seed=1), path)
    assert model_card.read(path) is None
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(model_card.MEMBER, model_card.to_json(Card(112)))
    assert model_card.read(path) == Card(112)


def test_a_card_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UserError, match="at most 65535 bytes"):
        checkpoints.write_model(plain_model(seed=1), tmp_path / "m.keras", Card(96, provenance={"x": "y" * 70_000}))
    assert not list(tmp_path.iterdir())


def test_a_changed_digit_of_a_state_is_seen_and_an_earlier_version_is_read(tmp_path):
    for step in (1, 2):
        checkpoints.save(plain_model(seed=step), TrainingState(step, 0, 10 + step, 0), tmp_path, 5)
    path = checkpoints.state_path(checkpoints.path_of(tmp_path, 2))
    path.write_text(path.read_text().replace('"window": 12', '"window": 13'))
    assert checkpoints.resume(tmp_path)[1].step == 1
    stored = json.loads(path.read_text())
    del stored["sha256"]
    path.write_text(json.dumps(stored))
    assert checkpoints.resume(tmp_path)[1].window == 13
