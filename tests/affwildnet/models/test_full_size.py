"""The papers' networks at full size: one step of train.py on the CPU, from random weights."""

import json
import subprocess
import sys

import keras
import pytest

from tests.helpers.paths import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "trainable"),
    [
        ("ijcv2019/affwildnet_vggface", 35_871_554),
        ("ijcv2019/affwildnet_resnet50", 27_536_574),
    ],
)
def test_a_full_size_network_trains(experiment, trainable, packed_sample, tmp_path):
    result = subprocess.run(
        [
            sys.executable, "train.py", f"--experiment={experiment}", f"--data_dir={packed_sample}",
            f"--workdir={tmp_path}", "--gpu=0", "--set", "training.steps=2", "training.batch_size=1",
            "training.window=8", "training.log_steps=1", "training.balance=",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "no GPU found; --gpu=0 has no effect" in result.stdout or "device: GPU 0" in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    (checkpoint,) = (tmp_path / "checkpoints").glob("*.keras")
    model = keras.saving.load_model(checkpoint)
    assert sum(weight.value.shape.num_elements() for weight in model.trainable_weights) == trainable
    assert model.optimizer.iterations == 2
