"""Training on several devices, or by several workers, gives the same as on one device."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from affwildnet.runs import checkpoints
from affwildnet.runs.json_files import read_lines
from affwildnet.runs.run import Run
from affwildnet.runs.workdir import Workdir
from affwildnet.training import train
from tests.helpers.networks import inputs, numpy
from tests.helpers.paths import ROOT
from tests.helpers.trainings import TINY, finished, logged, steps_of, tiny_corpus

pytestmark = pytest.mark.slow  # all start processes that train


# Two devices in one process.


def found(folder, *cases):
    """What two_devices.py finds, in a process of its own: devices are divided before TensorFlow does anything."""
    path = folder / "found.npz"
    command = [sys.executable, "-m", "tests.helpers.two_devices", str(path), *cases]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(path))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return found(tmp_path_factory.mktemp("two"), "residual_gru", "biased", "mse", "float16")


def test_the_divided_cpu_is_described(two):
    assert two["description"] == "devices: 2 that share the CPU"
    assert two["replicas"] == 2


@pytest.mark.parametrize("case", ["residual_gru", "biased"])
def test_two_devices_train_like_one(two, case):
    """Loss and norm of the gradient of each step, and the weights at the end."""
    same_curves(case, two)


def test_two_devices_train_like_one_with_mse_without_clipping(two):
    same_curves("mse", two)


def same_curves(case, two):
    np.testing.assert_allclose(two[f"{case}_2"], two[f"{case}_1"], rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(two[f"{case}_2_weights"], two[f"{case}_1_weights"], atol=2e-5)
    assert np.ptp(two[f"{case}_1"][:, 0]) > 0.01  # something happens at all
    assert two[f"{case}_copies_differ"] == 0


def test_clipping_and_unlike_shares_were_seen(two):
    norms = two["residual_gru_1"][:, 1]  # before clipping
    assert norms.min() < 0.08 < norms.max()
    # Neither the mean of the replicas' losses nor that of one is the loss of the batch.
    loss, own = two["residual_gru_1"][0, 0], two["own_losses"][0]
    assert abs(own.mean() - loss) > 0.01
    assert np.abs(own - loss).min() > 0.01


def test_two_devices_train_like_one_with_float16_and_loss_scaling(two):
    np.testing.assert_allclose(two["float16_2"], two["float16_1"], rtol=5e-3)
    np.testing.assert_allclose(two["float16_2_weights"], two["float16_1_weights"], atol=5e-3)
    assert two["float16_copies_differ"] == 0
    assert two["float16_iterations"] == len(two["float16_1"])


def test_a_checkpoint_does_not_depend_on_the_devices(two):
    assert len(two["synchronised"]) == 2
    assert not two["synchronised"].any()


def test_replicas_drop_different_units(two):
    first, second = two["dropped"]
    assert first.any()
    assert second.any()
    assert (first != second).any()


def test_the_first_replicas_random_state_is_the_checkpoints_and_gives_back_the_others(two):
    np.testing.assert_array_equal(two["states_begin"][0], [11, 0])
    assert two["states_begin"][1][0] != 11
    np.testing.assert_array_equal(two["states"][:, 1], [3, 3])  # calls so far
    np.testing.assert_array_equal(two["states_resumed"], two["states"])


def test_a_batch_is_divided_in_order_and_put_together_again(two):
    rows = np.arange(12)[:, None] * 10
    np.testing.assert_array_equal(two["parts"], [rows[:6], rows[6:]])
    np.testing.assert_array_equal(two["together"], [rows, rows])


def test_one_process_exchanges_with_itself(two):
    np.testing.assert_array_equal(two["gathered"], [[3, 4]])


# Two workers, each a process of train.py.

SETTINGS = {
    "model.backbone": "cnn_m",
    "model.image_size": 32,
    "model.width": 0.02,
    "model.hidden": 100,
    "model.recurrent": "none",
    "model.dropout": 0,
    "training.window": 4,
    "training.batch_size": 4,
    "training.balance": "",
    "training.flip": "true",
    "training.log_steps": 1,
    "training.checkpoint_steps": 3,
}


class Pair:
    """Two workers on the loopback interface that train in one working directory."""

    def __init__(self, corpus, workdir):
        self.workdir = workdir
        self._command = [sys.executable, "train.py", "--experiment=ijcv2019/affwildnet_vggface", "--gpu=-1"]
        self._command += [f"--data_dir={corpus}", f"--workdir={workdir.path}"]
        self._command += [f"--set={name}={value}" for name, value in SETTINGS.items()]

    def run(self, steps, at=None, number=None, workers=()):
        """Train; once step `at` is logged, sends a signal to some workers. Returns both (status, output)s."""
        ports = free_ports(2)
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        with ExitStack() as stack:
            processes = []
            for index in range(2):
                task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
                process = subprocess.Popen(
                    [*self._command, f"--set=training.steps={steps}"],
                    cwd=ROOT,
                    env={**os.environ, "TF_CONFIG": json.dumps(task)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                processes.append(stack.enter_context(process))
                stack.callback(process.kill)
            end = time.monotonic() + 300
            while at is not None and time.monotonic() < end and all(process.poll() is None for process in processes):
                if at in logged(self.workdir):
                    break
                time.sleep(0.02)
            for index in workers:
                processes[index].send_signal(number)
            outputs = [process.communicate(timeout=300)[0] for process in processes]
        return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


def free_ports(number):
    """Ports that are free now, all different: each is held until all are found."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def pair_and_one(tmp_path_factory):
    """11 steps: by two workers, one of which gets a SIGTERM and later a SIGKILL; and in one process in one go."""
    folder = tmp_path_factory.mktemp("pair")
    corpus = tiny_corpus(folder / "corpus")
    pair = Pair(corpus, Workdir(folder / "two"))
    stopped = pair.run(10**6, at=2, number=signal.SIGTERM, workers=[1])
    saved = steps_of(pair.workdir)
    killed = pair.run(10**6, at=saved[-1] + 4, number=signal.SIGKILL, workers=[1])
    last = logged(pair.workdir)[-1] + 2
    done = pair.run(last)
    experiment = pair.workdir.open().experiment
    one = Workdir(folder / "one")
    assert train(Run(experiment, corpus), one) == 0
    return pair.workdir, one, {"stopped": stopped, "saved": saved, "killed": killed, "done": done}


