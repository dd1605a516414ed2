"""The contract on names and shapes that networks in every form follow."""

import pytest

from affwildnet.models import signature
from affwildnet.models.signature import Signature
from tfrecords_tools.errors import UserError

FRAMES = {"frames": (None, None, 96, 96, 3)}
LANDMARKS = {"landmarks": (None, None, 68, 2)}
SCORES = {"valence_arousal": (None, None, 2)}
STATES = {"gru1_state1": (None, 128), "gru2_state1": (None, 64)}


def test_a_network_without_landmarks_or_states():
    found = Signature.of(FRAMES, SCORES)
    assert found == Signature(96, False, "valence_arousal", {})
    assert found.inputs == ("frames",)
    assert found.labels == ("valence", "arousal")


def test_a_network_with_landmarks_states_and_classes():
    found = Signature.of({**STATES, **LANDMARKS, **FRAMES}, {"expression": [1, None, 7], **STATES})
    assert found == Signature(96, True, "expression", STATES)
    assert found.inputs == ("frames", "landmarks")
    assert len(found.labels) == 7
    assert list(found.states) == ["gru1_state1", "gru2_state1"]


def test_states_are_named_after_their_layer():
    assert signature.state_name("gru1", 2) == "gru1_state2"


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({}, SCORES),
        (LANDMARKS, SCORES),
        ({"frames": (None, None, 96, 80, 3)}, SCORES),
        ({"frames": (None, None, None, None, 3)}, SCORES),
        ({"frames": (None, None, 96, 96, 1)}, SCORES),
        ({"frames": (None, 96, 96, 3)}, SCORES),
        ({**FRAMES, "landmarks": (None, None, 5, 2)}, SCORES),
        ({**FRAMES, "audio": (None, 100)}, SCORES),
        ({**FRAMES, **STATES}, SCORES),
        (FRAMES, {}),
        (FRAMES, {"valence": (None, None, 2)}),
        (FRAMES, {"valence_arousal": (None, None, 7)}),
        (FRAMES, {"valence_arousal": (None, 2)}),
        (FRAMES, {**SCORES, "expression": (None, None, 7)}),
    ],
)
def test_other_names_and_shapes_are_refused(inputs, outputs):
    with pytest.raises(UserError, match=r"must take `frames` \(B, T, S, S, 3\).*Received: "):
        Signature.of(inputs, outputs)


def test_the_message_shows_what_came():
    with pytest.raises(UserError, match=r"Received: frames \(None, None, 96, 96, 3\) to smile \(None, 1\)\.$"):
        Signature.of(FRAMES, {"smile": (None, 1)})
