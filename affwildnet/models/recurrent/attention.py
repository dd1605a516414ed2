"""Attention over the last outputs of a stack of recurrent layers."""

import math
from collections.abc import Sequence
from itertools import accumulate

import keras
from keras import ops

from affwildnet.models.recurrent.gru import GRU
from affwildnet.models.recurrent.recurrence import Recurrent, States, Step, Tensor, read


@keras.saving.register_keras_serializable(package="affwildnet")
class OutputAttention(Recurrent):
    """A recurrent stack that attends to its last n outputs (thesis section 4.3.4): (B, T, F) to (B, T, units).

    It computes what the AttentionCellWrapper of TensorFlow 1 does. a is the attention, and m_1 ... m_n are the last n
    outputs; they are zero before the first frame, and attended to as such:

        x' = x W1 + a W1' + b1                 (F)
        o, s' = stack(x', s)
        q = [s'] Wq + bq                       all states of the stack, side by side
        p = softmax over i of v . tanh(m_i Wk + q)
        a' = sum over i of p_i m_i
        y = [o, a'] W2 + b2                    the output; it replaces the oldest m

    x W1 and its product with the weights K of the first layer are computed for all frames at once. The rest of x',
    a W1', is multiplied by K in the loop as a (W1' K), with W1' K computed once. m Wk is computed once per output.

    Weights: `input_kernel` W1 (F, F), `input_attention_kernel` W1' (units, F), `input_bias`; those of the stack;
    `query_kernel` (states, units), `query_bias`, `key_kernel` (units, units), `score` v (units); `output_kernel` W2
    (2 * units, units), `output_bias`. States: those of the stack, a (units), the outputs m (n, units) from the oldest
    to the newest, and their keys m Wk (n, units).

    Example:

    ```python
    features = np.zeros((4, 80, 4096), "float32")
    OutputAttention([GRU(128), GRU(128)], memory=30)(features).shape  # (4, 80, 128)
    ```

    Args:
      stack: recurrent layers of this package, in order from the input; `units` are those of the last.
      memory: n, the number of outputs that it attends to, at least 1.
      **kwargs: see `Recurrent`; `units` is not among them.
    """

    # Its step is so much work that sharing turns saves nothing, and takes three times as long to compile.
    most_frames_a_turn = 1

    def __init__(self, stack: Sequence[GRU | Recurrent], memory: int, **kwargs):
        if not stack:
            raise ValueError("`stack` must hold at least one recurrent layer. Received: none.")
        super().__init__(stack[-1].units, **kwargs)
        if memory < 1:
            raise ValueError(f"`memory` must be at least 1. Received: memory={memory}")
        self.stack = list(stack)
        self.memory = memory

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        outputs = (self.memory, self.units)
        return [*(shape for layer in self.stack for shape in layer.state_shapes), (self.units,), outputs, outputs]

    def build(self, sequence_shape, initial_state_shape=None):
        features, units = sequence_shape[-1], self.units
        # W1 and W1' are one matrix in TensorFlow 1, and start as one: with Glorot's limit for the whole.
        limit = math.sqrt(6 / (features + units + features))
        joint = [keras.initializers.RandomUniform(-limit, limit) for _ in range(2)]
        self.input_kernel = self.add_input_weight((features, features), joint[0], "input_kernel")
        self.input_attention_kernel = self.add_input_weight((units, features), joint[1], "input_attention_kernel")
        self.input_bias = self.add_input_weight((features,), "zeros", "input_bias")
        read_features = self.stack_features(features)
        for layer in self.stack:
            layer.build((*sequence_shape[:-1], read_features))
            read_features = layer.units
        remembered = sum(math.prod(shape) for layer in self.stack for shape in layer.state_shapes)
        self.query_kernel = self.add_weight((remembered, units), "glorot_uniform", name="query_kernel")
        self.query_bias = self.add_weight((units,), "zeros", name="query_bias")
        self.key_kernel = self.add_weight((units, units), "glorot_uniform", name="key_kernel")
        self.score = self.add_weight((units,), "glorot_uniform", name="score")
        self.output_kernel = self.add_weight((2 * units, units), "glorot_uniform", name="output_kernel")
        self.output_bias = self.add_weight((units,), "zeros", name="output_bias")

    def add_input_weight(self, shape: tuple[int, ...], initializer, name: str) -> keras.Variable:
        """Return a new weight of W1, W1' or b1, which networks without training have folded into others."""
        return self.add_weight(shape, initializer, name=name)

    def stack_features(self, features: int) -> int:
        """Return how many features the first layer has weights for; none where these are folded into others."""
        return features

    def project(self, sequence: Tensor) -> Tensor:
        return self.stack[0].project(ops.matmul(sequence, self.input_kernel) + self.input_bias)

    def attention_kernel(self) -> Tensor:
        """Return W1' K (units, P), what the attention is multiplied by in the loop."""
        first_kernel, _ = self.stack[0].input_weights()
        return ops.matmul(self.input_attention_kernel, first_kernel)

    def recurrence(self) -> Step:
        stack = self._stack_step()
        attention_kernel = self.attention_kernel()
        names = ("query_kernel", "query_bias", "key_kernel", "score", "output_kernel", "output_bias")
        query_kernel, query_bias, key_kernel, score, output_kernel, output_bias = (
            read(getattr(self, name)) for name in names
        )

        def step(projected: Tensor, states: States) -> tuple[Tensor, States]:
            *states, attention, outputs, keys = states
            output, states = stack(projected + ops.matmul(attention, attention_kernel), states)
            query = ops.matmul(ops.concatenate(states, axis=-1), query_kernel) + query_bias
            # Products and sums: for so few numbers a backend's product of matrices, or softmax, takes longer to start
            # than to compute. The scores are at most the sum of |v|, but that is not limited, hence the maximum.
            scores = ops.sum(ops.tanh(keys + ops.expand_dims(query, 1)) * score, axis=-1, keepdims=True)
            shares = ops.exp(scores - ops.stop_gradient(ops.max(scores, axis=1, keepdims=True)))
            attention = ops.sum(shares * outputs, axis=1) / ops.sum(shares, axis=1)
            output = ops.matmul(ops.concatenate([output, attention], axis=-1), output_kernel) + output_bias
            key = ops.matmul(output, key_kernel)
            # Of a split the gradient is a concatenation; of a slice it is a tensor of zeros that is written into.
            outputs = ops.concatenate([ops.split(outputs, [1], axis=1)[1], ops.expand_dims(output, 1)], axis=1)
            keys = ops.concatenate([ops.split(keys, [1], axis=1)[1], ops.expand_dims(key, 1)], axis=1)
            return output, [*states, attention, outputs, keys]

        return step

    def _stack_step(self) -> Step:
        """Return the step of the stack: from (B, P) of its first layer and all states to its output and all states."""
        steps = [layer.recurrence() for layer in self.stack]
        entries = [[read(weight) for weight in layer.input_weights()] for layer in self.stack[1:]]
        ends = list(accumulate(len(layer.state_shapes) for layer in self.stack))

        def step(projected: Tensor, states: States) -> tuple[Tensor, States]:
            output, new_states = steps[0](projected, states[: ends[0]])
            for next_step, (kernel, bias), begin, end in zip(steps[1:], entries, ends, ends[1:], strict=False):
                output, layer_states = next_step(ops.matmul(output, kernel) + bias, states[begin:end])
                new_states = [*new_states, *layer_states]
            return output, new_states

        return step

    def get_config(self) -> dict:
        config = super().get_config()
        del config["units"]
        stack = [keras.saving.serialize_keras_object(layer) for layer in self.stack]
        for layer in stack:
            layer.pop("build_config", None)  # `build` builds the layers
        return {**config, "stack": stack, "memory": self.memory}

    @classmethod
    def from_config(cls, config: dict) -> "OutputAttention":
        stack = [keras.saving.deserialize_keras_object(layer) for layer in config["stack"]]
        return cls(**{**config, "stack": stack})
