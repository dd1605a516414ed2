"""Recurrent layers in two parts: what depends on the input alone, for all frames at once, and a loop over the frames.

Most of the work of a recurrent layer does not depend on its states: the product of the features with the weights of the
input. `project` computes it for all frames in one large product, instead of T small ones that each read all weights
again. What remains for the loop, `recurrence`, is small.
"""

from collections.abc import Callable

import keras
from keras import ops

# A tensor of the backend; symbolic while a model is built.
Tensor = keras.KerasTensor
States = list[Tensor]
# From a projected frame (B, P) and the states to the output (B, units) and the new states.
Step = Callable[[Tensor, States], tuple[Tensor, States]]

# A turn of a backend's loop costs about as much as the step of a small cell, so several frames share one.
MOST_FRAMES_A_TURN = 4


def run(step: Step, projected: Tensor, states: States, most: int = MOST_FRAMES_A_TURN) -> tuple[Tensor, States]:
    """Apply `step` to one frame after the other.

    Args:
      step: as `Projected.recurrence` returns it.
      projected: (B, T, P), as `Projected.project` returns it; B and T may be unknown until the call.
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

    It is 1 if the number of frames is not known yet (None).
    """
    if not frames:
        return 1
    return next(count for count in range(most, 0, -1) if frames % count == 0)


def read(weight: keras.Variable) -> Tensor:
    """Return the value of a weight, read once. A variable that a step refers to is read again for each frame."""
    return ops.copy(weight)


def _turn(step: Step) -> Step:
    """Return the step for several frames at a time: from (B, frames, P) to (B, frames, units)."""

    def turn(projected: Tensor, states: States) -> tuple[Tensor, States]:
        outputs, states = [], list(states)
        for frame in ops.unstack(projected, axis=1):
            output, states = step(frame, states)
            outputs.append(output)
        return ops.stack(outputs, axis=1), states

    return turn


class _Cell:
    """A step in the form that Keras's loop expects."""

    # Keras requires it, but reads it only where it makes the initial states itself.
    state_size = 1

    def __init__(self, step: Step):
        self.call = _turn(step)

    def __call__(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        return self.call(projected, states)


class Projected:
    """The two parts of a recurrent layer, see the top of this file. P is the width of the projection."""

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the states, without B."""
        raise NotImplementedError

    def input_weights(self) -> tuple[Tensor, Tensor]:
        """Return the weights (F, P) of the input, and the biases (P,) that can be added outside the recurrence."""
        raise NotImplementedError

    def project(self, sequence: Tensor) -> Tensor:
        """Return what depends on the input (..., F) alone, (..., P)."""
        kernel, bias = self.input_weights()
        return ops.matmul(sequence, kernel) + bias

    def recurrence(self) -> Step:
        """Return the step, whose weights are read once."""
        raise NotImplementedError


class Recurrent(Projected, keras.layers.Layer):
    """A recurrent layer: (B, T, F) to (B, T, units), each output from the frames up to it.

    A subclass implements `build`, `state_shapes`, `input_weights` and `recurrence`. To process a video segment by
    segment, `return_state` and `initial_state` carry the states from one call to the next; otherwise they are zero
    before the first frame of each window.

    Args:
      units: size of the output.
      return_state: whether a call returns `(outputs, *states)`, with the states after the last frame, instead of the
        outputs alone.
    """

    # See `frames_a_turn`.
    most_frames_a_turn = MOST_FRAMES_A_TURN

    def __init__(self, units: int, return_state: bool = False, **kwargs):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: units={units}")
        self.units = units
        self.return_state = return_state
        self.input_spec = keras.layers.InputSpec(ndim=3)

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
