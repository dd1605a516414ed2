"""`affwildnet reproduce`: errors of one line that write nothing; whole tables through real processes, also killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from affwildnet.commands.reproduce_command import main
from affwildnet.runs.json_files import write_json
from tests.helpers.corpora import make_corpus
from tests.helpers.paths import ROOT

# A network of a few thousand weights on the crops of `sample_clips`.
LEAN = (
    "model.width=0.03", "training.steps=4", "training.checkpoint_steps=2", "training.window=8", "training.batch_size=2",
    "training.balance=", "evaluation.window=30", "data.layout=aff_wild",
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "packed"
    make_corpus(folder, [{"frames": 4, "split": split} for split in ("train", "validation", "test")], image_size=96)
    return folder


def one_line(capsys, *arguments):
    """Run the command; return its one line of error."""
    assert main(list(map(str, arguments))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_errors_are_one_line_and_write_nothing(corpus, tmp_path, capsys):
    run = tmp_path / "run"
    given = ("ijcv2019/9", f"--data_dir={corpus}", f"--workdir={run}")
    for arguments, message in (
        (("ijcv2019/99",), "Received: ijcv2019/99. Did you mean ijcv2019/9?"),
        (("ijcv2019/9",), "`--data_dir` must be given to reproduce ijcv2019/9."),
        ((*given, "--pairs=0:1,1:2"), "`--pairs` must name each GPU once. Received: 1 twice in 0:1,1:2"),
        ((*given, "--rows=vgg_face"), "`--rows` must name experiments of ijcv2019/9:"),
        ((*given, "--weights=vgg_face=gone.mat"), "`--weights` must name what is there. Received: gone.mat"),
        ((*given, "--set", "model.widht=1"), "Did you mean model.width?"),
        ((*given, "--figures", "--figure_frames=9:2"), "`--figure_frames` must be from 1 on and rise."),
        (("omg2019/8", f"--data_dir={corpus}", f"--workdir={run}"), "needs a corpus of the layout omg"),
        (("ijcv2019/9", f"--data_dir={tmp_path}", f"--workdir={run}"), "not a packed corpus"),
    ):
        assert message in one_line(capsys, *arguments)
        assert not run.exists()


def test_a_working_directory_of_something_else_is_refused(corpus, tmp_path, capsys):
    given = ("ijcv2019/9", f"--data_dir={corpus}", f"--workdir={tmp_path}", "--set", "model.width=0.1")
    (tmp_path / "vggface").mkdir()
    write_json(tmp_path / "vggface" / "experiment.json", {"experiment": {"name": "ijcv2019/cnn_m"}})
    assert "must hold ijcv2019/vggface. Received: a run of ijcv2019/cnn_m." in one_line(capsys, *given)
    write_json(tmp_path / "reproduction.json", {"table": "ijcv2019/8", "data_dir": str(corpus.resolve())})
    assert "must be of one table and one corpus. Received: table ijcv2019/9; it holds ijcv2019/8" in one_line(
        capsys, *given
    )
    assert not (tmp_path / "table.json").exists()


def test_a_dry_run_prints_the_commands_and_writes_nothing(corpus, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["ijcv2019/9", f"--data_dir={corpus}", f"--workdir={run}", "--dry_run", "--set", "model.width=0.1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count(" train --experiment=ijcv2019/") == 5
    assert printed.count("--watch") == 5
    assert not run.exists()


def test_a_row_without_its_weights_is_listed_with_what_is_missing(corpus, tmp_path, capsys):
    given = ["ijcv2019/9", f"--data_dir={corpus}", f"--workdir={tmp_path / 'run'}", "--rows=vggface"]
    assert main(given) == 1
    assert "lacks: weights of VGG-Face: --weights=vgg_face=FILE" in capsys.readouterr().out
    assert "lacks: weights of VGG-Face" in (tmp_path / "run" / "table.md").read_text()


def command(*arguments):
    return [sys.executable, "-m", "affwildnet.reproduce", *map(str, arguments)]


def killed_when(arguments, there):
    """Start the command, and kill it with all its processes once `there` returns true."""
    driver = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 240
    while not there() and driver.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert driver.poll() is None, "it ended before it could be killed"
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


@pytest.mark.slow
def test_a_whole_table_is_there_although_it_was_killed_twice(packed_sample, tmp_path):
    """RECOLA's table on the sample corpus: a network is pre-trained and fine-tuned, another one trained."""
    run = tmp_path / "run"
    arguments = (
        "ijcv2019/10",
        f"--data_dir={packed_sample}",
        f"--workdir={run}",
        f"--corpus=aff_wild={packed_sample}",
        "--set",
        *LEAN,
    )
    first, second = run / "pretrained-aff_wild-affwildnet_vggface", run / "recola_affwildnet"
    killed_when(arguments, lambda: any((first / "checkpoints").glob("step-*.keras")))
    killed_when(arguments, lambda: (second / "metrics.jsonl").exists() and (second / "finished.json").exists())
    done = (first / "reproduced.json").stat().st_mtime_ns
    ended = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (first / "reproduced.json").stat().st_mtime_ns == done  # what was done was not done again
    stored = json.loads((run / "table.json").read_text())
    assert [(row["row"], row["state"]) for row in stored["rows"]] == [
        ("Fine-tuned AffWildNet", "rehearsal"), ("ResNet-GRU", "rehearsal"),
    ]  # fmt: skip
    for row in stored["rows"]:
        report = json.loads((run / row["experiment"].split("/")[1] / "report-test.json").read_text())
        assert row["here"]["ccc"]["valence"]["score"] == report["ccc"]["valence"]
        assert "The row is of RECOLA, test set; these scores are of tiny" not in row["differs"]
        assert any("another corpus" in sentence for sentence in row["differs"])
    # The fine-tuned network began with the best checkpoint of the pre-training.
    begun = json.loads((second / "experiment.json").read_text())["experiment"]["training"]["init"]
    assert begun == str(first / "best" / "best_mean.keras")
    assert "a rehearsal" in (run / "table.html").read_text()
    # Once more: nothing is run, and nothing changes.
    report = (second / "report-test.json").stat().st_mtime_ns
    subprocess.run(command(*arguments), cwd=ROOT, check=True, capture_output=True)
    assert (second / "report-test.json").stat().st_mtime_ns == report


