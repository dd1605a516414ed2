"""A video at which a library ends the process costs itself alone: those after it are predicted."""

import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from affwildnet.predict.frame_sources import FrameSource
from affwildnet.predict.source_progress import SourceProgress, Stage
from affwildnet.runs.card import Card
from affwildnet.runs.checkpoints import write_model
from tests.helpers.paths import ROOT
from tests.helpers.predict_networks import SIZE, small_network

# The command, with a decoder that reads where it must not in b.avi, after its first frame.
COMMAND = """
import os, signal, sys
from affwildnet.commands import predict_command
from affwildnet.predict import frame_sources

read = frame_sources.read_frames

def crashing(path, **more):
    for frame in read(path, **more):
        yield frame
        if path.name == "b.avi":
            os.kill(os.getpid(), signal.SIGSEGV)

frame_sources.read_frames = crashing
sys.exit(predict_command.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_crash_at_one_video_leaves_the_others_to_be_predicted(tmp_path):
    write_model(small_network(), tmp_path / "model.keras", Card(SIZE))
    for name in "abc":
        writer = cv2.VideoWriter(str(tmp_path / f"{name}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (80, 60))
        for _ in range(3):
            writer.write(np.zeros((60, 80, 3), np.uint8))
        writer.release()
    out = tmp_path / "out"
    videos = [tmp_path / f"{name}.avi" for name in "abc"]
    ran = subprocess.run(
        [sys.executable, "-c", COMMAND, *videos, f"--model={tmp_path / 'model.keras'}", f"--output={out}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stderr
    (line,) = (line for line in ran.stderr.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {tmp_path / 'b.avi'}: SIGSEGV has ended its prediction: a library crashes")
    assert ran.stdout.splitlines()[-1] == "2 of 3 videos predicted, 1 failed"
    names = [f"{name}.{suffix}" for name in "ac" for suffix in ("csv", "json", "png")]
    assert sorted(path.name for path in out.iterdir()) == names
    assert ran.stdout.count("a.avi: 3 frames") == 1


def test_a_crash_is_that_of_the_source_that_was_begun(tmp_path):
    sources = [FrameSource(name, f"{name}.avi", None, None, None) for name in ("a", "b*", "bc")]
    progress = SourceProgress(sources, tmp_path)
    assert progress.crashed(signal.SIGSEGV) is None
    waiting = progress.waiting()
    progress.end(next(waiting), Stage.DONE)
    assert next(waiting) is sources[1]
    for name in (".partial-b*.csv", ".partial-bc.csv"):
        (tmp_path / name).touch()
    assert "b*.avi: SIGKILL has ended its prediction, probably for lack of memory" in str(progress.crashed(9))
    assert [path.name for path in tmp_path.iterdir()] == [".partial-bc.csv"]
    assert [source.name for source in progress.waiting()] == ["bc"]
    assert [progress.count(stage) for stage in Stage] == [0, 1, 1, 0, 1]
