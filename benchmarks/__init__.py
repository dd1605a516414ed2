"""Claims of speed, each a script that prints a table and writes JSON: `python -m benchmarks.reading --help`."""

import os

from tfrecords_tools.quiet import import_tensorflow

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import_tensorflow()
