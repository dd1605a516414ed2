"""Which device a process leaves itself, on a machine with none and on one with two."""

import pytest
import tensorflow as tf

from affwildnet.devices import choose_device
from tfrecords_tools.errors import UserError


@pytest.fixture
def machine(monkeypatch):
    """Call it with a machine's GPUs; returns what was then asked of TensorFlow, in order."""
    asked = []

    def install(*gpus):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(gpus) if kind == "GPU" else ["cpu"])
        monkeypatch.setattr(tf.config, "set_visible_devices", lambda *visible: asked.append(("visible", *visible)))
        growth = "set_memory_growth"
        monkeypatch.setattr(tf.config.experimental, growth, lambda *args: asked.append(("growth", *args)))
        return asked

    return install


@pytest.mark.parametrize(
    ("gpu", "line"),
    [
        (None, "device: CPU (no GPU found)"),
        (-1, "device: CPU (no GPU found)"),
        (0, "device: CPU (no GPU found; --gpu=0 has no effect)"),
        (3, "device: CPU (no GPU found; --gpu=3 has no effect)"),
    ],
)
def test_without_a_gpu_it_goes_on_and_says_so(gpu, line, machine):
    asked = machine()
    assert choose_device(gpu) == line
    assert asked == []


@pytest.mark.parametrize(("gpu", "number"), [(None, 0), (0, 0), (1, 1)])
def test_one_gpu_is_left_visible_and_its_memory_taken_as_needed(gpu, number, machine):
    asked = machine("first", "second")
    assert choose_device(gpu) == f"device: GPU {number} of 2"
    chosen = ("first", "second")[number]
    assert asked == [("visible", chosen, "GPU"), ("growth", chosen, True)]


def test_minus_one_is_the_cpu(machine):
    asked = machine("first", "second")
    assert choose_device(-1) == "device: CPU (--gpu=-1)"
    assert asked == [("visible", [], "GPU")]


@pytest.mark.parametrize("gpu", [2, 7, -2])
def test_a_gpu_that_is_not_there_is_refused(gpu, machine):
    asked = machine("first", "second")
    with pytest.raises(UserError, match=rf"`--gpu` must be from 0 to 1, or -1 for the CPU\. Received: {gpu}$"):
        choose_device(gpu)
    assert asked == []


def test_this_machine_has_a_device():
    assert choose_device(-1).startswith("device: CPU")
