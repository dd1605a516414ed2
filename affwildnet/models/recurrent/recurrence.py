"""Running a recurrence over the frames of a window, after all that can be done without it.

Most of a recurrent layer's work depends on its input alone, not on what it remembers: the product of the features with
the input's weights. Each layer here does that for all frames at once (`project`), in one large product instead of T
small ones that each read all weights again. What is left for the loop (`recurrence`) is small.
"""

from collections.abc import Callable

import keras
from keras import ops

# A tensor of the backend; symbolic while a model is built.
Tensor = keras.KerasTensor
States = list[Tensor]
# (projected frame (B, P), states) to (output (B, units), new states).
Step = Callable[[Tensor, States], tuple[Tensor, States]]

# A turn of a backend's loop costs about as much as the step of a small cell, so several frames share one.
MOST_FRAMES_A_TURN = 4


def run(step: Step, projected: Tensor, states: States, most: int = MOST_FRAMES_A_TURN) -> tuple[Tensor, States]:
    """Apply `step` to one frame after the other.

    Args:
      step: what a layer's `recurrence` returns.
      projected: (B, T, P), what its `project` returns; B and T may be unknown until the call.
      states: before the first frame, each (B, ...).
      most: frames that a turn of the loop may take, see `frames_a_turn`.

    Returns:
      The outputs (B, T, units) and the states after the last frame.
    """
    frames = projected.shape[1]
    together = frames_a_turn(frames, most)
    if frames == together:
        return _turn(step)(projected, states)
    if together == 1:
        turns = ops.expand_dims(projected, 2)
    else:
        turns = ops.reshape(projected, (-1, frames // together, together, projected.shape[2]))
    _, outputs, states = keras.layers.RNN(_Cell(step), return_sequences=True, name="turns").inner_loop(
        turns, list(states), mask=None
    )
    if together == 1:
        return ops.squeeze(outputs, 2), list(states)
    return ops.reshape(outputs, (-1, frames, outputs.shape[3])), list(states)


def frames_a_turn(frames: int | None, most: int) -> int:
    """Return how many frames a turn of the loop takes: the largest number up to `most` that divides `frames`.

    It is 1 where the number of frames is not known beforehand (None).
    """
    if not frames:
        return 1
    return next(count for count in range(most, 0, -1) if frames % count == 0)


def read(weight: keras.Variable) -> Tensor:
    """Return the value of a weight, read now. A variable that a step refers to is read anew for each frame."""
    return ops.copy(weight)


def _turn(step: Step) -> Step:
    """The step for several frames at a time: (B, frames, P) to (B, frames, units)."""

    def turn(projected: Tensor, states: States) -> tuple[Tensor, States]:
        outputs, states = [], list(states)
        for frame in ops.unstack(projected, axis=1):
            output, states = step(frame, states)
            outputs.append(output)
        return ops.stack(outputs, axis=1), states

    return turn


class _Cell:
    """The step in the form that Keras's loop asks for."""

    # Keras asks for it, and reads it only where it makes the first states itself.
    state_size = 1

    def __init__(self, step: Step):
        self.call = _turn(step)

    def __call__(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        return self.call(projected, states)


class Recurrent(keras.layers.Layer):
    """A recurrent layer: (B, T, F) to (B, T, units), from the past only.

    A subclass says what it remembers (`state_shapes`), how all frames enter at once (`input_weights`), and what it
    makes of one after the other (`recurrence`). For a video that comes in pieces, `return_state` and `initial_state`
    carry the states from one call to the next; without them each window starts at zero.

    Args:
      units: size of the output.
      return_state: whether the call returns `(outputs, *states)`, the states after the last frame, instead of outputs.
    """

    # See `frames_a_turn`.
    most_frames_a_turn = MOST_FRAMES_A_TURN

    def __init__(self, units: int, return_state: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.return_state = return_state
        self.input_spec = keras.layers.InputSpec(ndim=3)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the states, without B."""
        raise NotImplementedError

    def input_weights(self) -> tuple[Tensor, Tensor]:
        """Return the weights (F, P) of the input and what is added to their product with it (P)."""
        raise NotImplementedError

    def project(self, sequence: Tensor) -> Tensor:
        """Return what depends on the input (..., F) alone, (..., P)."""
        kernel, bias = self.input_weights()
        return ops.matmul(sequence, kernel) + bias

    def recurrence(self) -> Step:
        """Return the step, with the weights that it needs read once."""
        raise NotImplementedError

    def get_initial_state(self, batch_size: int) -> States:
        """Return the states before the first frame, all zero."""
        return [ops.zeros((batch_size, *shape), dtype=self.compute_dtype) for shape in self.state_shapes]

    def call(self, sequence: Tensor, initial_state: States | None = None):
        states = self.get_initial_state(ops.shape(sequence)[0]) if initial_state is None else list(initial_state)
        outputs, states = run(self.recurrence(), self.project(sequence), states, self.most_frames_a_turn)
        return (outputs, *states) if self.return_state else outputs

    def compute_output_shape(self, sequence_shape, initial_state_shape=None):
        batch, frames, _ = sequence_shape
        outputs = (batch, frames, self.units)
        return (outputs, *((batch, *shape) for shape in self.state_shapes)) if self.return_state else outputs

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "return_state": self.return_state}
