"""The gated recurrent unit."""

import keras
from keras import ops

from affwildnet.models.recurrent.initial_values import GateBias, GRUKernel
from affwildnet.models.recurrent.recurrence import Projected, States, Step, Tensor, read, run


class _ProjectedLoop(keras.layers.RNN):
    """Keras's loop over a GRU cell, but with the product of the input computed before it, where that is possible."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        special = mask is not None or self.go_backwards or self.unroll
        if special or self.cell.dropout or self.cell.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask=mask, training=training)
        states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        outputs, states = run(self.recurrence(), self.project(sequences), states)
        return states[0], outputs if self.return_sequences else ops.expand_dims(states[0], 1), states


@keras.saving.register_keras_serializable(package="affwildnet")
class GRU(Projected, keras.layers.GRU, _ProjectedLoop):
    """GRU (Cho et al. 2014; thesis section 2.3.7): (B, T, F) to (B, T, units).

    Weights and results are those of `keras.layers.GRU`. Initial values are those of TensorFlow 1's `GRUCell`: Glorot's
    of the joint matrices (`GRUKernel`), biases of the gates 1 and of the candidate 0. With `reset_after` False, as
    there: z, r = sigmoid(x W + h U + b), c = tanh(x Wc + (r h) Uc + bc), h' = z h + (1 - z) c. With `reset_after`
    True, the form that cuDNN runs: c = tanh(x Wc + bc + r (h Uc + b'c)).

    Keras's own layer tries cuDNN first. Where that is not possible, it leaves the loop to the next class, which is
    `_ProjectedLoop`.

    Example:

    ```python
    features = np.zeros((4, 80, 4096), "float32")
    GRU(128, reset_after=False)(features).shape  # (4, 80, 128)
    ```

    Args:
      units: size of the output.
      return_sequences: whether to return the outputs of all frames instead of the last one; true by default here.
      kernel_initializer, recurrent_initializer, bias_initializer: as in Keras; None is TensorFlow 1's.
      **kwargs: the other arguments of `keras.layers.GRU`.
    """

    def __init__(
        self,
        units: int,
        return_sequences: bool = True,
        kernel_initializer=None,
        recurrent_initializer=None,
        bias_initializer=None,
        **kwargs,
    ):
        super().__init__(
            units,
            return_sequences=return_sequences,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer or GateBias(),
            **kwargs,
        )

    def build(self, sequences_shape, initial_state_shape=None):
        cell, sizes = self.cell, (self.units, sequences_shape[-1])
        # One each: an initializer draws the same numbers again for the same shape.
        cell.kernel_initializer = cell.kernel_initializer or GRUKernel(*sizes)
        cell.recurrent_initializer = cell.recurrent_initializer or GRUKernel(*sizes)
        super().build(sequences_shape, initial_state_shape)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of the one state, the output, without B."""
        return [(self.units,)]

    def input_weights(self) -> tuple[Tensor, Tensor]:
        kernel, units = ops.convert_to_tensor(self.cell.kernel), self.units
        if not self.use_bias:
            return kernel, ops.zeros((3 * units,), kernel.dtype)
        bias = ops.convert_to_tensor(self.cell.bias)
        if self.reset_after:
            bias = bias[0] + ops.concatenate([bias[1, : 2 * units], ops.zeros((units,), bias.dtype)])
        return kernel, bias

    def recurrence(self) -> Step:
        """Return the step from (B, 3 * units), [h] to h', [h']."""
        gates = 2 * self.units
        activation, gate_activation = self.activation, self.recurrent_activation
        kernel = read(self.cell.recurrent_kernel)
        gates_kernel, candidate_kernel = ops.split(kernel, [gates], axis=1)
        bias = self.cell.bias[1, gates:] if self.use_bias and self.reset_after else 0.0

        def before(projected: Tensor, states: States) -> tuple[Tensor, States]:
            (h,) = states
            x_gates, x_candidate = ops.split(projected, [gates], axis=-1)
            z, r = ops.split(gate_activation(x_gates + ops.matmul(h, gates_kernel)), 2, axis=-1)
            c = activation(x_candidate + ops.matmul(r * h, candidate_kernel))
            h = c + z * (h - c)
            return h, [h]

        def after(projected: Tensor, states: States) -> tuple[Tensor, States]:
            (h,) = states
            x_gates, x_candidate = ops.split(projected, [gates], axis=-1)
            h_gates, h_candidate = ops.split(ops.matmul(h, kernel), [gates], axis=-1)
            z, r = ops.split(gate_activation(x_gates + h_gates), 2, axis=-1)
            c = activation(x_candidate + r * (h_candidate + bias))
            h = c + z * (h - c)
            return h, [h]

        return after if self.reset_after else before
