"""The command lines: one file a command, all with the same shape: `main(arguments, prog)` returns the exit status.

What a command computes with is imported when its arguments have been checked: help and errors of usage come at once.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
