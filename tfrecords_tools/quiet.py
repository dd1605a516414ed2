"""TensorFlow without its start-up chatter, which no setting of its own turns off."""

import contextlib
import gc
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder

_CHATTER = re.compile(rb"I0000 |WARNING: All log messages before absl|To enable the following instructions")


def import_tensorflow() -> None:
    """Import TensorFlow and look for its devices, without the chatter of both."""
    with without_chatter(), contextlib.nullcontext() if "tensorflow" in sys.modules else nothing_to_collect():
        import tensorflow as tf

        tf.config.list_physical_devices()  # the second half of the chatter comes with the first use


def quieten_tensorflow() -> None:
    """Have TensorFlow be imported without its chatter, whoever imports it first. Both packages call it."""
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Have the garbage collector pass over what is made within the block, then and for ever.

    Half a million objects come with TensorFlow and stay. The collector would look through them again and again while
    they come, a quarter of the time of the import, and whenever it looks for garbage later.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Within the block, drop lines of information that libraries print to the standard error; pass on all else.

    To see everything, set the variable AFFWILDNET_DEBUG.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if os.environ.get("AFFWILDNET_DEBUG", "") not in ("", "0"):
        yield
        return
    try:
        sys.stderr.flush()
        printed, stderr = tempfile.TemporaryFile(), os.dup(2)  # noqa: SIM115
    except (OSError, AttributeError, ValueError):  # no standard error, or nowhere to keep what is printed there
        yield
        return
    with printed:
        # The libraries write to the file descriptor, past sys.stderr.
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            if kept := b"".join(line for line in printed if not _CHATTER.match(line)):
                os.write(2, kept)


class _Finder(MetaPathFinder):
    """Finds TensorFlow once, as the finders after it do, with a loader that is quiet."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        # What looks at the module later finds the loader that it has elsewhere.
        module.__spec__.loader = module.__loader__ = self._loader
        with without_chatter():
            self._loader.exec_module(module)
