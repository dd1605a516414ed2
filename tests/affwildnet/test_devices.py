"""The devices that a process keeps, on machines without a GPU and with several, and what TF_CONFIG may say."""

import json
import logging

import pytest
import tensorflow as tf

from affwildnet.devices import Cluster, choose_device, choose_strategy
from tfrecords_tools.errors import UserError


@pytest.fixture
def machine(monkeypatch):
    """Call it with a machine's GPUs; returns what was then asked of TensorFlow, in order."""
    asked = []

    def install(*gpus):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(gpus) if kind == "GPU" else ["cpu"])
        monkeypatch.setattr(tf.config, "set_visible_devices", lambda *visible: asked.append(("visible", *visible)))
        growth = "set_memory_growth"
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names: ("mirrored", *names))
        monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: ("workers",))
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
def test_one_gpu_stays_visible_and_its_memory_is_allocated_as_needed(gpu, number, machine):
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
    with pytest.raises(UserError, match=rf"`gpu` must be from 0 to 1, or -1 for the CPU\. Received: {gpu}$"):
        choose_device(gpu)
    assert asked == []


def test_this_machine_has_a_device():
    assert choose_device(-1).startswith("device: CPU")


# Several devices.


def tf_config(index=0, kind="worker", **jobs):
    jobs = jobs or {"worker": ["a:1", "b:2"]}
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("devices", "numbers", "line"),
    [
        ("all", [0, 1, 2], "devices: GPUs 0, 1, 2 of 3"),
        ("2,0", [2, 0], "devices: GPUs 2, 0 of 3"),
    ],
)
def test_several_gpus_are_mirrored(devices, numbers, line, machine):
    gpus = ("first", "second", "third")
    asked = machine(*gpus)
    strategy, description = choose_strategy(None, devices)
    assert description == line
    assert strategy == ("mirrored", *(f"GPU:{index}" for index in range(len(numbers))))
    chosen = [gpus[number] for number in numbers]
    assert asked == [("visible", chosen, "GPU"), *(("growth", gpu, True) for gpu in chosen)]


@pytest.mark.parametrize(("devices", "number"), [("1", 1), ("all", 0)])
def test_one_device_of_several_needs_no_strategy(devices, number, machine):
    gpus = ["first", "second"] if devices == "1" else ["first"]
    asked = machine(*gpus)
    strategy, description = choose_strategy(None, devices)
    assert strategy is tf.distribute.get_strategy()
    assert description == f"device: GPU {number} of {len(gpus)}"
    assert asked == [("visible", gpus[number], "GPU"), ("growth", gpus[number], True)]


def test_without_devices_it_is_one(machine):
    machine("first", "second")
    assert choose_strategy(1, "") == (tf.distribute.get_strategy(), "device: GPU 1 of 2")
    assert choose_strategy(None, "cpu:1") == (tf.distribute.get_strategy(), "device: CPU (--devices=cpu:1)")


def test_devices_without_a_gpu_are_the_cpu_and_it_says_so(machine):
    assert machine() == []
    strategy, description = choose_strategy(None, "all")
    assert strategy is tf.distribute.get_strategy()
    assert description == "device: CPU (no GPU found; --devices=all has no effect)"


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("0,2", r"`devices` must be from 0 to 1\. Received: 0,2, with 2$"),
        ("0,0", r"must be all, numbers of GPUs such as 0,1, or cpu:2 .* Received: 0,0$"),
        ("gpu", r"must be all, .* Received: gpu$"),
        ("-1", r"must be all, .* Received: -1$"),
        ("0,", r"must be all, .* Received: 0,$"),
        ("cpu:0", r"must be all, .* Received: cpu:0$"),
        ("cpu:x", r"must be all, .* Received: cpu:x$"),
    ],
)
def test_bad_devices_are_refused(devices, message, machine):
    asked = machine("first", "second")
    with pytest.raises(UserError, match=message):
        choose_strategy(None, devices)
    assert asked == []


def test_gpu_and_devices_exclude_each_other():
    with pytest.raises(UserError, match=r"`gpu` and `devices` exclude each other\. Received: gpu=0 and devices=all$"):
        choose_strategy(0, "all")


def test_each_worker_says_which_one_it_is(machine, caplog):
    caplog.set_level(logging.INFO)
    machine("first", "second")
    strategy, description = choose_strategy(None, "all", tf_config(1))
    assert strategy == ("workers",)
    assert description == "worker 2 of 2, b:2: the chief is a:1"
    assert caplog.messages == ["devices: GPUs 0, 1 of 2; waiting for the 2 workers"]
    chief = Cluster.read(tf_config(0))
    assert chief.description() == "worker 1 of 2, a:1: the chief, which writes checkpoints and logs"


def test_a_cluster_of_one_is_none(machine):
    machine()
    strategy, _ = choose_strategy(None, "", tf_config(worker=["a:1"]))
    assert strategy is tf.distribute.get_strategy()
    assert Cluster.read("") is None


def test_a_chief_comes_before_the_workers():
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    assert Cluster.read(tf_config(0, "chief", **jobs)) == Cluster(("a:1", "b:2", "c:3"), 0)
    assert Cluster.read(tf_config(1, "worker", **jobs)) == Cluster(("a:1", "b:2", "c:3"), 2)


def test_logical_devices_are_for_one_machine(machine):
    machine()
    with pytest.raises(UserError, match="is for one machine"):
        choose_strategy(None, "cpu:2", tf_config())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "which is not JSON"),
        ("[]", "without an object `cluster`"),
        ('{"task": {}}', "without an object `cluster`"),
        ('{"cluster": {"worker": ["a:1"]}}', "without an object `task`"),
        (tf_config(ps=["a:1"], worker=["b:2"]), "with the job ps; the jobs are worker and chief"),
        (tf_config(worker="a:1"), r"where `cluster\.worker` is not a list of host:port"),
        (tf_config(worker=["a:1", "b"]), r"where `cluster\.worker` is not a list of host:port"),
        (tf_config(worker=[]), "where `cluster` has no worker"),
        (tf_config(worker=["a:1"], chief=["b:2", "c:3"]), "or several chiefs"),
        (tf_config(2), "where `task` has no `type` and `index` of one in `cluster`"),
        (tf_config(-1), "where `task` has no `type` and `index`"),
        (tf_config("0"), "where `task` has no `type` and `index`"),
        (tf_config(0, "evaluator"), "where `task` has no `type` and `index`"),
        (tf_config(0, ["worker"]), "where `task` has no `type` and `index`"),
    ],
)
def test_a_bad_cluster_is_refused_in_one_line(text, message):
    with pytest.raises(UserError, match=message) as caught:
        choose_strategy(None, "", text)
    assert str(caught.value).startswith('TF_CONFIG must be as {"cluster": {"worker": ["host1:2222"')
    assert "\n" not in str(caught.value)
