"""train.py and evaluate.py as a user starts them: what is wrong is said in one line."""

import json
import subprocess
import sys
import time

import pytest

from affwildnet.runs.json_files import read_lines
from tests.helpers.paths import ROOT
from tests.helpers.trainings import started

TINY_FLAGS = [
    "--experiment=ijcv2019/affwildnet_vggface",
    *(
        f"--set={assignment}"
        for assignment in (
            "model.backbone=cnn_m",
            "model.image_size=32",
            "model.width=0.02",
            "training.window=4",
            "training.balance=",
            "training.log_steps=1",
        )
    ),
]


def command(script, *flags):
    return [sys.executable, str(ROOT / script), *map(str, flags)]


def start(script, *flags, cwd=ROOT):
    return subprocess.run(command(script, *flags), cwd=cwd, capture_output=True, text=True)


def refused(run, message):
    """Check for status 2 and exactly one line, which begins with error: and holds the message."""
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    lines = [line for line in run.stderr.splitlines() if line]
    assert [line.startswith("error: ") for line in lines] == [True], run.stderr
    assert message in lines[0]


@pytest.mark.parametrize(
    ("script", "flags", "missing"),
    [
        ("train.py", [], ["--workdir"]),
        ("train.py", ["--workdir=nowhere"], ["--experiment"]),
        ("train.py", ["--experiment=ijcv2019/cnn_m", "--data_dir=x"], ["--workdir"]),
        ("evaluate.py", [], ["--workdir"]),
    ],
)
def test_missing_flags_are_named(script, flags, missing):
    run = start(script, *flags)
    refused(run, "must be given")
    assert all(f"`{name}`" in run.stderr for name in missing)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--experiment=ijcv2019/affwildnet_vgface"], "Did you mean ijcv2019/affwildnet_vggface?"),
        (["--experiment=ijcv2019/cnn_m", "--set=training.batchsize=2"], "Did you mean training.batch_size?"),
        (["--experiment=ijcv2019/cnn_m", "--set", "training.flip=2"], "must be of type bool. Received: '2'"),
        (["--experiment=ijcv2019/cnn_m", "more", "a=b", "again"], "may follow the flags. Received: more again"),
        (["--experiment=ijcv2019/cnn_m", "training.stps=2"], "Did you mean training.steps?"),
    ],
)
def test_train_refuses_in_one_line(flags, message, tmp_path):
    refused(start("train.py", "--data_dir=nowhere", f"--workdir={tmp_path / 'w'}", *flags), message)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--watch", "--export=x"], "`--export` cannot be used with `--watch`."),
        (["--watch", "--report=x"], "`--report` cannot be used with `--watch`."),
        (["--watch", "--compare"], "`--compare` cannot be used with `--watch`."),
        (["--watch", "--checkpoint=best_mean"], "`--checkpoint` cannot be used with `--watch`."),
        (["--patience=3"], "`--patience` needs `--watch`."),
        (["--timeout=0"], "`--timeout` needs `--watch`."),
        (["stray", "words"], "Nothing may follow the flags. Received: stray words"),
    ],
)
def test_evaluate_refuses_in_one_line(flags, message):
    refused(start("evaluate.py", "--workdir=nowhere", *flags), message)


def test_a_split_that_is_none_is_refused():
    refused(start("evaluate.py", "--workdir=nowhere", "--split=training"), "must be one of train, validation, test.")


def test_checkpoints_are_chosen_on_validation_alone():
    refused(start("evaluate.py", "--workdir=nowhere", "--watch", "--split=test"), "`--split` must be validation")


@pytest.mark.parametrize(
    ("arguments", "now"),
    [
        (
            ["train.py", "--experiment=x", "--data_dir=y", "--workdir=z", "--folds=f"],
            "--fold_file=FILE",
        ),
        (["evaluate.py", "--workdir=x", "--folds"], "--all_folds"),
        (["-m", "affwildnet.baselines", "--data_dir=x", "--workdir=y", "--folds", "z.json"], "--fold_file=FILE"),
    ],
)
def test_a_flag_of_earlier_versions_names_the_present_one(arguments, now):
    run = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    refused(run, f"`--folds` is now `{now}`.")


@pytest.mark.slow
def test_what_is_missing_is_told_from_a_bug(tiny_folder, tmp_path):
    workdir = started(tmp_path / "workdir", tiny_folder)
    refused(start("evaluate.py", f"--workdir={workdir.path}"), "best_mean, which is not there yet")
    run = start("train.py", *TINY_FLAGS, f"--data_dir={tmp_path}", f"--workdir={tmp_path / 'new'}", "--gpu=0")
    refused(run, "not a packed corpus")
    assert run.stdout == ""


@pytest.mark.slow
def test_train_and_evaluate_side_by_side_from_start_to_export(tiny_folder, tmp_path):
    """As `make demo` goes: both at once, the evaluator first, then the report of the best; started from elsewhere."""
    workdir, elsewhere = tmp_path / "workdir", tmp_path / "elsewhere"
    elsewhere.mkdir()
    log = tmp_path / "watcher.log"
    watch = command("evaluate.py", f"--workdir={workdir}", "--watch", "--timeout=3", "--gpu=-1")
    with log.open("w") as output, subprocess.Popen(watch, cwd=elsewhere, stdout=output, stderr=output) as watcher:
        train = start(
            "train.py",
            *TINY_FLAGS,
            f"--data_dir={tiny_folder}",
            f"--workdir={workdir}",
            "--gpu=-1",
            "--set=training.checkpoint_steps=5",
            "training.steps=12",
            cwd=elsewhere,
        )
        assert train.returncode == 0, train.stderr
        assert "finished at step 12: all steps are done" in train.stdout
        assert watcher.wait(timeout=120) == 0, log.read_text()
    noted = read_lines(workdir / "metrics.jsonl")
    assert noted[-1]["step"] == 12
    assert [line["step"] for line in noted] == [5, 10, 12]
    best = max((line for line in noted if "ccc" in line), key=lambda line: line["ccc"]["mean"])
    noted = json.loads((workdir / "best" / "best_mean.json").read_text())
    assert noted.pop("contents")
    assert noted == best

    saved, copy = tmp_path / "saved", tmp_path / "copy.json"
    flags = (f"--workdir={workdir}", "--split=validation", "--compare", f"--export={saved}", f"--report={copy}")
    began = time.time()
    run = start("evaluate.py", *flags, cwd=elsewhere)
    assert run.returncode == 0, run.stderr
    stored = json.loads((workdir / "report-validation.json").read_text())
    assert json.loads(copy.read_text()) == stored
    assert stored["step"] == best["step"]
    for metric in ("ccc", "mse"):  # the watcher and the report, two processes, agree
        assert stored[metric] == pytest.approx(best[metric], abs=1e-5)
    assert "ijcv2019 table 9: AffWildNet" in run.stdout
    assert "32 of 32 labelled frames of 2 validation videos scored" in run.stdout
    assert f"SavedModel  {saved}" in run.stdout
    assert (saved / "saved_model.pb").stat().st_mtime >= began - 1
    provenance = json.loads((saved / "assets.extra" / "affwildnet.json").read_text())
    assert provenance["step"] == best["step"]
    assert provenance["experiment"] == "ijcv2019/affwildnet_vggface"
    assert not list(elsewhere.iterdir())
