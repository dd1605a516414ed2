"""A trained network whose recurrent states go in and come out, from a `.keras` file or from a SavedModel."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affwildnet.experiments.heads import VALENCE_AROUSAL
from affwildnet.models.signature import LANDMARKS, STEP, Signature
from affwildnet.models.streaming import with_states
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema

States = list[tf.Tensor]


class StatefulNetwork:
    """A network of valence and arousal that continues a sequence from the states it is given.

    Attributes:
      signature: what it takes and returns.
    """

    def __init__(self, signature: Signature):
        """Raise a `UserError` if the network predicts anything but valence and arousal."""
        if signature.output != VALENCE_AROUSAL:
            raise UserError(
                f"A network must predict `{VALENCE_AROUSAL}` to predict from videos. Received: `{signature.output}`. "
                "Score networks for expressions with evaluate.py."
            )
        self.signature = signature

    @property
    def image_size(self) -> int:
        """Side of the crops in pixels."""
        return self.signature.image_size

    def initial_states(self) -> States:
        """Return the states before the first frame of a track, each (1, ...) float32, all zero."""
        return [tf.zeros((1, *shape[1:])) for shape in self.signature.states.values()]

    def run(self, crops: np.ndarray, landmarks: np.ndarray | None, states: States) -> tuple[np.ndarray, States]:
        """Return (T, 2) float32 predictions, and the states after the last frame.

        Args:
          crops: (T, S, S, 3) uint8 RGB, T at least 1.
          landmarks: (T, 68, 2) float32 in the crop, divided by its side; ignored by a network without landmarks.
          states: the states before the first frame.

        Raises:
          UserError: if crops or landmarks have another shape or type.
        """
        crops = np.asarray(crops)
        count, side = len(crops), self.image_size
        _check("crops", crops, (count, side, side, 3), "uint8")
        if not count:
            raise UserError("`crops` must hold at least one crop. Received: none.")
        inputs = [crops[None]]
        if self.signature.landmarks:
            if landmarks is None:
                raise UserError("`landmarks` must be given with the crops: this network uses them. Received: none.")
            landmarks = np.asarray(landmarks)
            _check(LANDMARKS, landmarks, (count, schema.LANDMARKS, 2), "float32")
            inputs.append(landmarks[None])
        predictions, states = self._run(inputs, states)
        return predictions.numpy()[0], states

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        raise NotImplementedError


class KerasNetwork(StatefulNetwork):
    """A network of this package, made by `affwildnet.models.build` or loaded from a file."""

    def __init__(self, model: keras.Model):
        """Raise a `UserError` if the model is not a network of this package, or predicts something else."""
        self._stateful = with_states(model)
        super().__init__(self._stateful.signature)
        specs = [tf.TensorSpec([1, None, *tensor.shape[2:]], tensor.dtype) for tensor in model.inputs]
        one = [tf.TensorSpec([1, 1, *tensor.shape[2:]], tensor.dtype) for tensor in model.inputs]
        states = [tf.TensorSpec([1, *shape], tf.float32) for shape in self._stateful.state_shapes]
        # A single frame has a graph of its own, in which the recurrence is no loop.
        self._many = tf.function(self._call, input_signature=[specs, states], autograph=False)
        self._one = tf.function(self._call, input_signature=[one, states], autograph=False)

    def _call(self, inputs: list[tf.Tensor], states: States) -> tuple[tf.Tensor, States]:
        predictions, after = self._stateful(inputs, states)
        return tf.cast(predictions, tf.float32), after

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        tensors = [tf.convert_to_tensor(values) for values in inputs]
        return (self._one if inputs[0].shape[1] == 1 else self._many)(tensors, states)


class SavedModelNetwork(StatefulNetwork):
    """A network that `affwildnet.export` wrote as a SavedModel. It runs the signature `step`, without Keras."""

    def __init__(self, folder: Path):
        """Raise a `UserError` if the folder does not hold such an export."""
        try:
            self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # TensorFlow raises many kinds for a broken file
            line = (str(error).strip() or "no message").splitlines()[0]
            raise UserError(f"{folder}: not a readable SavedModel ({type(error).__name__}: {line}).") from None
        if STEP not in self._loaded.signatures:
            raise UserError(
                f"{folder}: must be an export with the signature `{STEP}`, which carries states from frame to frame. "
                f"Received: {', '.join(self._loaded.signatures) or 'no signature'}. "
                "Export it again with `evaluate.py --export`."
            )
        self._step = self._loaded.signatures[STEP]
        inputs, outputs = self._step.structured_input_signature[1], self._step.structured_outputs
        super().__init__(Signature.of(_shapes(inputs), _shapes(outputs)))

    def _run(self, inputs: list[np.ndarray], states: States) -> tuple[tf.Tensor, States]:
        given = zip((*self.signature.inputs, *self.signature.states), (*inputs, *states), strict=True)
        outputs = self._step(**{name: tf.convert_to_tensor(values) for name, values in given})
        return outputs[VALENCE_AROUSAL], [outputs[name] for name in self.signature.states]


def _check(name: str, values: np.ndarray, shape: Sequence[int], dtype: str) -> None:
    if values.shape != tuple(shape) or values.dtype != dtype:
        raise UserError(
            f"`{name}` must be {dtype} of the shape {tuple(shape)}. Received: {values.dtype} {values.shape}."
        )


def _shapes(specs: Mapping[str, tf.TensorSpec]) -> dict[str, tuple]:
    return {name: tuple(spec.shape) for name, spec in specs.items()}
