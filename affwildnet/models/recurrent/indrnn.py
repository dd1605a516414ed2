"""The independently recurrent network (Li et al. 2018)."""

import keras
from keras import ops

from affwildnet.models.recurrent.recurrence import Recurrent, States, Step, Tensor, read

# The deviation of the initial weights of the input. A unit with a recurrent weight of 1 adds up its input over the
# window, so they have to start small. Both values are those of the implementation that the thesis used.
INPUT_DEVIATION = 0.001


def largest_weight(window: int) -> float:
    """Return 2^(1/T): a unit with this recurrent weight doubles its state within the T frames of a window."""
    return 2 ** (1 / window)


@keras.saving.register_keras_serializable(package="affwildnet")
class RecurrentWeightLimit(keras.constraints.Constraint):
    """Keeps recurrent weights within -2^(1/T) to 2^(1/T) after each step of the optimizer (thesis section 5.2.2).

    Example:

    ```python
    RecurrentWeightLimit(window=80)(np.array([2.0, -0.5]))  # [1.0087, -0.5]
    ```

    Args:
      window: T, frames in a training window.
    """

    def __init__(self, window: int):
        if window < 1:
            raise ValueError(f"`window` must be at least 1. Received: window={window}")
        self.window = window

    def __call__(self, weight: Tensor) -> Tensor:
        limit = largest_weight(self.window)
        return ops.clip(weight, -limit, limit)

    def get_config(self) -> dict:
        return {"window": self.window}


@keras.saving.register_keras_serializable(package="affwildnet")
class IndRNN(Recurrent):
    """Independently recurrent layer, whose units read only their own state: (B, T, F) to (B, T, units).

    h' = relu(x W + u h + b), where u h is a product unit by unit (thesis eq. 4.2).

    Weights: `kernel` W (F, units), `recurrent_kernel` u (units), `bias` b (units); at first from N(0, 0.001), 1, and 0.
    State: h.

    Example:

    ```python
    features = np.zeros((4, 80, 4096), "float32")
    IndRNN(128, window=80)(features).shape  # (4, 80, 128)
    ```

    Args:
      units: size of the output.
      window: T, frames in a training window. It limits the recurrent weights, see `RecurrentWeightLimit`; the layer
        takes sequences of any length.
      **kwargs: see `Recurrent`.
    """

    def __init__(self, units: int, window: int = 80, **kwargs):
        super().__init__(units, **kwargs)
        if window < 1:
            raise ValueError(f"`window` must be at least 1. Received: window={window}")
        self.window = window

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.units,)]

    def build(self, sequence_shape, initial_state_shape=None):
        small = keras.initializers.RandomNormal(0, INPUT_DEVIATION)
        limit = RecurrentWeightLimit(self.window)
        self.kernel = self.add_weight((sequence_shape[-1], self.units), small, name="kernel")
        self.recurrent_kernel = self.add_weight((self.units,), "ones", constraint=limit, name="recurrent_kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def input_weights(self) -> tuple[Tensor, Tensor]:
        return ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias)

    def recurrence(self) -> Step:
        kernel = read(self.recurrent_kernel)

        def step(projected: Tensor, states: States) -> tuple[Tensor, States]:
            (h,) = states
            h = ops.relu(projected + kernel * h)
            return h, [h]

        return step

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window}

    @classmethod
    def from_config(cls, config: dict) -> "IndRNN":
        config = dict(config)
        config.pop("remembers", None)  # in files of earlier versions: of the initial values
        return cls(**config)
