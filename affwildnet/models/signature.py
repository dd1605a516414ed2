"""The signature of a network: the names, shapes and meaning of its inputs, outputs and states.

Networks in every form follow it: Keras models, SavedModels, ONNX and TFLite files. Shapes are tuples in which None is a
free size: B (the batch) and T (the frames). This file needs nothing of Keras.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from affwildnet.experiments.heads import OUTPUTS
from tfrecords_tools.errors import UserError
from tfrecords_tools.records import schema

FRAMES, LANDMARKS = "frames", "landmarks"
INPUTS = (FRAMES, LANDMARKS)
# What the trained part of a network takes in the place of frames, see `frozen_part`: (B, T, W) float32.
FEATURES = "frame_features"

# The signatures of a SavedModel: one for whole sequences, and one that also takes and returns the states.
SEQUENCE, STEP = "serving_default", "step"

Shape = tuple[int | None, ...]
Shapes = Mapping[str, Shape]


def state_name(layer: str, number: int) -> str:
    """Return the name of a recurrent layer's state, counted from 1, such as `gru1_state1`."""
    return f"{layer}_state{number}"


@dataclass(frozen=True)
class Signature:
    """What a network takes and returns.

    Attributes:
      image_size: side S of the crops in pixels; `frames` is (B, T, S, S, 3) uint8, RGB.
      landmarks: whether it also takes `landmarks`, (B, T, 68, 2) float32, x and y divided by the crop's side.
      output: name of its output (B, T, D), a key of `OUTPUTS`.
      states: shapes (B, ...) of the float32 states that it takes and returns, by name; empty for a network that keeps
        its states to itself, or has none.
    """

    image_size: int
    landmarks: bool
    output: str
    states: dict[str, Shape]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs without the states, in their order."""
        return INPUTS if self.landmarks else (FRAMES,)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the values of the output are, such as ("valence", "arousal")."""
        return OUTPUTS[self.output]

    @classmethod
    def of(cls, inputs: Shapes, outputs: Shapes) -> "Signature":
        """Return the signature of a network, from the shapes of its inputs and outputs.

        A tensor that has the same name among the inputs and the outputs is a state.

        Example:

        ```python
        inputs = {"frames": (None, None, 96, 96, 3), "gru1_state1": (None, 128)}
        outputs = {"valence_arousal": (None, None, 2), "gru1_state1": (None, 128)}
        Signature.of(inputs, outputs).image_size  # 96
        ```

        Raises:
          UserError: if the names or shapes are not those of a network of this package.
        """
        states = {name: tuple(shape) for name, shape in inputs.items() if name in outputs}
        inputs = {name: tuple(shape) for name, shape in inputs.items() if name not in states}
        outputs = {name: tuple(shape) for name, shape in outputs.items() if name not in states}
        if not (_are_inputs(inputs) and _are_outputs(outputs)):
            predictions = " or ".join(f"`{name}` (B, T, {len(labels)})" for name, labels in OUTPUTS.items())
            raise UserError(
                f"A network must take `{FRAMES}` (B, T, S, S, 3), may take `{LANDMARKS}` (B, T, {schema.LANDMARKS}, 2),"
                f" and must predict {predictions}. Received: {_listed(inputs)} to {_listed(outputs)}."
            )
        return cls(inputs[FRAMES][2], LANDMARKS in inputs, next(iter(outputs)), states)


def _are_inputs(shapes: Shapes) -> bool:
    frames = shapes.get(FRAMES, ())
    square = len(frames) == 5 and frames[2] == frames[3] and frames[2] is not None and frames[4] == 3
    points = shapes.get(LANDMARKS, (None, None, schema.LANDMARKS, 2))
    return square and points[2:] == (schema.LANDMARKS, 2) and not set(shapes) - set(INPUTS)


def _are_outputs(shapes: Shapes) -> bool:
    return len(shapes) == 1 and all(
        name in OUTPUTS and len(shape) == 3 and shape[-1] == len(OUTPUTS[name]) for name, shape in shapes.items()
    )


def _listed(shapes: Shapes) -> str:
    return ", ".join(f"{name} ({', '.join(str(size) for size in shape)})" for name, shape in shapes.items()) or "none"
