"""The two functions of tensors that a network is exported as: whole sequences, and steps that carry the states."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from affwildnet.models.folding import fold
from affwildnet.models.precision import with_precision
from affwildnet.models.signature import Signature
from affwildnet.models.streaming import StatefulModel, with_states


@dataclass(frozen=True)
class ExportedFunctions:
    """A network as functions that take tensors by position, in the order of `inputs` and `states`.

    Both compute with the network's form with states, so that neither holds operations of one kind of device, as Keras's
    GRU does on a GPU.

    Attributes:
      stateful: the network's form with states.
      signature: names and shapes of what it takes and returns.
      inputs: specs of `frames` (B, T, S, S, 3) uint8 and, where used, `landmarks` (B, T, 68, 2) float32; B and T are
        free.
      states: specs of the (B, ...) float32 states, named after their layers (`gru1_state1` ...); none if nothing is
        recurrent.
    """

    stateful: StatefulModel
    signature: Signature
    inputs: tuple[tf.TensorSpec, ...]
    states: tuple[tf.TensorSpec, ...]

    def sequence(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the predictions for whole sequences: all states are zero before the first frame."""
        states = self.stateful.initial_states(tf.shape(inputs[0])[0])
        output = self.signature.output
        return {output: self.step(*inputs, *states)[output]}

    def step(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the predictions for the next frames of a sequence, and by their names the states after the last."""
        own = len(self.inputs)
        predictions, states = self.stateful(tensors[:own], tensors[own:])
        return {
            self.signature.output: predictions,
            **{spec.name: new for spec, new in zip(self.states, states, strict=True)},
        }

    def one_frame(self) -> list[tf.TensorSpec]:
        """Return the specs of what `step` takes for one frame of one video: B = 1 and T = 1."""
        frames = [tf.TensorSpec([1, 1, *spec.shape[2:]], spec.dtype, spec.name) for spec in self.inputs]
        return frames + [tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name) for spec in self.states]


def functions_of(model: keras.Model) -> ExportedFunctions:
    """Return the functions of a network.

    Args:
      model: a network as `affwildnet.models.build` makes it, or loaded from a file. It is not changed.

    Raises:
      UserError: if its inputs or output are not those of a network of this package, or its states cannot be carried.
    """
    stateful = with_states(fold(model))
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in stateful.model.inputs]
    inputs, states = tuple(specs[: stateful.inputs]), tuple(specs[stateful.inputs :])
    return ExportedFunctions(stateful, stateful.signature, inputs, states)


def in_float32(model: keras.Model) -> keras.Model:
    """Return a network with the same weights that computes in float32 throughout; the same one if it does already.

    Networks may be trained in bfloat16, in which few runtimes besides TensorFlow compute.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights):
        return model
    return with_precision(model, "float32")
