"""A network divided where training begins: the frozen part computes the same of a frame in every epoch, the rest not.

A layer belongs to the frozen part if it has no weights that are trained, draws nothing at random, sees one frame at a
time, and reads `frames` alone, through other layers of the frozen part. So dropout, recurrent layers, and everything
that the landmarks reach are of the rest, whether they are trained or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import keras
from keras import layers, ops

from affwildnet.models.network_digest import digest
from affwildnet.models.recurrent.recurrence import Tensor
from affwildnet.models.signature import FEATURES, FRAMES
from affwildnet.models.time_axis import FoldTime, UnfoldTime

# Layers that compute something else at each call of training.
_RANDOM = (layers.Dropout, layers.GaussianNoise, layers.GaussianDropout, layers.AlphaDropout, layers.SpatialDropout2D)


@dataclass(frozen=True)
class Divided:
    """A network in two parts that share its weights.

    Attributes:
      frozen: `frames` (1, N, S, S, 3) uint8 to the tensors (N, ...) that the rest reads.
      rest: `frame_features` (B, T, W) float32 and, where the network reads them, `landmarks`, to its output.
      width: W, the values of a frame that the rest reads.
    """

    frozen: keras.Model
    rest: keras.Model
    width: int

    def features(self, frames: Tensor) -> Tensor:
        """Return what the rest reads of frames (N, S, S, 3) uint8: (N, W) float32, exact for every precision."""
        outputs = self.frozen(ops.expand_dims(frames, 0), training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        flat = [ops.cast(ops.reshape(each, (-1, prod(each.shape[1:]))), "float32") for each in outputs]
        return ops.concatenate(flat, axis=-1) if len(flat) > 1 else flat[0]

    def fingerprint(self) -> str:
        """Return a sha256 of the frozen part: its layers, how it normalises pixels, and its weights as they are now."""
        return digest(self.frozen)


def divide(model: keras.Model) -> Divided | None:
    """Return a network in two parts; None if nothing of it that has weights is frozen below all that is trained.

    Example:

    ```python
    for layer in model.layers:
        layer.trainable = layer.name in ("attention", "valence_arousal")
    divided = divide(model)
    divided.rest(divided.features(frames)[None])  # of the frames (T, S, S, 3) of one window
    ```

    Args:
      model: functional, as `affwildnet.models.build` returns it, with layers that are not `trainable`; not changed.
    """
    cuts = boundary(model)
    if not cuts:
        return None
    frames = _frames(model)
    sizes = [prod(cut.shape[1:]) for cut in cuts]
    features = keras.Input((None, sum(sizes)), dtype="float32", name=FEATURES)
    folded, begin = FoldTime(dtype="float32", name="fold_features")(features), 0
    others = [tensor for tensor in model.inputs if tensor is not frames]
    known = {id(frames): features, **{id(tensor): tensor for tensor in others}}
    for number, (cut, size) in enumerate(zip(cuts, sizes, strict=True), start=1):
        part = folded[:, begin : begin + size] if len(cuts) > 1 else folded
        shaped = layers.Reshape(cut.shape[1:], dtype="float32", name=f"cut{number}")
        known[id(cut)] = shaped(part) if len(cut.shape) > 2 else part
        begin += size
    of_frozen = _frozen_tensors(model)
    for node in _nodes(model):
        if any(id(tensor) in of_frozen for tensor in node.output_tensors):
            continue
        args, kwargs = node.arguments.fill_in(known)
        outputs = keras.tree.flatten(node.operation(*args, **kwargs))
        known |= {id(before): now for before, now in zip(node.outputs, outputs, strict=True)}
    rest = keras.Model([features, *others], [known[id(output)] for output in model.outputs], name=f"{model.name}_rest")
    return Divided(keras.Model(frames, cuts, name="frozen_part"), rest, sum(sizes))


def boundary(model: keras.Model) -> list[Tensor]:
    """Return the tensors of the frozen part (N, ...) that the rest reads; none where `divide` returns None."""
    of_frozen, weighted = _frozen_tensors(model), _frozen_tensors(model, weighted=True)
    cuts: dict[int, Tensor] = {}
    for node in _nodes(model):
        if any(id(tensor) in of_frozen for tensor in node.output_tensors):
            continue
        for tensor in node.input_tensors:
            if id(tensor) in of_frozen:
                cuts[id(tensor)] = tensor
            elif tensor is _frames(model) and not isinstance(node.operation, UnfoldTime):
                return []
    return list(cuts.values()) if cuts and all(cut in weighted for cut in cuts) else []


def _frames(model: keras.Model) -> Tensor | None:
    return next((tensor for tensor in model.inputs if tensor.name == FRAMES), None)


def _nodes(model: keras.Model) -> Iterator:
    """Yield the calls of layers that make up a functional network, each after those whose outputs it reads."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from (node for node in model._nodes_by_depth[depth] if not node.is_input)


def _frozen_tensors(model: keras.Model, weighted: bool = False) -> set[int]:
    """Return the ids of the frozen part's tensors; `weighted`, of those that have weights below them."""
    found, below = set(), set()
    for node in _nodes(model):
        layer, read = node.operation, node.input_tensors
        entrance = isinstance(layer, FoldTime) and read[0] is _frames(model)
        if not entrance and not (all(id(tensor) in found for tensor in read) and _is_constant(layer)):
            continue
        outputs = {id(tensor) for tensor in node.output_tensors}
        found |= outputs
        if getattr(layer, "weights", ()) or any(id(tensor) in below for tensor in read):
            below |= outputs
    return below if weighted else found


def _is_constant(layer: keras.Operation) -> bool:
    """Return whether a layer computes the same of a frame in every step of training, whatever stands beside it."""
    if isinstance(layer, (UnfoldTime, *_RANDOM)) or hasattr(layer, "state_shapes"):
        return False
    return not getattr(layer, "trainable_variables", ())
