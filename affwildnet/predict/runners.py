"""A trained network as prediction runs it: faces and the states before them in, predictions and new states out."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.models.streaming import with_states
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS, LANDMARKS

OUTPUT = "valence_arousal"
STEP = "step"  # the signature of a SavedModel that takes and returns states

States = list[tf.Tensor]


class Network:
    """What is common to the networks of `.keras` files and of SavedModels.

    Attributes:
      image_size: side of the faces in pixels.
      landmarks: whether it looks at landmarks.
    """

    image_size: int
    landmarks: bool

    def initial_states(self) -> States:
        """Return the states before the first frame of a track, each (1, ...) float32, all zero."""
        raise NotImplementedError

    def run(self, faces: np.ndarray, points: np.ndarray | None, states: States) -> tuple[np.ndarray, States]:
        """Return (T, 2) float32 predictions, and the states after the last frame.

        Args:
          faces: (T, S, S, 3) uint8 RGB, T at least 1.
          points: (T, 68, 2) float32 landmarks divided by the crop's side; not looked at without `landmarks`.
          states: before the first frame.

        Raises:
          UserError: if the faces or points have another shape or type.
        """
        faces = np.asarray(faces)
        count, side = len(faces), self.image_size
        _check("faces", faces, (count, side, side, 3), "uint8")
        if not count:
            raise UserError("`faces` must hold at least one face. Received: none.")
        inputs = [faces[None]]
        if self.landmarks:
            if points is None:
                raise UserError("`landmarks` must come with the faces: this network looks at them. Received: none.")
            points = np.asarray(points)
            _check("landmarks", points, (count, LANDMARKS, 2), "float32")
            inputs.append(points[None])
        predictions, states = self._run(inputs, states)
        return predictions.numpy()[0], states

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        raise NotImplementedError


class KerasNetwork(Network):
    """A network of this package, made by `affwildnet.models.build` or loaded from a file."""

    def __init__(self, model: keras.Model):
        """Raise a `UserError` if the model is no such network, or predictions something else."""
        shapes = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
        _check_inputs(shapes)
        _check_outputs({model.output_names[0]: tuple(model.outputs[0].shape)})
        self.image_size = shapes["frames"][2]
        self.landmarks = "landmarks" in shapes
        self._stateful = with_states(model)
        specs = [tf.TensorSpec([1, None, *tensor.shape[2:]], tensor.dtype) for tensor in model.inputs]
        one = [tf.TensorSpec([1, 1, *tensor.shape[2:]], tensor.dtype) for tensor in model.inputs]
        states = [tf.TensorSpec([1, *shape], tf.float32) for shape in self._stateful.state_shapes]
        # A frame alone has a graph of its own, in which the recurrence is no loop.
        self._many = tf.function(self._call, input_signature=[specs, states])
        self._one = tf.function(self._call, input_signature=[one, states])

    def initial_states(self) -> States:
        return [tf.zeros((1, *shape)) for shape in self._stateful.state_shapes]

    def _call(self, inputs: list[tf.Tensor], states: States) -> tuple[tf.Tensor, States]:
        predictions, after = self._stateful(inputs, states)
        return tf.cast(predictions, tf.float32), after

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        tensors = [tf.convert_to_tensor(values) for values in inputs]
        return (self._one if inputs[0].shape[1] == 1 else self._many)(tensors, states)


class SavedNetwork(Network):
    """A network that `affwildnet.export` wrote, through its signature `step`; nothing of Keras is used."""

    def __init__(self, folder: Path):
        """Raise a `UserError` if the folder is no such export."""
        try:
            self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # whatever TensorFlow makes of a broken file: what the user can know is which
            line = (str(error).strip() or "no message").splitlines()[0]
            raise UserError(f"{folder}: not a readable SavedModel ({type(error).__name__}: {line}).") from None
        if STEP not in self._loaded.signatures:
            raise UserError(
                f"{folder}: must be an export with the signature `{STEP}`, which carries states from frame to frame. "
                f"Received: {', '.join(self._loaded.signatures) or 'no signature'}. "
                "Export it again with `evaluate.py --export`."
            )
        self._step = self._loaded.signatures[STEP]
        specs = self._step.structured_input_signature[1]
        shapes = {name: tuple(spec.shape) for name, spec in specs.items()}
        self._states = {name: shape for name, shape in shapes.items() if name not in ("frames", "landmarks")}
        _check_inputs({name: shape for name, shape in shapes.items() if name not in self._states})
        outputs = {name: tuple(spec.shape) for name, spec in self._step.structured_outputs.items()}
        _check_outputs({name: shape for name, shape in outputs.items() if name not in self._states})
        self.image_size = shapes["frames"][2]
        self.landmarks = "landmarks" in shapes

    def initial_states(self) -> States:
        return [tf.zeros((1, *shape[1:])) for shape in self._states.values()]

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        names = ("frames", "landmarks")[: len(inputs)]
        named = {name: tf.convert_to_tensor(values) for name, values in zip(names, inputs, strict=True)}
        outputs = self._step(**named, **dict(zip(self._states, states, strict=True)))
        return outputs[OUTPUT], [outputs[name] for name in self._states]


def _check(name: str, values: np.ndarray, shape: Sequence[int], dtype: str) -> None:
    if values.shape != tuple(shape) or values.dtype != dtype:
        raise UserError(
            f"`{name}` must be {dtype} of the shape {tuple(shape)}. Received: {values.dtype} {values.shape}."
        )


def _check_inputs(shapes: dict[str, tuple]) -> None:
    frames = shapes.get("frames", ())
    square = len(frames) == 5 and frames[2] == frames[3] and frames[2] is not None and frames[4] == 3
    if not square or set(shapes) - {"frames", "landmarks"}:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UserError(
            f"A network must take `frames` (B, T, S, S, 3), and may take `landmarks` (B, T, 68, 2). Received: {told}."
        )


def _check_outputs(shapes: dict[str, tuple]) -> None:
    (name, shape), *_ = shapes.items()
    if len(shapes) != 1 or name != OUTPUT or shape[-1] != len(DIMENSIONS):
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UserError(
            f"A network must predict `{OUTPUT}` (B, T, {len(DIMENSIONS)}) to predict from videos. Received: {told}. "
            "Networks that tell expressions are scored with evaluate.py."
        )
