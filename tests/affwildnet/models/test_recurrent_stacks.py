"""The recurrent stacks of the papers' networks: names, sizes, dropout, precision, errors."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from affwildnet.experiments.config import ModelConfig
from affwildnet.models.recurrent import RECURRENT, STATE_DTYPE, recurrent_stack
from tests.helpers.networks import numpy, trainable
from tests.helpers.recurrences import FEATURES, sequence
from tfrecords_tools.errors import UserError

SMALL = ModelConfig(width=0.05, recurrent_dropout=0.0)  # 6 units
VGG_AND_OUTPUT = 14_714_688 + 2 * 128 + 2


def network(config, features=FEATURES, prefix=""):
    keras.utils.set_random_seed(0)
    x = keras.Input((None, features))
    return keras.Model(x, recurrent_stack(x, config, prefix))


def names(model):
    return [made.name for made in model.layers[1:]]


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"recurrent": "gru"}, 16_632_642 - VGG_AND_OUTPUT),
        ({"recurrent": "lstm"}, 17_272_642 - VGG_AND_OUTPUT),
        ({"recurrent": "indrnn"}, 15_321_666 - VGG_AND_OUTPUT),
        # Two GRU layers 128 on 4,608 features, and x', query, keys, scores and output of the attention by hand.
        (
            {"recurrent": "gru", "attention": 30},
            1_917_696 + (4608 + 128 + 1) * 4608 + (256 + 1) * 128 + 128 * 128 + 128 + (256 + 1) * 128,
        ),
    ],
)
def test_counts_of_the_thesis(fields, count):
    assert trainable(network(ModelConfig(recurrent_dropout=0.0, **fields), 4608)) == count


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"recurrent": "gru"}, ["gru1", "gru1_dropout", "gru2"]),
        ({"recurrent": "lstm"}, ["lstm1", "lstm1_dropout", "lstm2"]),
        ({"recurrent": "indrnn", "recurrent_units": (100,)}, ["indrnn1"]),
        ({"recurrent": "gru", "output_dropout": 0.5}, ["gru1", "gru1_dropout", "gru2", "gru2_dropout"]),
        ({"recurrent": "gru", "attention": 4}, ["attention"]),
        ({"recurrent": "lstm", "attention": 4, "output_dropout": 0.5}, ["attention", "attention_dropout"]),
    ],
)
@pytest.mark.parametrize("prefix", ["", "pool5_"])
def test_names(fields, expected, prefix):
    model = network(replace(SMALL, **fields), prefix=prefix)
    assert names(model) == [f"{prefix}{name}" for name in expected]
    outputs = numpy(model(sequence(5)))
    assert outputs.shape == (2, 5, 5 if "recurrent_units" in fields else 6)
    assert np.ptp(outputs) > 0


def test_a_cell_by_its_name():
    assert sorted(RECURRENT) == ["gru", "indrnn", "lstm"]
    made = RECURRENT["lstm"](SMALL, 80, 7, name="a_lstm2", dtype=STATE_DTYPE)
    assert (made.units, made.name) == (7, "a_lstm2")
    with pytest.raises(UserError, match=r"`recurrent` must be one of gru, .* Received: none"):
        network(replace(SMALL, recurrent="none"))


def test_dropout():
    fields = {"recurrent": "gru", "recurrent_dropout": 0.8, "output_dropout": 0.3}
    for meant, rate in (("rate", 0.8), ("keep", 0.2)):
        model = network(replace(SMALL, recurrent_dropout_is=meant, **fields))
        assert model.get_layer("gru1_dropout").rate == pytest.approx(rate)
        assert model.get_layer("gru2_dropout").rate == pytest.approx(0.3)


def test_fields_reach_the_layers():
    model = network(replace(SMALL, recurrent="gru", reset_after=True, recurrent_units=(128, 60)))
    assert [model.get_layer(f"gru{number}").units for number in (1, 2)] == [6, 3]
    assert model.get_layer("gru1").reset_after
    x = keras.Input((None, FEATURES))
    indrnn = keras.Model(x, recurrent_stack(x, replace(SMALL, recurrent="indrnn"), window=17))
    assert [indrnn.get_layer(f"indrnn{number}").window for number in (1, 2)] == [17, 17]
    attention = network(replace(SMALL, recurrent="gru", attention=4)).get_layer("attention")
    assert (attention.memory, [made.units for made in attention.stack]) == (4, [6, 6])
    assert [made.reset_after for made in attention.stack] == [False, False]


def test_dropout_inside_an_attention_is_refused():
    for meant, share, drops in (("rate", 0.5, "0.5"), ("keep", 0.8, "0.2")):
        config = replace(SMALL, recurrent="gru", attention=4, recurrent_dropout=share, recurrent_dropout_is=meant)
        with pytest.raises(UserError, match=rf"`recurrent_dropout` must drop nothing .* which drops {drops}; set"):
            network(config)
    network(replace(config, recurrent_dropout=1.0))
    network(replace(config, recurrent_dropout=0.8, recurrent_units=(60,)))  # nothing to drop between


@pytest.mark.parametrize("fields", [{"recurrent": cell} for cell in RECURRENT] + [{"recurrent": "gru", "attention": 3}])
def test_states_are_float32_under_mixed_precision(fields):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(replace(SMALL, **fields))
    finally:
        keras.config.set_dtype_policy("float32")
    same = network(replace(SMALL, **fields))
    same.set_weights(model.get_weights())
    assert {made.compute_dtype for made in model.layers[1:]} == {STATE_DTYPE}
    assert all(made.compute_dtype == "float32" for made in getattr(model.layers[1], "stack", []))
    outputs = model(sequence(5))
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs, same(sequence(5)), rtol=1e-6, atol=1e-7)
