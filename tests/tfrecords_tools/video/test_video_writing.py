"""A video is written whole or not at all."""

import errno
import os

import numpy as np
import pytest

from tfrecords_tools.video.reading import read_frames
from tfrecords_tools.video.writing import VideoWriter

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 255, (64, 96, 3), np.uint8)


@pytest.mark.parametrize("frames", [1, 30])
def test_all_frames_are_there(frames, tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 25, (96, 64)) as video:
        for _ in range(frames):
            video.write(NOISE)
    assert len(list(read_frames(tmp_path / "v.mp4"))) == frames
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of resources")
def test_a_video_that_could_not_be_written_whole_is_an_error_and_leaves_nothing(tmp_path):
    """Under a limit on the size of files, as on a full disk, OpenCV drops frames without a word."""
    child = os.fork()
    if not child:
        try:
            os._exit(_write_under_a_limit(tmp_path / "v.mp4"))
        finally:
            os._exit(1)  # whatever happens, it does not go on with the tests
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EIO
    assert list(tmp_path.iterdir()) == []


def _write_under_a_limit(path):
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        with VideoWriter(path, 25, (96, 64)) as video:
            for _ in range(60):
                video.write(RNG.integers(0, 255, (64, 96, 3), np.uint8))
    except OSError as error:
        return error.errno
    return 0
