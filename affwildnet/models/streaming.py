"""Networks that take and return their recurrent states, so that a video can come segment by segment.

A segment may have any number of frames, even one: the predictions are those for the whole video.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras

from affwildnet.models.recurrent.recurrence import MOST_FRAMES_A_TURN, States, Tensor, run
from affwildnet.models.signature import Shape, Signature, state_name
from tfrecords_tools.errors import UserError


@keras.saving.register_keras_serializable(package="affwildnet")
class Carried(keras.layers.Layer):
    """A recurrent layer that takes the states before its first frame, and returns those after its last.

    Called with a list of the sequence (B, T, F) and the states, it returns the outputs (B, T, units) and the new
    states. It shares the weights of the layer that it is made from.

    Example:

    ```python
    layer = GRU(128)
    features = keras.Input((None, 4096))
    sequence = layer(features)
    outputs, state = Carried(layer)([features, keras.Input((128,))])
    ```

    Args:
      layer: a recurrent layer of this package, built.
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
    """A network that takes and returns its states.

    Attributes:
      model: its inputs are a list of the network's inputs and then the states. Its outputs are a list of the
        predictions and then the new states, or the predictions themselves where there are no states. It shares the
        weights of the network that it is made from. T is free, 1 included.
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
        """Return the predictions (B, T, D) for a segment of a video, and the states after its last frame.

        Args:
          inputs: those of the network, (B, T, ...), in its order.
          states: those after the segment before, or `initial_states`.
        """
        outputs = self.model([*inputs, *states], training=False)
        predictions, *after = outputs if states else [outputs]
        return predictions, after

    def initial_states(self, batch_size: int) -> States:
        """Return the states before the first frame of a video, (B, ...) float32, all zero."""
        return [keras.ops.zeros((batch_size, *shape), "float32") for shape in self.state_shapes]


def with_states(model: keras.Model) -> StatefulModel:
    """Return the form of a network that takes and returns its states.

    Example:

    ```python
    stateful = with_states(model)
    states = stateful.initial_states(batch_size=1)
    for frame in frames:  # (1, 1, 96, 96, 3) each
        prediction, states = stateful([frame], states)
    ```

    Args:
      model: functional, as `affwildnet.models.build` returns it, or loaded from a file. It is not changed.

    Raises:
      UserError: if the network is not functional, or it has a recurrent layer whose states cannot be taken out: a layer
        that is not of this package, is inside another model or layer, is called twice, runs backwards, or returns
        anything else than the outputs of all frames.
    """
    if not hasattr(model, "inputs") or not model.inputs:
        raise UserError(
            f"Only a functional network can take a video segment by segment. Received: {model.name}, a "
            f"{type(model).__name__} without inputs of its own. Pass it whole videos, or build it with `keras.Model`."
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
    # `clone_model` wants as many input tensors as the model has inputs: first make the states unused inputs.
    wide = keras.Model([*model.inputs, *before], model.outputs)
    clone = keras.models.clone_model(
        wide,
        input_tensors=[*model.inputs, *before],
        clone_function=lambda layer: Carried(layer) if _has_states(layer) else layer,
        call_function=call,
    )
    after = [tensor for layer in recurrent for tensor in new[layer.name]]
    stateful = keras.Model([*model.inputs, *before], [*clone.outputs, *after], name=f"{model.name}_stateful")
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in before)
    outputs = {name: tuple(tensor.shape) for name, tensor in zip(model.output_names, model.outputs, strict=True)}
    return StatefulModel(stateful, len(model.inputs), shapes, outputs)


def _has_states(layer: keras.Layer) -> bool:
    return hasattr(layer, "state_shapes")


def _check(layer: keras.Layer, model: keras.Model) -> None:
    """Raise a `UserError` if a layer holds states that cannot be taken out."""
    if not _has_states(layer):
        for part in _parts(layer):
            if isinstance(part, (keras.layers.RNN, keras.layers.Bidirectional)) or _has_states(part):
                raise _no_states(part, model, "is not one of them, or is not at the top level")
    elif getattr(layer, "go_backwards", False):
        raise _no_states(layer, model, "runs from the last frame to the first")
    elif not getattr(layer, "return_sequences", True):
        raise _no_states(layer, model, "returns the last frame only")
    elif layer.return_state:
        raise _no_states(layer, model, "returns its states already")


def _parts(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Yield a layer and all layers inside it."""
    yield layer
    for part in layer._layers:
        yield from _parts(part)


def _no_states(layer: keras.Layer, model: keras.Model, reason: str) -> UserError:
    return UserError(
        "To take a video segment by segment, a network must have only recurrent layers of `affwildnet.models`, each at "
        f"its top level and called once. Received: {model.name}, whose layer {layer.name} ({type(layer).__name__}) "
        f"{reason}. Pass it whole videos."
    )
