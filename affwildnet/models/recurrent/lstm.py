"""The long short-term memory with peepholes."""

import keras
from keras import ops

from affwildnet.models.recurrent.initial_values import joint_limit
from affwildnet.models.recurrent.recurrence import Recurrent, States, Step, Tensor, read


@keras.saving.register_keras_serializable(package="affwildnet")
class PeepholeLSTM(Recurrent):
    """LSTM whose gates read the content of the cell (thesis eq. 4.1): (B, T, F) to (B, T, units).

    i = sigmoid(x Wi + h Ui + wi c + bi), f = sigmoid(x Wf + h Uf + wf c + bf + 1), c' = f c + i tanh(x Wc + h Uc + bc),
    o = sigmoid(x Wo + h Uo + wo c' + bo), h' = o tanh(c'). The peepholes wi, wf, wo are one weight per unit. The 1
    is the forget bias of TensorFlow 1, which is added in the gate and is not among the weights.

    Weights: `kernel` (F, 4 * units), `recurrent_kernel` (units, 4 * units), `bias` (4 * units), columns i, f, c, o as
    in `keras.layers.LSTM`; `input_peephole`, `forget_peephole`, `output_peephole` (units). States: h, c.

    Example:

    ```python
    features = np.zeros((4, 80, 4096), "float32")
    PeepholeLSTM(128)(features).shape  # (4, 80, 128)
    ```

    Args:
      units: size of the output and of the content of the cell.
      forget_bias: added in the forget gate before its sigmoid.
      **kwargs: see `Recurrent`.
    """

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.units,), (self.units,)]

    def build(self, sequence_shape, initial_state_shape=None):
        units, inputs = self.units, sequence_shape[-1]
        limit = joint_limit(inputs, units, 4 * units)
        # One each: an initializer draws the same numbers again for the same shape.
        of_input, of_state = (keras.initializers.RandomUniform(-limit, limit) for _ in range(2))
        self.kernel = self.add_weight((inputs, 4 * units), of_input, name="kernel")
        self.recurrent_kernel = self.add_weight((units, 4 * units), of_state, name="recurrent_kernel")
        self.bias = self.add_weight((4 * units,), "zeros", name="bias")
        self.input_peephole = self.add_weight((units,), "glorot_uniform", name="input_peephole")
        self.forget_peephole = self.add_weight((units,), "glorot_uniform", name="forget_peephole")
        self.output_peephole = self.add_weight((units,), "glorot_uniform", name="output_peephole")

    def input_weights(self) -> tuple[Tensor, Tensor]:
        forget = ops.repeat(ops.convert_to_tensor([0.0, self.forget_bias, 0.0, 0.0], self.compute_dtype), self.units)
        return ops.convert_to_tensor(self.kernel), self.bias + forget

    def recurrence(self) -> Step:
        kernel = read(self.recurrent_kernel)
        to_input = read(self.input_peephole)
        to_forget = read(self.forget_peephole)
        to_output = read(self.output_peephole)

        def step(projected: Tensor, states: States) -> tuple[Tensor, States]:
            h, c = states
            x_input, x_forget, x_cell, x_output = ops.split(projected + ops.matmul(h, kernel), 4, axis=-1)
            kept = ops.sigmoid(x_forget + to_forget * c) * c
            c = kept + ops.sigmoid(x_input + to_input * c) * ops.tanh(x_cell)
            h = ops.sigmoid(x_output + to_output * c) * ops.tanh(c)
            return h, [h, c]

        return step

    def get_config(self) -> dict:
        return {**super().get_config(), "forget_bias": self.forget_bias}
