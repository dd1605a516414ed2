"""Benchmarks: a script for each claim of speed, which prints a table and can write it as JSON.

`python -m benchmarks.reading --help` shows how to run one, and `python -m benchmarks.all` runs all of them.
"""

import importlib.util
import os

from tfrecords_tools.quiet import import_tensorflow

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# `benchmarks.gpu` also runs where there is no TensorFlow.
if os.environ["KERAS_BACKEND"] == "tensorflow" and importlib.util.find_spec("tensorflow"):
    import_tensorflow()
