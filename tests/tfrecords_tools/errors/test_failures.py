"""Every exception of a command is one line with a status: no traceback, unless it is asked for."""

import errno
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tfrecords_tools.commands import Parser, run
from tfrecords_tools.errors import UserError, check_choice, exit_status, message_of
from tfrecords_tools.errors.failures import is_full_disk
from tfrecords_tools.errors.room import needing
from tfrecords_tools.errors.terminal import printable


class OpError(Exception):
    """As TensorFlow's; recognised by its name and module alone."""

    def __init__(self, message):
        super().__init__(message)
        self.message = message


class ResourceExhaustedError(OpError):
    pass


class DataLossError(OpError):
    pass


class FailedPreconditionError(OpError):
    pass


class InternalError(OpError):
    pass


for kind in (OpError, ResourceExhaustedError, DataLossError, FailedPreconditionError, InternalError):
    kind.__module__ = "tensorflow.python.framework.errors_impl"


def raises(error):
    def command():
        raise error

    return command


def shown(error, capsys, **settings):
    """Return the status of a command that fails so, and its one line."""
    status = exit_status(raises(error), **settings)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    return status, printed.err.rstrip("\n")


def test_of_many_names_a_message_has_some():
    check_choice("video", "v7", [f"v{number}" for number in range(2000)])
    with pytest.raises(UserError) as raised:
        check_choice("video", "v2001", [f"v{number}" for number in range(2000)])
    assert str(raised.value) == (
        "`video` must be one of 2,000, such as v0, v1, v2. Received: v2001. Did you mean v201?"
    )
    with pytest.raises(UserError, match=r"`split` must be one of train, test\. Received: x\."):
        check_choice("split", "x", ["train", "test"])


@pytest.mark.parametrize(
    ("error", "status", "parts"),
    [
        (UserError("two\n  lines"), 2, ["error: two lines"]),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), 2, ["no space is left", "/tmp/x", "B are free"]),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 2, ["the quota of the disk is used up", "Make room"]),
        (OSError(errno.EFBIG, "File too large", "x"), 2, ["larger than", "ulimit -f"]),
        (OSError(errno.EROFS, "Read-only file system", "/mnt/x"), 2, ["read-only: /mnt/x."]),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/x"), 2, ["no permission: /srv/x", "permissions."]),
        (OSError("No space left on device"), 2, ["no space is left"]),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), 2, ["No such file", "x"]),
        (MemoryError(), 2, ["memory is not enough", "batch_size"]),
        (np._core._exceptions._ArrayMemoryError((10**9, 10**9), np.dtype("f4")), 2, ["memory is not enough"]),
        (ModuleNotFoundError("No module named 'onnx.x'", name="onnx.x"), 2, ["package onnx is not installed"]),
        (ResourceExhaustedError("/x/y; No space left on device"), 2, ["no space is left", "/x/y"]),
        (ResourceExhaustedError("OOM when allocating tensor with shape[9]"), 2, ["memory is not enough", "shape[9]"]),
        (DataLossError("truncated record at 5\n\t [[{{node x}}]]\nDetected at node x"), 2, ["cut off", "verify"]),
        (FailedPreconditionError("/w/tensorboard is not a directory"), 2, ["a folder must be", "/w/tensorboard"]),
        (InternalError("strange"), 70, ["not foreseen: InternalError: strange", "report it", "--verbose"]),
        (KeyError("x"), 70, ["not foreseen: KeyError: 'x'", "Please report it with the output of --verbose."]),
        (AssertionError(), 70, ["AssertionError: no message"]),
        (KeyboardInterrupt(), 130, ["interrupted", "stands"]),
    ],
)
def test_an_exception_is_one_line(error, status, parts, capsys):
    got, line = shown(error, capsys)
    assert got == status
    assert all(part in line for part in parts), line
    assert "Detected at" not in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/nowhere/x; No such file or directory [Op:ReadFile]",
            "/nowhere/x; No such file or directory",
        ),
        ("corrupted record at 7\n\t [[{{node a/b}}]] [Op:IteratorGetNext] name: ", "corrupted record at 7"),
        ("{{node a}} corrupted record at 7 [Op:IteratorGetNext] name: ", "corrupted record at 7"),
        ("of {x} [y]", "of {x} [y]"),
    ],
)
def test_what_tensorflow_was_computing_is_left_out(text, message):
    assert message_of(DataLossError(text)) == message


def test_a_full_disk_says_how_much_room_is_needed(tmp_path, capsys):
    def command():
        with needing(5_000_000_000), needing(lambda: 430_000_000):  # the inner one knows better
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a/b"))

    assert exit_status(command) == 2
    line = capsys.readouterr().err
    assert re.search(r"/a/b\. [\d,.]+ [kMG]B are free there, about 430 MB are needed\.", line), line


def test_opencv_is_named(capsys):
    with pytest.raises(cv2.error) as raised:
        cv2.cvtColor(np.zeros((2, 2), np.uint8), cv2.COLOR_BGR2GRAY)
    status, line = shown(raised.value, capsys)
    assert status == 2
    assert line.startswith("error: OpenCV cannot work on an image or a video: OpenCV(")


def test_the_real_classes_of_tensorflow_are_recognised():
    from tensorflow import errors

    assert is_full_disk(errors.ResourceExhaustedError(None, None, "x; No space left on device"))
    assert not is_full_disk(errors.ResourceExhaustedError(None, None, "OOM"))


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_the_traceback_is_shown_on_request(way, capsys, monkeypatch):
    monkeypatch.setenv("AFFWILDNET_DEBUG", "1" if way == "variable" else "0")
    parser = Parser(prog="try.py")
    assert run(parser, lambda options: {}["x"], ["--verbose"] if way == "flag" else []) == 70
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last)")
    assert printed.splitlines()[-1].startswith("error: not foreseen: KeyError")


def test_what_a_terminal_obeys_is_written_out(capsys):
    def command():
        print("a\x1b[2Jb\tc")
        print("left out: \x9bx\u202ey", file=sys.stderr)
        raise UserError("bad \x1b]0;title\x07")

    assert exit_status(command) == 2
    printed = capsys.readouterr()
    assert printed.out == "a\\x1b[2Jb\tc\n"
    assert printed.err.splitlines() == ["left out: \\x9bx\\u202ey", "error: bad \\x1b]0;title\\x07"]
    assert printable("ä é 中 \n\t") == "ä é 中 \n\t"


def in_a_process(code, **settings):
    # Its output is buffered as it is for users, so that the last of it is written when the command has ended.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=own, text=True, stderr=subprocess.PIPE, **settings)


LISTING = "import sys; from affwildnet.commands.experiments_command import main; sys.exit(main([]))"
SHORT = "import sys; from tfrecords_tools.errors import exit_status; sys.exit(exit_status(lambda: print('a')))"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("code", [LISTING, SHORT], ids=["while it is written", "when it is flushed"])
def test_an_output_that_is_full_is_one_line(code):
    with open("/dev/full", "w") as full:
        ended = in_a_process(code, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no space is left on the disk")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("code", [LISTING, SHORT], ids=["while it is written", "when it is flushed"])
def test_a_closed_pipe_is_no_error(code):
    reader, writer = os.pipe()
    os.close(reader)
    ended = in_a_process(code, stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_name_that_is_no_text_can_be_printed():
    code = "from tfrecords_tools.errors import exit_status; exit_status(lambda: print('\\udcff'))"
    ended = in_a_process(code, stdout=subprocess.PIPE)
    assert (ended.stdout, ended.stderr) == ("\\udcff\n", "")
