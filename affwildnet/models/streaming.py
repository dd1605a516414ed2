"""A network whose recurrent states go in and come out, so that a video may come in pieces, even frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

from affwildnet.models.recurrent.recurrence import MOST_FRAMES_A_TURN, States, Tensor, run
from affwildnet.models.signature import Shape, Signature, state_name
from tfrecords_tools.errors import UserError


@keras.saving.register_keras_serializable(package="affwildnet")
class Carried(keras.layers.Layer):
    """A recurrent layer that takes the states from before its first frame and returns those after its last.

    Called with a list of the sequence (B, T, F) and the states, it returns the outputs (B, T, units) and the new
    states. It computes with the weights of the layer that it is made from, which it shares.

    Args:
      layer: a recurrent layer of this package.
    """

    def __init__(self, layer: keras.Layer, **kwargs):
        super().__init__(**{"name": layer.name, "dtype": layer.dtype_policy, **kwargs})
        self.layer = layer

    def call(self, inputs: list[Tensor]) -> tuple[Tensor, ...]:
        sequence, *states = inputs
        most = getattr(self.layer, "most_frames_a_turn", MOST_FRAMES_A_TURN)
        outputs, after = run(self.layer.recurrence(), self.layer.project(sequence), states, most)
        return (outputs, *after)

    def compute_output_shape(self, input_shapes):
        sequence_shape, *state_shapes = input_shapes
        return ((*sequence_shape[:2], self.layer.units), *state_shapes)

    def get_config(self) -> dict:
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict) -> "Carried":
        return cls(**{**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})


@dataclass(frozen=True)
class StatefulModel:
    """A network with its states in the open.

    Attributes:
      model: inputs are those of the network and then the states, as a list; outputs the predictions and then the new
        states, as a list, or the predictions themselves where there are no states. Its weights are those of the network
        it was made from. T is free, 1 included.
      inputs: number of the network's own inputs.
      state_shapes: shape of each state without B; empty where nothing is recurrent.
      outputs: shapes of the network's own outputs, by name.
    """

    model: keras.Model
    inputs: int
    state_shapes: tuple[tuple[int, ...], ...]
    outputs: dict[str, Shape]

    @property
    def signature(self) -> Signature:
        """What the network takes and returns, states included.

        Raises:
          UserError: if its names or shapes are not those of a network of this package.
        """
        inputs = {tensor.name: tuple(tensor.shape) for tensor in self.model.inputs}
        states = {name: shape for index, (name, shape) in enumerate(inputs.items()) if index >= self.inputs}
        return Signature.of(inputs, {**self.outputs, **states})

    def __call__(self, inputs: Sequence[Tensor], states: States) -> tuple[Tensor, States]:
        """Return the predictions (B, T, D) for a piece of a video, and the states after its last frame.

        Args:
          inputs: those of the network, (B, T, ...), in its order.
          states: after the frame before, or `initial_states`.
        """
        outputs = self.model([*inputs, *states], training=False)
        predictions, *after = outputs if states else [outputs]
        return predictions, after

    def initial_states(self, batch_size: int) -> States:
        """Return the states before the first frame of a video, (B, ...) float32, all zero."""
        return [keras.ops.zeros((batch_size, *shape), "float32") for shape in self.state_shapes]


def with_states(model: keras.Model) -> StatefulModel:
    """Return a network's form with states: the same predictions, whatever pieces a video comes in.

    Args:
      model: functional, as `affwildnet.models.build` makes it, or loaded from a file. It is not changed.

    Raises:
      UserError: if the network is not functional, or a recurrent layer in it has no states that can be taken out: one
        of Keras or from elsewhere, one inside another model or layer, one that is called twice, or one that does not
        go from the first frame to the last and put out every one of them.
    """
    if not hasattr(model, "inputs") or not model.inputs:
        raise UserError(
            f"Only a functional network can be given one piece of a video after the other. Received: {model.name}, a "
            f"{type(model).__name__} without inputs of its own. Give it whole videos, or build it with `keras.Model`."
        )
    recurrent = [layer for layer in model.layers if _has_states(layer)]
    for layer in model.layers:
        _check(layer, model)
    states = {
        layer.name: [
            keras.Input(shape, dtype="float32", name=state_name(layer.name, number))
            for number, shape in enumerate(layer.state_shapes, start=1)
        ]
        for layer in recurrent
    }
    new: dict[str, list[Tensor]] = {}

    def call(layer: keras.Layer, *args, **kwargs):
        if not isinstance(layer, Carried):
            return layer(*args, **kwargs)
        if layer.name in new:
            raise _no_states(layer, model, "is called more than once")
        sequence, *rest = layer([*args, *states[layer.name]])
        new[layer.name] = rest
        return sequence

    before = [tensor for layer in recurrent for tensor in states[layer.name]]
    # Cloning wants as many inputs as it gives: the states are inputs first, without a use.
    wide = keras.Model([*model.inputs, *before], model.outputs)
    clone = keras.models.clone_model(
        wide,
        input_tensors=[*model.inputs, *before],
        clone_function=lambda layer: Carried(layer) if _has_states(layer) else layer,
        call_function=call,
    )
    after = [tensor for layer in recurrent for tensor in new[layer.name]]
    stepping = keras.Model([*model.inputs, *before], [*clone.outputs, *after], name=f"{model.name}_stateful")
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in before)
    outputs = {name: tuple(tensor.shape) for name, tensor in zip(model.output_names, model.outputs, strict=True)}
    return StatefulModel(stepping, len(model.inputs), shapes, outputs)


def _has_states(layer: keras.Layer) -> bool:
    return hasattr(layer, "state_shapes")


def _check(layer: keras.Layer, model: keras.Model) -> None:
    """Raise a `UserError` unless a layer's states can be taken out, or there are none in it."""
    if not _has_states(layer):
        for part in _parts(layer):
            if isinstance(part, (keras.layers.RNN, keras.layers.Bidirectional)) or _has_states(part):
                raise _no_states(part, model, "is none of this package's, at the top of the network")
    elif getattr(layer, "go_backwards", False):
        raise _no_states(layer, model, "goes from the last frame to the first")
    elif not getattr(layer, "return_sequences", True):
        raise _no_states(layer, model, "puts out the last frame alone")
    elif layer.return_state:
        raise _no_states(layer, model, "puts out its states already")


def _parts(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Yield a layer and all layers inside it."""
    yield layer
    for part in layer._layers:
        yield from _parts(part)


def _no_states(layer: keras.Layer, model: keras.Model, reason: str) -> UserError:
    return UserError(
        f"To get a video in pieces, a network must have recurrent layers of `affwildnet.models` alone, each used once. "
        f"Received: {model.name}, whose layer {layer.name} ({type(layer).__name__}) {reason}. Give it whole videos."
    )
