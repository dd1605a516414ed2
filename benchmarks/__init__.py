"""Benchmarks: a script for each claim of speed, which prints a table and can write it as JSON.

`python -m benchmarks.reading --help` shows how to run one.
"""

import os

from tfrecords_tools.quiet import import_tensorflow

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import_tensorflow()
