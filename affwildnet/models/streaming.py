"""A network whose recurrent states go in and come out, so that a video may come in pieces, even frame by frame."""

from dataclasses import dataclass

import keras

from affwildnet.models.recurrent.recurrence import MOST_FRAMES_A_TURN, States, Tensor, run


@keras.saving.register_keras_serializable(package="affwildnet")
class Carried(keras.layers.Layer):
    """A recurrent layer that takes the states from before its first frame and returns those after its last.

    It computes with the weights of the layer that it is made from, which it shares.

    Args:
      layer: a recurrent layer of this package.
    """

    def __init__(self, layer: keras.Layer, **kwargs):
        super().__init__(name=layer.name, dtype=layer.dtype_policy, **kwargs)
        self.layer = layer

    def call(self, inputs: list[Tensor]) -> tuple[Tensor, ...]:
        sequence, *states = inputs
        most = getattr(self.layer, "most_frames_a_turn", MOST_FRAMES_A_TURN)
        outputs, after = run(self.layer.recurrence(), self.layer.project(sequence), states, most)
        return (outputs, *after)

    def compute_output_shape(self, input_shapes):
        sequence_shape, *state_shapes = input_shapes
        return ((*sequence_shape[:2], self.layer.units), *state_shapes)


@dataclass(frozen=True)
class StatefulModel:
    """A network with its states in the open.

    Attributes:
      model: inputs are those of the network and then the states, as a list; outputs the estimates and then the new
        states, as a list. Its weights are those of the network it was made from. T is free, 1 included.
      inputs: number of the network's own inputs.
      state_shapes: shape of each state without B; empty where nothing is recurrent.
    """

    model: keras.Model
    inputs: int
    state_shapes: tuple[tuple[int, ...], ...]

    def initial_states(self, batch_size: int) -> States:
        """Returns the states before the first frame of a video, (B, ...) float32, all zero."""
        return [keras.ops.zeros((batch_size, *shape), "float32") for shape in self.state_shapes]


def with_states(model: keras.Model) -> StatefulModel:
    """Returns a network's form with states: the same estimates, whatever pieces a video comes in.

    Args:
      model: as `affwildnet.models.build` makes it, or loaded from a file. It is not changed.
    """
    recurrent = [layer for layer in model.layers if hasattr(layer, "state_shapes")]
    states = {
        layer.name: [
            keras.Input(shape, dtype="float32", name=f"{layer.name}_state{number}")
            for number, shape in enumerate(layer.state_shapes, start=1)
        ]
        for layer in recurrent
    }
    new: dict[str, list[Tensor]] = {}

    def call(layer: keras.Layer, *args, **kwargs):
        if not isinstance(layer, Carried):
            return layer(*args, **kwargs)
        sequence, *rest = layer([*args, *states[layer.name]])
        new[layer.name] = rest
        return sequence

    before = [tensor for layer in recurrent for tensor in states[layer.name]]
    # Cloning wants as many inputs as it gives: the states are inputs first, without a use.
    wide = keras.Model([*model.inputs, *before], model.outputs)
    clone = keras.models.clone_model(
        wide,
        input_tensors=[*model.inputs, *before],
        clone_function=lambda layer: Carried(layer) if hasattr(layer, "state_shapes") else layer,
        call_function=call,
    )
    after = [tensor for layer in recurrent for tensor in new[layer.name]]
    stepping = keras.Model([*model.inputs, *before], [*clone.outputs, *after], name=f"{model.name}_stateful")
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in before)
    return StatefulModel(stepping, len(model.inputs), shapes)
