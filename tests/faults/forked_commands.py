"""Imports once what the commands need, and forks a process for each: the other end of `commands`.

It reads requests from the standard input and answers on the standard output, a line of JSON each. TensorFlow is
imported, but not used, before a fork, so that a command costs what it does and not five seconds of imports.
"""

import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback

from tests.faults import file_operations


def serve(requests, answers):
    """Answer requests until there are no more."""
    for line in requests:
        request = json.loads(line)
        answer = {"start": _start, "wait": _wait, "poll": _poll}[request.pop("do")](**request)
        print(json.dumps(answer), file=answers, flush=True)


def prepare(small=True):
    """Import everything, and, with `small`, make every network a small one."""
    for module in ("train", "evaluate", "predict", "export"):
        importlib.import_module(f"affwildnet.commands.{module}_command")
    for module in (
        "affwildnet.evaluation.scored_run",
        "affwildnet.evaluation.watching",
        "affwildnet.export.saved_model",
        "affwildnet.predict.predict_source",
        "affwildnet.predict.predictor",
        "affwildnet.training",
        "tensorflow_datasets",
        "tfrecords_tools.cli",
        "tfrecords_tools.packing.pack",
        "matplotlib.pyplot",
    ):
        importlib.import_module(module)
    if not small:
        return
    from affwildnet import models
    from tests.helpers import small_network

    models.build = small_network.build_small


def _start(function, arguments, output, errors, root, kill_at=None, count_to=None, file_limit=None, pause=None):
    process = os.fork()
    if process:
        return {"pid": process}
    status = 70
    try:
        os.setsid()
        for path, descriptor in ((os.devnull, 0), (output, 1), (errors, 2)):
            opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(opened, descriptor)
            os.close(opened)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        if root:
            file_operations.watch(root, kill_at, count_to, pause)
        module, _, name = function.partition(":")
        status = getattr(importlib.import_module(module), name)(arguments) or 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        file_operations.report()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait(pid, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return {"status": os.waitstatus_to_exitcode(status)}
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return {"status": None}


def _poll(pid):
    ended, status = os.waitpid(pid, os.WNOHANG)
    return {"status": os.waitstatus_to_exitcode(status) if ended else None}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed while importing is no answer
    prepare(small="own_networks" not in sys.argv)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    serve(sys.stdin, answers)
