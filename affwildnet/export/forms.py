"""The two forms in which a network is exported, as functions of tensors: whole sequences, and steps with states."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from affwildnet.models.precision import with_precision
from affwildnet.models.streaming import StatefulModel, with_states
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS, EXPRESSIONS

# What the numbers of an output are, by the output's name.
LABELS = {"valence_arousal": DIMENSIONS, "expression": EXPRESSIONS}
INPUTS = ("frames", "landmarks")


@dataclass(frozen=True)
class Forms:
    """A network as functions; tensors are given by position, in the order of `inputs` and `states`.

    Both compute with the network's form with states, so that no form holds operations of one device alone, as Keras's
    GRU on a GPU does.

    Attributes:
      stateful: the network's form with states.
      inputs: `frames` (B, T, S, S, 3) uint8 and, where used, `landmarks` (B, T, 68, 2) float32; B and T are free.
      states: (B, ...) float32, named after their layers (`gru1_state1` ...); none where nothing is recurrent.
      output: name of the predictions (B, T, D), a key of `LABELS`.
    """

    stateful: StatefulModel
    inputs: tuple[tf.TensorSpec, ...]
    states: tuple[tf.TensorSpec, ...]
    output: str

    @property
    def model(self) -> keras.Model:
        """The model that owns all weights."""
        return self.stateful.model

    def sequence(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the predictions for whole sequences: all states are zero before the first frame."""
        states = self.stateful.initial_states(tf.shape(inputs[0])[0])
        return {self.output: self.step(*inputs, *states)[self.output]}

    def step(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the predictions for a piece of a sequence, and under their names the states after its last frame."""
        own = len(self.inputs)
        predictions, states = self.stateful(tensors[:own], tensors[own:])
        return {self.output: predictions, **{spec.name: new for spec, new in zip(self.states, states, strict=True)}}

    def one_frame(self) -> list[tf.TensorSpec]:
        """Return what `step` takes for one frame of one video: the shapes with B = 1 and T = 1."""
        frames = [tf.TensorSpec([1, 1, *spec.shape[2:]], spec.dtype, spec.name) for spec in self.inputs]
        return frames + [tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name) for spec in self.states]


def forms(model: keras.Model) -> Forms:
    """Return the forms of a network.

    Args:
      model: as `affwildnet.models.build` makes it, or loaded from a file. It is not changed.

    Raises:
      UserError: if it has other inputs or outputs than the networks here, or states that cannot be carried.
    """
    stateful = with_states(model)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in stateful.model.inputs]
    found = Forms(stateful, tuple(specs[: stateful.inputs]), tuple(specs[stateful.inputs :]), model.output_names[0])
    names = [spec.name for spec in found.inputs]
    if names[0] != "frames" or set(names) - set(INPUTS) or len(model.outputs) != 1 or found.output not in LABELS:
        raise UserError(
            "A network must take `frames` and perhaps `landmarks`, and put out `valence_arousal` or `expression`. "
            f"Received: {model.name}, which takes {', '.join(names)} and puts out {', '.join(model.output_names)}."
        )
    return found


def in_float32(model: keras.Model) -> keras.Model:
    """Return a network that computes in float32 throughout, with the same weights; the same one if it does already.

    Few runtimes beside TensorFlow's compute in bfloat16, in which networks can be trained.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights):
        return model

    return with_precision(model, "float32")
