"""A step that cannot fit in the memory is refused before it is tried."""

import os
from dataclasses import replace

import pytest

from affwildnet import experiments
from affwildnet.experiments.overrides import override
from affwildnet.training import memory
from tests.helpers.trainings import TINY, tiny
from tfrecords_tools.errors import UserError


def refusal(experiment, devices=1):
    with pytest.raises(UserError) as raised:
        memory.check(experiment, devices)
    return str(raised.value)


def test_a_batch_of_a_thousand_million_windows_is_refused_with_numbers():
    message = refusal(override(experiments.get("ijcv2019/affwildnet_vggface"), ["training.batch_size=1000000000"]))
    assert "`training.batch_size` x `training.window` frames must fit in the memory of this machine" in message
    assert "1,000,000,000 x 80" in message
    assert "need 2,211,840.0 GB" in message


def test_weights_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(memory, "of_machine", lambda: 100_000_000)
    message = refusal(experiments.get("ijcv2019/affwildnet_vggface"))
    assert "one of 35,871,554 weights" in message
    assert "need 0.6 GB" in message
    memory.check(TINY)


def test_devices_share_a_batch(monkeypatch):
    monkeypatch.setattr(memory, "of_machine", lambda: 20_000_000)
    experiment = tiny(batch_size=4000, window=4)
    assert "4,000 x 4" in refusal(experiment)
    memory.check(experiment, 4)
    memory.check(replace(experiment, training=replace(experiment.training, batch_size=1000)))


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say how much memory it has")
def test_the_memory_of_this_machine_is_known_where_the_system_says_it(monkeypatch, tmp_path):
    assert memory.of_machine() > 1e8
    (tmp_path / "limit").write_text("1000\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "limit"), str(tmp_path / "none"), "nowhere"))
    assert memory.of_machine() == 1000
