"""A trained network as a SavedModel that needs nothing of this package."""

import json
import os
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from affwildnet.metrics import DIMENSIONS
from tfrecords_tools import schema
from tfrecords_tools.errors import UserError

DESCRIPTION = "affwildnet.json"


def export(model: keras.Model, folder: Path, provenance: dict) -> None:
    """Writes a SavedModel; it appears whole, in place of an earlier export.

    Its signature `serving_default` takes `frames`, uint8 RGB faces [B, T, S, S, 3], and, where the network uses them,
    `landmarks`, float32 [B, T, 68, 2] in the crop divided by its side; it returns `valence_arousal`, float32 [B, T, 2].
    B and T are free. `assets.extra/affwildnet.json` says the same, with `provenance`.

    Raises:
      UserError: if `folder` holds something that is no export, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / "saved_model.pb").is_file():
        raise UserError(f"`--export` must be a new folder or an earlier export. Received: {folder}")
    specs = [tf.TensorSpec(tensor.shape, tf.dtypes.as_dtype(tensor.dtype), name=tensor.name) for tensor in model.inputs]

    def serve(*inputs):
        named = {spec.name: value for spec, value in zip(specs, inputs, strict=True)}
        return {model.output_names[0]: model(named, training=False)}

    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serving_default", serve, input_signature=specs)
        archive.write_out(partial, verbose=False)
        _describe(partial, specs, model, provenance)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except OSError as error:
        raise UserError(f"`--export={folder}` cannot be written: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _describe(folder: Path, specs: list[tf.TensorSpec], model: keras.Model, provenance: dict) -> None:
    inputs = {
        "frames": "RGB face crops, pixel values 0 to 255",
        "landmarks": "68 iBUG points, x and y in the crop divided by its side",
    }
    description = {
        "inputs": {
            spec.name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name, "holds": inputs[spec.name]}
            for spec in specs
        },
        "output": {model.output_names[0]: list(DIMENSIONS), "shape": [None, None, len(DIMENSIONS)]},
        "colour_order": schema.COLOUR_ORDER,
        **provenance,
    }
    assets = folder / "assets.extra"
    assets.mkdir()
    (assets / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", "utf-8")
