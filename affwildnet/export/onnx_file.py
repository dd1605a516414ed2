"""A trained network as ONNX files, for ONNX Runtime and other programs."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from affwildnet.export import description
from affwildnet.export.export_checks import check_onnx
from affwildnet.export.export_folders import replacing
from affwildnet.export.exported_functions import functions_of, in_float32
from affwildnet.models.network_digest import digest
from affwildnet.runs.card import Card

if TYPE_CHECKING:
    import onnx

MARKER = description.FILE
SEQUENCE, STEP = "sequence.onnx", "step.onnx"
# Prefix of the new states: in an ONNX graph, no two tensors have the same name.
NEXT = "next_"
FILES = {
    SEQUENCE: "whole sequences: the states are zero before the first frame",
    STEP: "the next frames of a sequence, one or more: takes the states before them and returns those after them, each "
    f"named {NEXT} and its name",
}
# The newest version that tf2onnx writes.
OPSET = 18


def write(
    model: keras.Model,
    folder: str | os.PathLike,
    provenance: dict | None = None,
    card: Card | None = None,
    overwrite: bool = False,
) -> None:
    """Write a folder with two ONNX files and the description; it appears whole, in place of an earlier export.

    `sequence.onnx` takes and returns what the SavedModel's `serving_default` does, and `step.onnx` what its `step`
    does, except that the new states are named `next_gru1_state1` and so on. B and T are free in both. The network
    computes in float32. The metadata of each file holds the description under `affwildnet`.

    Args:
      model: the network.
      folder: a new folder, or an earlier export of the same network.
      provenance: as for a SavedModel.
      card: as for a SavedModel.
      overwrite: as for a SavedModel.

    Raises:
      UserError: if packages are missing, if `folder` holds something other than an export, or cannot be written; or as
        `functions_of`.
    """
    check_onnx()
    with replacing(Path(folder), MARKER, model, card, overwrite) as partial:
        made = functions_of(in_float32(model))
        described = description.describe(made, digest(model), card, provenance, FILES)

        def step(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            states = {spec.name for spec in made.states}
            return {NEXT + name if name in states else name: value for name, value in made.step(*tensors).items()}

        inputs = [spec.name for spec in made.inputs]
        for file, function, specs in (
            (SEQUENCE, made.sequence, made.inputs),
            (STEP, step, [*made.inputs, *made.states]),
        ):
            _write(function, specs, partial / file, described, {*inputs, made.signature.output})
        description.write(partial / MARKER, described)


def _write(
    function: Callable, specs: Sequence[tf.TensorSpec], path: Path, described: dict, with_time: set[str]
) -> None:
    import onnx
    import tf2onnx

    specs = list(specs)
    graph = tf.function(function, input_signature=specs, autograph=False)
    converted, _ = tf2onnx.convert.from_function(graph, input_signature=specs, opset=OPSET)
    # tf2onnx turns tensors that are not variables, such as those of a normalisation, into inputs.
    held = {placeholder.name: tensor for tensor, placeholder in graph.get_concrete_function().graph.captures}
    used = _used(converted.graph)
    for tensor in [tensor for tensor in converted.graph.input if tensor.name in held]:
        converted.graph.input.remove(tensor)
        if tensor.name in used:
            value = onnx.numpy_helper.from_array(held[tensor.name].numpy(), tensor.name)
            converted.graph.initializer.append(value)
    for tensor in (*converted.graph.input, *converted.graph.output):
        free = ("B", "T") if tensor.name in with_time else ("B",)
        for dimension, name in zip(tensor.type.tensor_type.shape.dim, free, strict=False):
            dimension.dim_param = name
    onnx.helper.set_model_props(converted, {"affwildnet": json.dumps(described)})
    onnx.checker.check_model(converted)
    onnx.save(converted, path)


def _used(graph: "onnx.GraphProto") -> set[str]:
    """Return the names of all tensors that a node reads, here or in a loop's body."""
    names = set()
    for node in graph.node:
        names |= set(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= _used(attribute.g)
    return names


def load(folder: Path) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return `step.onnx` of an export as a function of arrays by name; the new states have their old names."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / STEP, providers=["CPUExecutionProvider"])
    names = [output.name.removeprefix(NEXT) for output in session.get_outputs()]
    return lambda arrays: dict(zip(names, session.run(None, arrays), strict=True))
