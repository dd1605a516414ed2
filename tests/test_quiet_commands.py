"""What reaches the terminal: nothing of TensorFlow's chatter, from no command and no import."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

IMPORTS = (
    "import affwildnet; affwildnet.Predictor",
    "import affwildnet.models",
    "import affwildnet.training, affwildnet.export, affwildnet.evaluation.evaluator",
    "import tfrecords_tools; tfrecords_tools.open_corpus, tfrecords_tools.pack",
    "from tfrecords_tools.study import partition_report, stats, agreement_report",
    "import affwildnet, tensorflow",
)


def start(*arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize("code", IMPORTS)
@pytest.mark.slow
def test_an_import_prints_nothing(code):
    ended = start("-c", code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verify", "inspect", "stats", "agreement", "partition", "export", "predict"])
def test_a_command_prints_only_its_own_lines(command, tiny_folder, tmp_path):
    """Those that succeed print nothing to the standard error but the bar; those that are refused print one line."""
    if command in ("export", "predict"):
        flags = ["--model=nowhere", f"--output={tmp_path / 'out'}", *(["x.mp4"] if command == "predict" else [])]
    else:
        flags = [str(tiny_folder)]
        flags += {
            "verify": [],
            "inspect": [f"--sheet={tmp_path / 'sheet.png'}"],
            "partition": ["--fractions=0.4,0.3,0.3", f"--output={tmp_path / 'partition.json'}"],
        }.get(command, [f"--output={tmp_path / 'out'}"])
    ended = start("-m", "affwildnet", command, *flags)
    lines = [line for line in ended.stderr.splitlines() if "%|" not in line and line.strip()]
    assert all(line.startswith("error: ") for line in lines), ended.stderr
    assert len(lines) == (ended.returncode != 0)


@pytest.mark.slow
def test_packing_with_a_partition_prints_only_its_own_lines(sample_clips, tmp_path):
    partition = tmp_path / "partition.json"
    partition.write_text(json.dumps({"videos": {}}))
    ended = start(
        *("-m", "tfrecords_tools", "pack", "--layout=aff_wild", f"--source={sample_clips}"),
        *(f"--output={tmp_path / 'packed'}", f"--partition={partition}"),
    )
    assert "I0000" not in ended.stderr
    assert "WARNING" not in ended.stderr
    assert "rebuild" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("train", ["--experiment=sample/affwildnet", "--data_dir=x", "--workdir=y"]),
        ("evaluate", ["--workdir=y"]),
        ("predict", ["--model=x", "--output=y", "--camera=0"]),
        ("export", ["--model=x", "--output=y"]),
        ("baselines", ["--data_dir=x", "--workdir=y"]),
    ],
)
def test_another_backend_is_refused_in_one_line(command, flags):
    ended = start("-m", "affwildnet", command, *flags, KERAS_BACKEND="jax")
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "error: KERAS_BACKEND must be tensorflow, or not set, for this command. Received: jax"
    )
    assert ended.stderr.count("\n") == 1
