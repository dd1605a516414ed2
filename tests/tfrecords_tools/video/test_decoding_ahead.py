"""Frames that a thread decodes ahead: the same ones, the same errors, a bounded number, and no thread left behind."""

import gc
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tfrecords_tools.errors import UserError
from tfrecords_tools.video import decoding_ahead
from tfrecords_tools.video.decoding_ahead import FramesAhead
from tfrecords_tools.video.reading import Frame, Frames, given_frames


def numbered(count, decoded=None, error=None, side=8):
    """Frames whose pixels are their number, each noted in `decoded` when it is made."""
    for number in range(1, count + 1):
        if decoded is not None:
            decoded.append(number)
        yield Frame(number, number / 25, np.full((side, side, 3), number, np.uint8), number)
    if error is not None:
        raise error


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "decoding"]


def settled(values):
    """Return how many there are once they no longer become more."""
    seen = -1
    while seen != len(values):
        seen = len(values)
        time.sleep(0.2)
    return seen


@pytest.mark.parametrize("from_frame", [0, 5, 99])
def test_the_frames_are_the_same_whenever_the_thread_begins(from_frame):
    asked = []
    with FramesAhead(lambda: given_frames(numbered(30)), lambda: asked.append(1) or len(asked) > from_frame) as frames:
        counts = []
        for expected, frame in zip(numbered(30), frames, strict=True):
            assert (frame.number, frame.timestamp) == (expected.number, expected.timestamp)
            np.testing.assert_array_equal(frame.image, expected.image)
            counts.append(frames.count)
        assert counts == list(range(1, 31))  # of the frame that was taken, however many are decoded
        assert next(frames, None) is None
    assert len(asked) == (from_frame + 1 if from_frame < 30 else 32)  # once it has begun, nobody asks any more
    assert not threads()


def test_an_error_comes_at_its_frame_with_its_message():
    error = UserError("clip.mp4: damaged.")
    with FramesAhead(lambda: given_frames(numbered(4, error=error))) as frames:
        assert [next(frames).number for _ in range(4)] == [1, 2, 3, 4]
        with pytest.raises(UserError, match="damaged") as raised:
            next(frames)
        assert raised.value is error


def test_an_error_of_opening_is_raised_at_the_first_frame():
    def missing() -> Frames:
        raise UserError("no such file")

    with FramesAhead(missing) as frames, pytest.raises(UserError, match="no such file"):
        next(frames)


@pytest.mark.parametrize(("side", "most"), [(8, decoding_ahead.MOST_FRAMES), (64, decoding_ahead.LEAST_FRAMES)])
def test_few_frames_wait_and_fewer_of_large_ones(side, most, monkeypatch):
    monkeypatch.setattr(decoding_ahead, "MOST_BYTES", 64 * 64 * 3)  # one of the large ones
    decoded = []
    with FramesAhead(lambda: given_frames(numbered(100, decoded, side=side))) as frames:
        next(frames)
        assert settled(decoded) == 1 + most  # taken, and waiting
        next(frames)
        assert settled(decoded) == 2 + most
    assert not threads()
    assert len(decoded) == 2 + most


def test_closing_does_not_wait_for_room(monkeypatch):
    monkeypatch.setattr(decoding_ahead, "_PATIENCE", 1000)
    decoded = []
    with FramesAhead(lambda: given_frames(numbered(100, decoded))) as frames:
        next(frames)
        settled(decoded)
    assert not threads()
    assert next(frames, None) is None


def test_frames_that_nobody_holds_any_more_end_their_thread(monkeypatch):
    monkeypatch.setattr(decoding_ahead, "_PATIENCE", 0.05)
    frames = FramesAhead(lambda: given_frames(numbered(100)))
    next(frames)
    (thread,) = threads()
    del frames
    thread.join(5)
    assert not thread.is_alive()


def test_after_an_error_no_frame_stays_in_memory():
    images = []

    def damaged():
        for frame in numbered(4):
            images.append(weakref.ref(frame.image))
            yield frame
        raise UserError("damaged")

    def read_all():
        with FramesAhead(lambda: given_frames(damaged())) as frames:
            return sum(1 for _ in frames)

    gc.disable()  # which would find them in any circle
    try:
        with pytest.raises(UserError, match="damaged"):
            read_all()
        assert [image() is None for image in images] == [True] * 4
    finally:
        gc.enable()


def test_what_comes_then_is_called_when_all_are_decoded_and_not_after_an_early_end():
    called = threading.Event()
    with FramesAhead(lambda: given_frames(numbered(5)), then=called.set) as frames:
        next(frames)
        assert called.wait(5)  # four frames still wait
        assert [frame.number for frame in frames] == [2, 3, 4, 5]
    called.clear()
    with FramesAhead(lambda: given_frames(numbered(50)), then=called.set) as frames:
        next(frames)
    assert not called.is_set()


ENDINGS = {"end": "sys.exit(0)", "error": "raise ValueError('of the consumer')", "ctrl-c": "raise KeyboardInterrupt"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_though_its_frames_were_not_closed(ending):
    code = (
        "import sys\nfrom tests.tfrecords_tools.video.test_decoding_ahead import *\n"
        f"frames = FramesAhead(lambda: given_frames(numbered(10**6)))\nnext(frames)\n{ENDINGS[ending]}"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, capture_output=True)
    assert ended.returncode == {"end": 0, "error": 1, "ctrl-c": -2}[ending]