def past(folder):
    """Write a corpus whose labels are what the landmarks of the frame before say, and those of the frame do not."""
    rng, frames, videos = np.random.default_rng(0), 64, []
    for split, number in (("train", 5), ("validation", 2), ("test", 9)):
        for _ in range(number):
            said = rng.uniform(-1, 1, (frames, 2))
            landmarks = np.full((frames, 68, 2), 0.5, np.float32)
            landmarks[:, :34, 0] += 0.4 * said[:, :1]
            landmarks[:, 34:, 1] += 0.4 * said[:, 1:]
            labels = np.vstack([np.zeros((1, 2)), 0.9 * said[:-1]])
            videos.append({"frames": frames, "split": split, "labels": labels, "landmarks": landmarks})
    make_corpus(folder, videos)
    return folder


@pytest.mark.slow
def test_where_the_label_depends_on_the_past_alone_the_cnn_loses_to_its_rnn_and_the_table_says_so(tmp_path):
    run = tmp_path / "run"
    settings = (
        "model.width=0.03", "model.image_size=32", "model.hidden=800", "model.recurrent_units=600,600",
        "model.dropout=0", "model.recurrent_dropout=0", "training.steps=60", "training.checkpoint_steps=60",
        "training.window=32", "training.batch_size=6", "training.balance=", "training.learning_rate=0.01",
    )  # fmt: skip
    arguments = (
        "ijcv2019/9",
        "--rows=vggface,affwildnet_vggface",
        f"--data_dir={past(tmp_path / 'past')}",
        f"--workdir={run}",
        "--figures",
        "--set",
        *settings,
    )
    ended = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    order = json.loads((run / "table.json").read_text())["order"]
    assert order["rows"] == order["here"] == ["AffWildNet", "VGG-Face"]
    (pair,) = order["pairs"]
    assert pair["here"] > 0.5
    assert pair["probability"] == order["whole"] == 1
    text = (run / "table.md").read_text()
    assert "By CCC, mean, the order here is the paper's: AffWildNet > VGG-Face." in text
    assert "(above with probability 1.00); +0.080 in the paper." in text
    assert len(list((run / "figures").glob("*.png"))) == 5
