"""The initial values of TensorFlow 1's recurrent cells, whose networks the papers train.

TensorFlow 1 keeps the weights of input and state in one matrix and draws it from Glorot's uniform distribution as a
whole; here they are two matrices, drawn with the limit of the whole.
"""

import math

import keras
from keras import ops

from affwildnet.models.recurrent.recurrence import Tensor


def joint_limit(inputs: int, units: int, columns: int) -> float:
    """Return Glorot's limit of the one matrix ([x, h], columns) that reads `inputs` features and `units` states."""
    return math.sqrt(6 / (inputs + units + columns))


@keras.saving.register_keras_serializable(package="affwildnet")
class GRUKernel(keras.initializers.Initializer):
    """Draws a kernel of a GRU, of the input (F, 3 * units) or of the state (units, 3 * units), as TensorFlow 1 does.

    Its matrix of both gates and that of the candidate each have Glorot's limit: of (F + units, 2 * units) and of
    (F + units, units).

    Example:

    ```python
    GRUKernel(units=128, inputs=4096)((4096, 384))  # (4096, 384), the first 256 columns from a narrower range
    ```

    Args:
      units: of the layer.
      inputs: F, the features that it reads.
      seed: of the draw; None draws from Keras's global generator.
    """

    def __init__(self, units: int, inputs: int, seed: int | None = None):
        self.units, self.inputs, self.seed = units, inputs, seed
        gates, candidate = (joint_limit(inputs, units, columns) for columns in (2 * units, units))
        uniform = keras.initializers.RandomUniform
        self._gates, self._candidate = uniform(-gates, gates, seed), uniform(-candidate, candidate, seed)

    def __call__(self, shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        rows, units = shape[0], self.units
        return ops.concatenate([self._gates((rows, 2 * units), dtype), self._candidate((rows, units), dtype)], axis=1)

    def get_config(self) -> dict:
        return {"units": self.units, "inputs": self.inputs, "seed": self.seed}


@keras.saving.register_keras_serializable(package="affwildnet")
class GateBias(keras.initializers.Initializer):
    """Starts the biases of a GRU's gates at 1 and that of its candidate at 0, so that it first keeps its state.

    The bias is (3 * units) or, with `reset_after`, (2, 3 * units), of which the second row, that of the state, is 0.

    Example:

    ```python
    GateBias()((6,))  # [1, 1, 1, 1, 0, 0]
    ```
    """

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        units = shape[-1] // 3
        bias = ops.concatenate([ops.ones((2 * units,), dtype), ops.zeros((units,), dtype)])
        return bias if len(shape) == 1 else ops.stack([bias, ops.zeros_like(bias)])
