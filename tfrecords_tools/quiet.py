"""Imports TensorFlow without its start-up chatter, which no setting of its own turns off."""

import os
import re
import sys
import tempfile

_CHATTER = re.compile(rb"I0000 |WARNING: All log messages before absl|To enable the following instructions")


def import_tensorflow() -> None:
    """Import TensorFlow; of what its libraries print meanwhile, lines of information are dropped, all else is passed.

    Call it before anything else imports TensorFlow. To see everything, set the variable AFFWILDNET_VERBOSE.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" in sys.modules or os.environ.get("AFFWILDNET_VERBOSE"):
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        # The libraries write to the file descriptor, past sys.stderr.
        os.dup2(printed.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # the second half of the chatter comes with the first use
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            kept = [line for line in printed if not _CHATTER.match(line)]
            os.write(2, b"".join(kept))
