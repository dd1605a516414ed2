"""What reaches the terminal: nothing of TensorFlow's chatter, from no command and no import."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tfrecords_tools import cli
from tfrecords_tools.cli import corpus_commands, study_commands
from tfrecords_tools.errors import UserError

# TensorFlow comes with the first of each; whoever asks for it, the package that was imported before has seen to it.
IMPORTS = (
    "import affwildnet, tensorflow; import affwildnet.training, affwildnet.export; affwildnet.Predictor",
    "import affwildnet.evaluation.evaluator",
    "import tfrecords_tools; tfrecords_tools.open_corpus, tfrecords_tools.pack; "
    "from tfrecords_tools.study import partition_report, stats, agreement_report",
)
# Runs commands one after the other in one process.
ONE_AFTER_THE_OTHER = """
import sys
from affwildnet.commands import dispatcher
sys.exit(max(dispatcher.main(arguments) for arguments in %r))
"""


def start(*arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize("code", IMPORTS)
@pytest.mark.slow
def test_an_import_prints_nothing(code):
    ended = start("-c", code)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def own_lines(ended):
    """What is on the standard error beside bars: an `error: ` of a command that is refused, and nothing else."""
    lines = [line for line in ended.stderr.splitlines() if "%|" not in line and line.strip()]
    assert all(line.startswith("error: ") for line in lines), ended.stderr
    return len(lines)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verify", "export", "predict"])
def test_a_command_prints_only_its_own_lines(command, tiny_folder, tmp_path):
    flags = ["--model=nowhere", f"--output={tmp_path / 'out'}", *(["x.mp4"] if command == "predict" else [])]
    ended = start("-m", "affwildnet", command, *([str(tiny_folder)] if command == "verify" else flags))
    assert own_lines(ended) == (ended.returncode != 0) == (command != "verify")


@pytest.mark.slow
def test_commands_print_only_their_own_lines_also_those_that_draw(tiny_folder, tmp_path):
    flags = {
        "stats": [f"--output={tmp_path / 'stats'}"],
        "inspect": [f"--sheet={tmp_path / 'sheet.png'}"],
        "partition": ["--fractions=0.4,0.3,0.3", f"--output={tmp_path / 'partition.json'}"],
        "agreement": [f"--output={tmp_path / 'agreement'}"],
    }
    commands = [[name, str(tiny_folder), *more] for name, more in flags.items()]
    ended = start("-c", ONE_AFTER_THE_OTHER % commands)
    assert own_lines(ended) == (ended.returncode != 0)


@pytest.mark.parametrize("command", ["inspect", "stats", "agreement", "partition"])
def test_a_command_has_tensorflow_come_in_quietly_before_it_reads_records(
    command, tiny_folder, tmp_path, monkeypatch, capsys
):
    def came():
        raise UserError("it came first")

    for module in (corpus_commands, study_commands):
        monkeypatch.setattr(module, "import_tensorflow", came)
    flags = ["--folds=3", f"--output={tmp_path / 'out'}"] if command == "partition" else []
    assert cli.main([command, str(tiny_folder), *flags]) == 2
    assert capsys.readouterr().err == "error: it came first\n"


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
