"""The rules that the description of a network must satisfy."""

from dataclasses import replace

import pytest

from affwildnet.models import build
from tests.helpers.networks import SMALL
from tfrecords_tools.errors import UserError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "vgg"}, r"`backbone` must be one of .*vgg16\. Received: vgg\. Did you mean vgg16\?"),
        ({"recurrent": "grU"}, r"`recurrent` must be one of gru,.* none\. Received: grU\. Did you mean gru\?"),
        ({"image_size": 31}, r"`image_size` must be an integer of at least 32\. Received: image_size=31"),
        ({"image_size": 96.0}, "`image_size` must be"),
        ({"width": 0}, r"`width` must be a number above 0\. Received: width=0"),
        ({"width": float("nan")}, "`width` must be"),
        ({"hidden": (4096, 0)}, r"`hidden` must be a sequence of positive integers\. Received: hidden=\(4096, 0\)"),
        ({"hidden": 4096}, "`hidden` must be"),
        ({"recurrent_units": ()}, r"`recurrent_units` must be non-empty"),
        ({"dropout": 1.0}, r"`dropout` must be a rate in \[0, 1\)\. Received: dropout=1.0"),
        ({"recurrent_dropout": -0.1}, "`recurrent_dropout` must be"),
        ({"pixel_mean": (1.0, 2.0)}, "`pixel_mean` must be three numbers"),
        ({"pixel_scale": 0.0}, "`pixel_scale` must be three numbers"),
        ({"pixel_scale": (1.0, 0.0, 1.0)}, r"`pixel_scale` must be three numbers \(R, G, B\) above 0"),
        ({"head": "valence"}, r"`head` must be one of .* Did you mean valence_arousal\?"),
        ({"dropout_layers": "each"}, "`dropout_layers` must be one of first, all"),
        ({"recurrent_dropout_is": "keep", "recurrent_dropout": 0.0}, r"a share in \(0, 1\] to keep"),
        ({"recurrent_dropout_is": "dropped"}, "`recurrent_dropout_is` must be one of rate, keep"),
        ({"output_dropout": 1}, "`output_dropout` must be a rate"),
        (
            {"landmarks_join": 3},
            r"`landmarks_join` must be the number of a hidden layer, 1 to 2\. Received: landmarks_join=3",
        ),
        ({"landmarks_join": 0}, "`landmarks_join` must be"),
        ({"hidden": (), "landmarks_join": 2}, "1 to 1"),
        ({"landmark_encoder": -1}, "`landmark_encoder` must be"),
        ({"attention": -1}, "`attention` must be a number of frames"),
        ({"attention": 30, "recurrent": "none"}, "`attention` must be 0 without `recurrent`"),
        ({"rnn_inputs": ("fc",), "recurrent": "none"}, "`rnn_inputs` must be empty without `recurrent`"),
        ({"joined_hidden": (8,), "recurrent": "none"}, "`joined_hidden` must be empty without `recurrent`"),
        ({"joined_hidden": (0,)}, "`joined_hidden` must be a sequence of positive integers"),
        ({"rnn_inputs": ("pool2", "pool2")}, "`rnn_inputs` must be names of taps, each entry once"),
        ({"rnn_inputs": ("pool2", "")}, "`rnn_inputs` must be"),
        ({"rnn_inputs": ("pool2", "pool6")}, r"`rnn_inputs` must be one of conv1, .*fc\. Received: pool6\."),
        ({"rnn_inputs": ("pool2+conv14",)}, r"Received: conv14\. Did you mean conv4\?"),
        ({"rnn_inputs": ("fc",), "hidden": ()}, r"`rnn_inputs` must be one of .*features\. Received: fc"),
        ({"separate": True, "head": "expression"}, "`head` must be 'valence_arousal' with `separate`"),
        ({"separate": True, "members": (SMALL,)}, "`separate` must be false with `members`"),
        (
            {"members": (replace(SMALL, separate=True),)},
            "`members` must be networks that are neither fused nor separate",
        ),
        ({"members": (replace(SMALL, hidden=(0,)),)}, "`hidden` must be"),
        ({"members": (SMALL,), "fusion": "mean"}, "`fusion` must be one of model, decision"),
        ({"members": (SMALL,), "fusion": "decision"}, "`fusion` must be 'model' with"),
    ],
)
def test_a_bad_field_is_named_with_its_rule(change, message):
    with pytest.raises(UserError, match=message):
        build(replace(SMALL, **change))


def test_lists_are_accepted_for_tuples():
    model = build(replace(SMALL, hidden=[100], recurrent_units=[20], pixel_mean=[1.0, 2.0, 3.0]))
    assert model.output.shape == (None, None, 2)
