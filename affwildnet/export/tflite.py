"""A trained network as a TFLite file, for phones and small boards: one frame of one video at a time."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.export import description, saved_model
from affwildnet.export.export_folders import replacing
from affwildnet.export.exported_functions import ExportedFunctions, functions_of, in_float32
from affwildnet.models import signature
from affwildnet.models.network_digest import digest
from affwildnet.runs.card import Card

MARKER = description.FILE
STEP = "step.tflite"
FILES = {STEP: "one frame of one video, B = 1 and T = 1: takes the states before it and returns those after it"}
# float16: weights of 16 bits, computed in float32 unless the device can do better. int8: weights of 8 bits in tensors
# of more than 1,024, activations quantised at run time. (The converter accepts bfloat16 but writes float32.)
WEIGHTS = ("float16", "int8")


def write(
    model: keras.Model,
    folder: str | os.PathLike,
    provenance: dict | None = None,
    card: Card | None = None,
    overwrite: bool = False,
    weights: str = "float16",
) -> None:
    """Write a folder with `step.tflite` and the description; it appears whole, in place of an earlier export.

    The file has one signature, `step`, like the SavedModel's but with B = 1 and T = 1. The caller loops over the
    frames, so that all operations are TFLite's own.

    Args:
      model: the network.
      folder: a new folder, or an earlier export of the same network.
      provenance: as for a SavedModel.
      card: as for a SavedModel.
      overwrite: as for a SavedModel.
      weights: one of `WEIGHTS`.

    Raises:
      UserError: if `folder` holds something other than an export, or cannot be written; or as `functions_of`.
    """
    with replacing(Path(folder), MARKER, model, card, overwrite) as partial:
        made = functions_of(in_float32(model))
        (partial / STEP).write_bytes(_converted(made, weights))
        described = description.describe(made, digest(model), card, {**(provenance or {}), "weights": weights}, FILES)
        description.write(partial / MARKER, described)


def _converted(made: ExportedFunctions, weights: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        # Only from a SavedModel does the converter turn variables into constants and keep the names.
        saved_model.write_functions(Path(folder), {signature.STEP: (made.step, made.one_frame())})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature.STEP])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def load(folder: Path) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return the signature `step` of an export as a function of arrays by name."""
    with warnings.catch_warnings():
        # The interpreter is moving to a package of its own, which TensorFlow 2.21 does not include.
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(str(folder / STEP))
    step = interpreter.get_signature_runner(signature.STEP)
    return lambda arrays: step(**arrays)
