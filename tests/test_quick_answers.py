"""What every command answers at once: help, version, lists and errors of usage, without loading anything heavy."""

import json
import subprocess
import sys

import pytest

from affwildnet.commands import predict_command
from affwildnet.commands.dispatcher import NETWORKS
from affwildnet.experiments import EXPERIMENTS
from tests.helpers.paths import ROOT
from tfrecords_tools.cli import corpus_commands
from tfrecords_tools.version import VERSION

HEAVY = ("tensorflow", "keras", "cv2", "matplotlib", "sklearn", "scipy", "h5py", "jax", "absl")
# Runs a command in this process's way and writes, last of all, which of the heavy packages it has loaded.
PROBE = """
import json, runpy, sys
how, name, *sys.argv[1:] = sys.argv[1:]
status = 0
try:
    run = runpy.run_module if how == "-m" else runpy.run_path
    run(name, run_name="__main__")
except SystemExit as ended:
    status = ended.code
print(json.dumps([status, sorted({module.split(".")[0] for module in sys.modules} & set(%r))]))
"""
SCRIPTS = [["path", "train.py"], ["path", "evaluate.py"]]
MODULES = [
    ["-m", f"affwildnet.{name}"] for name in ("experiments", "weights", "predict", "export", "baselines", "reproduce")
]
UNITED = [["-m", "affwildnet", name] for name in (*corpus_commands.COMMANDS, *NETWORKS)]
ALL = [["-m", "affwildnet"], ["-m", "tfrecords_tools"], *SCRIPTS, *MODULES, *UNITED]


def answer(*arguments):
    """Return exit status, heavy packages, and what was printed on the standard output and the standard error."""
    command = [sys.executable, "-c", PROBE % (HEAVY,), *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *printed, last = ran.stdout.splitlines()
    return *json.loads(last), printed, ran.stderr.splitlines()


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_help_is_short_and_comes_at_once(command):
    status, heavy, printed, errors = answer(*command, "-h")
    assert (status, heavy, errors) == (0, [], [])
    assert printed[0].startswith("usage: ")
    assert len(printed) <= 75
    assert not any("absl" in line or "--flagfile" in line for line in printed)


@pytest.mark.parametrize("command", [*ALL[:4], *MODULES, *UNITED[:1]], ids=" ".join)
def test_the_version_comes_at_once(command):
    assert answer(*command, "--version") == (0, [], [f"affwildnet {VERSION}"], [])


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "affwildnet.experiments"],
        ["-m", "affwildnet.experiments", "ijcv2019/affwildnet_vggface"],
        ["-m", "affwildnet.experiments", "omg2019/model_fusion_fc"],
        ["-m", "affwildnet.experiments", "--fields"],
        ["-m", "affwildnet.weights", "list"],
        ["-m", "affwildnet.reproduce", "list"],
    ],
    ids=" ".join,
)
def test_lists_come_at_once(command):
    status, heavy, printed, errors = answer(*command)
    assert (status, heavy, errors) == (0, [], [])
    assert len(printed) > 5


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["-m", "affwildnet", "trian"], "`COMMAND` must be one of sample, clips, annotate, pack,"),
        (["-m", "affwildnet"], "`COMMAND` must be given."),
        (["-m", "affwildnet", "train"], "`--workdir` must be given."),
        (
            ["-m", "affwildnet", "train", "--experiment=x", "--data_dir=y", "--workdir=z"],
            "An experiment must be one of",
        ),
        (["path", "train.py", "--gup=1"], "`--gup` is not a flag of python train.py. Did you mean --gpu?"),
        (["path", "evaluate.py", "--workdir=x", "--patience=3"], "`--patience` needs `--watch`."),
        (["path", "evaluate.py", "--workdir=x", "--predictions=csv"], "`--predictions` must be one of"),
        (["-m", "affwildnet.experiments", "nothing"], "Received: nothing."),
        (["-m", "affwildnet.weights", "import", "--source=vgg"], "`--source` must be one of"),
        (["-m", "affwildnet.predict", "v", "--model=x"], "`--output` must be given, or `--serve`."),
        (["-m", "affwildnet.predict", "v", "--model=x", "--output=y", "--port=1"], "`--port` needs `--serve`."),
        (
            ["-m", "affwildnet.predict", "--model=x", "--serve", "--overlay"],
            "`--overlay` cannot be used with `--serve`.",
        ),
        (["-m", "affwildnet.predict", "--model=x", "--output=y"], "or `--camera`. Received: none."),
        (
            ["-m", "affwildnet.predict", "v", "--model=x", "--output=y", "--upsample=-1"],
            "`--upsample` must be from 0 to 4",
        ),
        (["-m", "affwildnet.export", "--model=x", "--output=y", "--formats=onx"], "Did you mean onnx?"),
        (
            ["-m", "affwildnet.baselines", "--data_dir=x", "--workdir=y", "--only=svr"],
            "`--only` must be one of sift_svr",
        ),
        (["-m", "tfrecords_tools", "pack", "--layout=omg2"], "`--layout` must be one of aff_wild, aff_wild2,"),
        (["-m", "tfrecords_tools", "pack", "--runner=x"], "`--runner` must be one of beam, local."),
        (["-m", "tfrecords_tools", "partition", "x", "--output=y"], "One of `--fractions`, `--folds` must be given."),
        (["-m", "tfrecords_tools", "verify"], "`CORPUS` must be given."),
        (
            ["-m", "tfrecords_tools", "pack", "--layout=omg", "--source=x", "--output=gs://bucket/corpus"],
            "`--output` must be on this computer, where files can be locked and renamed. Received: gs://bucket/corpus.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_of_usage_comes_at_once(command, message):
    status, heavy, printed, errors = answer(*command)
    assert (status, heavy, printed) == (2, [], [])
    (line,) = errors
    assert line.startswith("error: ")
    assert message in line


def test_the_names_that_help_lists_are_those_that_there_are():
    from affwildnet.commands import export_command
    from affwildnet.evaluation.reporting import submission_rules
    from affwildnet.evaluation.reporting.submissions import FORMATS as SUBMISSIONS
    from affwildnet.export.formats import FORMATS
    from affwildnet.models.precision import PRECISIONS
    from affwildnet.predict.face_stream import FACES
    from tfrecords_tools.layouts import LAYOUTS
    from tfrecords_tools.packing.job_runners import RUNNERS

    assert sorted(corpus_commands.LAYOUTS) == sorted(LAYOUTS)
    assert sorted(corpus_commands.RUNNERS) == sorted(RUNNERS)
    assert tuple(FORMATS) == export_command.NAMES
    assert predict_command.FACES == FACES
    assert predict_command.PRECISIONS == PRECISIONS
    assert set(submission_rules.NAMES) == set(SUBMISSIONS)


def test_a_description_says_which_units_are_built():
    _, _, printed, _ = answer("-m", "affwildnet.experiments", "sample/affwildnet")
    assert EXPERIMENTS["sample/affwildnet"].model.width == 0.125
    assert "  hidden = (512,), at this width (64,)" in printed
    assert "  recurrent_units = (256, 256), at this width (32, 32)" in printed
