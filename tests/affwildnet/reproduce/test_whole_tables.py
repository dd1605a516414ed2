"""Folds, a decision fusion and stages, each a table from plan to page: its commands run, in forked processes."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from affwildnet.experiments.tables import get_table
from affwildnet.reproduce import job_runs, reproducing, row_jobs
from affwildnet.reproduce.gpu_pairs import Pair
from affwildnet.reproduce.job_runs import DONE
from affwildnet.reproduce.table_request import Request
from tests.faults.commands import Commands
from tests.helpers.corpora import make_corpus
from tfrecords_tools.records import manifest

pytestmark = pytest.mark.slow
TINY = (
    "model.width=0.02",
    "model.image_size=32",
    "training.steps=1",
    "training.checkpoint_steps=1",
    "training.window=4",
    "training.batch_size=2",
    "evaluation.window=16",
)


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    forking = Commands(tmp_path_factory.mktemp("commands"), own_networks=True)
    yield forking
    forking.close()


@pytest.fixture
def forked(commands, monkeypatch):
    """Have the processes of a table forked from one that has imported TensorFlow."""

    class Forked:
        def __init__(self, command, stdout, **_):
            module, *arguments = command[2:]
            if module == "affwildnet" and arguments[0] == "partition":
                function = "tfrecords_tools.cli:main"
            elif module == "affwildnet":
                function = f"affwildnet.commands.{arguments.pop(0)}_command:main"
            else:
                function = f"{module}:main"
            self._log, self._started, self._status = Path(stdout.name), commands.start(function, *arguments), None

        def poll(self):
            if self._status is None and (status := commands.poll(self._started)) is not None:
                self._status = status
                texts = [Path(self._started[1][name]).read_text() for name in ("output", "errors")]
                self._log.write_text("".join(texts))
            return self._status

        def terminate(self):
            os.kill(self._started[0], signal.SIGKILL)

        def wait(self, timeout):
            until = time.monotonic() + timeout
            while self.poll() is None and time.monotonic() < until:
                time.sleep(0.05)

    parts = ("DEVNULL", "STDOUT", "TimeoutExpired")
    module = SimpleNamespace(Popen=Forked, **{name: getattr(subprocess, name) for name in parts})
    monkeypatch.setattr(job_runs, "subprocess", module)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return a function that gives a corpus of a layout; the landmarks of its utterances say what the label is."""
    root, rng, videos = tmp_path_factory.mktemp("packed"), np.random.default_rng(0), []
    for split, number in (("train", 6), ("validation", 4), ("test", 4)):
        for index in range(number):
            label = (0.1 + 0.8 * index / number, rng.uniform(0.1, 0.9))
            landmarks = np.full((16, 68, 2), 0.3, np.float32)
            landmarks[:, :34, 0] += label[0]
            landmarks[:, 34:, 1] += label[1]
            name = f"{split[:2]}_utterance_{index}"
            videos.append({"frames": 16, "split": split, "video": name, "labels": [label] * 16, "landmarks": landmarks})
    first = make_corpus(root / "first", videos)

    def of(layout, alignment="crop"):
        if not (root / layout).exists():
            shutil.copytree(root / "first", root / layout)
            manifest.save(replace(first, layout=layout, alignment=alignment), root / layout)
        return root / layout

    return of


def reproduced(name, corpus, tmp_path, *settings, only=()):
    """Run a table; return its states and what table.json holds."""
    request = Request(get_table(name), corpus, tmp_path / "run", (*TINY, *settings), only=only)
    states = reproducing.reproduce(request, row_jobs.plan(request), [Pair()])
    assert set(states.values()) == {DONE}, states
    stored = json.loads((tmp_path / "run" / "table.json").read_text())
    return states, {row["row"]: row for row in stored["rows"]}


def test_folds_are_trained_and_scored_together(forked, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(row_jobs, "FOLDS", 3)
    states, rows = reproduced("ijcv2019/11", packed("afew_va"), tmp_path)
    assert list(states) == ["afew_va_affwildnet"]
    report = json.loads((tmp_path / "run/afew_va_affwildnet/report-test.json").read_text())
    assert sorted(report["folds"]) == [4, 5, 5]
    row = rows["Fine-tuned AffWildNet"]
    assert row["here"]["pearson"]["valence"]["score"] == report["pearson"]["valence"]
    assert row["state"] == "rehearsal"


def test_a_decision_fusion_is_made_from_its_members_also_in_a_rehearsal(forked, packed, tmp_path):
    states, rows = reproduced("omg2019/3", packed("omg", "procrustes"), tmp_path, only=("decision_fusion",))
    assert list(states) == ["cnn_1rnn", "cnn_3rnn", "decision_fusion"]
    for words, file in (("with", "report-test"), ("without", "report-test-post_process=")):
        report = json.loads((tmp_path / f"run/decision_fusion/{file}.json").read_text())
        row = rows[f"Decision-Level Fusion, {words} post-processing"]
        assert row["here"]["ccc"]["mean"]["score"] == report["ccc"]["mean"]
        assert row["report"].endswith(f"{file}.json")
        for name in ("omg2019/cnn_1rnn", "omg2019/cnn_3rnn"):  # each network counts
            assert any(reason.endswith(f"({name})") for reason in row["rehearsal"])
            assert f"{name}: model.width is 0.02, in the experiment 1.0." in row["differs"]


def test_a_stage_is_compared_with_the_stages_of_the_paper(forked, packed, tmp_path):
    states, rows = reproduced("thesis2018/6.2", packed("thesis"), tmp_path, only=("vggface_gru_c0",))
    assert list(states) == ["vggface_gru_c0"]
    for nth in ("first", "second"):
        row = rows[f"GRU, {nth} checkpoint"]
        assert "/vggface_gru_c0/c0/report-test-best_" in row["report"]
        assert not any("stages" in sentence or "init_skip" in sentence for sentence in row["differs"])
        assert any("training.window is 4" in sentence for sentence in row["differs"])
        assert "random weights in place of those of VGG-Face" in row["rehearsal"]