def test_a_signal_to_one_worker_saves_once_and_ends_both(pair_and_one):
    _, _, runs = pair_and_one
    assert [status for status, _ in runs["stopped"]] == [128 + signal.SIGTERM] * 2, runs["stopped"]
    saved = runs["saved"][-1]
    for _, output in runs["stopped"]:
        assert f"SIGTERM: saved step {saved:,} and left. The same command goes on from there." in output


def test_a_killed_worker_ends_the_other_too(pair_and_one):
    _, _, runs = pair_and_one
    (chief, _), (killed, _) = runs["killed"]
    assert killed == -signal.SIGKILL
    assert chief == 2
    assert "error: Another worker has ended or cannot be reached. The checkpoints remain." in runs["killed"][0][1]
    assert f"resumed from {checkpoints.path_of(pair_and_one[0].checkpoints, runs['saved'][-1])}" in runs["killed"][0][1]


def test_two_workers_train_like_one_process_also_across_a_stop_and_a_kill(pair_and_one):
    two, one, runs = pair_and_one
    assert [status for status, _ in runs["done"]] == [0, 0], runs["done"]
    expected = read_lines(one.training_log)
    found = {line["step"]: line for line in read_lines(two.training_log)}  # after the kill, some were done again
    assert sorted(found) == [line["step"] for line in expected]
    assert expected[-1]["epoch"] >= 2  # the data's epochs end within batches
    for field in ("loss", "gradient_norm", "epoch", "learning_rate"):
        mine = [found[line["step"]][field] for line in expected]
        np.testing.assert_allclose(mine, [line[field] for line in expected], rtol=1e-3, err_msg=field)


def test_the_chief_alone_writes(pair_and_one):
    two, one, runs = pair_and_one
    assert steps_of(two)[-1] == steps_of(one)[-1]
    assert finished(two) == finished(one)
    states = [
        json.loads(checkpoints.state_path(checkpoints.listed(each.checkpoints)[-1]).read_text()) for each in (two, one)
    ]
    assert [state["step"] for state in states] == [steps_of(one)[-1]] * 2
    assert (states[0]["epoch"], states[0]["window"]) == (states[1]["epoch"], states[1]["window"])
    assert len(list((two.path / "tensorboard" / "train").glob("events.*"))) == 3  # one a start
    (_, chief), (_, other) = runs["done"]
    assert "loss" in chief
    assert "loss" not in other
    assert "worker 2 of 2" in other


def test_the_evaluator_scores_it_like_any_other_run(pair_and_one):
    two, one, _ = pair_and_one
    command = [sys.executable, "evaluate.py", f"--workdir={two.path}", "--checkpoint=latest", "--gpu=-1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((two.path / "report-validation-latest.json").read_text())
    assert report["step"] == steps_of(one)[-1]
    assert report["frames_scored"] == report["frames_labelled"] > 0


def test_both_checkpoints_give_the_same_predictions(pair_and_one):
    latest = [checkpoints.listed(workdir.checkpoints)[-1] for workdir in pair_and_one[:2]]
    batch = inputs(replace(TINY.model, landmarks=True))
    mine, expected = (numpy(checkpoints.load(path)(batch, training=False)) for path in latest)
    np.testing.assert_allclose(mine, expected, atol=1e-3)
    assert np.ptp(expected) > 0.01
