"""Published weights, taken into the networks here: `python -m affwildnet.weights`.

A new source is one file and one line in `SOURCES` of `importing.py`. Nothing is matched in silence: each weight that a
file should have must be there in its shape, and what was done is told in a `Table`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig

if TYPE_CHECKING:
    import keras

    from affwildnet.weights.weight_table import Table


def import_weights(
    source: str, path: str | Path | None, config: ModelConfig, seed: int = 0
) -> tuple["keras.Model", "Table"]:
    """Build a network with published weights.

    Args:
      source: a key of `SOURCES` in `importing.py`, such as "vgg_face_mat".
      path: the file; None only where a source can be had without one.
      config: the network. Its `pixel_mean` and `pixel_scale` are replaced by those of the weights.
      seed: of what the weights do not give; sets Keras's global seed.

    Returns:
      The network, and what went where.

    Raises:
      UserError: if the file is not there or not of this source, or does not fit the network.
    """
    from affwildnet.weights.importing import import_opened

    model, table, _ = import_opened(source, path, config, seed)
    return model, table
