"""Recurrent stacks of ours by Keras on JAX, in all forms: a side of `benchmarks.gpu`."""

import time
from functools import partial

import jax
import keras
import numpy as np

from affwildnet.models.folding import FoldedAttention
from affwildnet.models.recurrent import GRU
from affwildnet.models.recurrent import gru as gru_file
from affwildnet.models.recurrent.recurrence import run
from benchmarks.sides.recurrent_pairs import UNITS, attention_pair
from benchmarks.sides.side_process import Work, serve

FEATURES = {"gru": 4096, "attention": 4608}


class Recurrences:
    """The side; see `side_process`. Everything is float32."""

    def __init__(self, work: Work):
        keras.utils.set_random_seed(0)
        jax.config.update("jax_default_matmul_precision", "float32")
        self._scale = work.width
        self._forms = {
            "gru, TensorFlow 1's form": lambda: _stack(self._features("gru"), GRU, reset_after=False),
            "gru, cuDNN's form": lambda: _stack(self._features("gru"), GRU, reset_after=True),
            "gru, Keras's layer": lambda: _stack(self._features("gru"), keras.layers.GRU, reset_after=False),
            "attention": lambda: self._attention(0),
            "attention, folded": self._folded,
            "attention, literal": lambda: self._attention(1),
        }

    def facts(self) -> dict:
        return {"device": jax.devices()[0].device_kind, "forms": list(self._forms)}

    def measure(self, form: str, batch: int, frames: int, rounds: int, training: bool, turn: int = 0) -> dict:
        """Return the median milliseconds of a forward pass, and of one with all gradients; and the outputs' mean size.

        Args:
          form: one of `facts`.
          batch, frames: windows, and frames of each.
          rounds: of each pass.
          training: whether to compute the gradients too.
          turn: frames that a turn of the loop takes at most; 0 leaves it as it is.
        """
        layer = self._forms[form]()
        if turn:
            layer.most_frames_a_turn = turn
            gru_file.run = partial(run, most=turn)
        features = self._features(form.split(",")[0])
        window = jax.numpy.asarray(np.random.default_rng(0).normal(0, 0.5, (batch, frames, features)).astype("float32"))
        direction = jax.random.normal(jax.random.key(1), (batch, frames, UNITS))
        state = [variable.value for variable in layer.trainable_variables]
        other = [variable.value for variable in layer.non_trainable_variables]

        def forward(state, window):
            return layer.stateless_call(state, other, window)[0]

        def loss(state, window):
            return (forward(state, window) * direction).sum()

        passes = {"forward": jax.jit(forward)}
        if training:
            passes["training"] = jax.jit(jax.grad(loss, argnums=(0, 1)))
        outputs = np.asarray(passes["forward"](state, window))
        found = {"outputs": float(np.abs(outputs).mean())}
        for name, compute in passes.items():
            jax.block_until_ready(compute(state, window))
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                jax.block_until_ready(compute(state, window))
                times.append(time.perf_counter() - began)
            found[f"{name}_ms"] = 1000 * sorted(times)[len(times) // 2]
        return found

    def _features(self, kind: str) -> int:
        return max(1, round(FEATURES[kind] * self._scale))

    def _attention(self, form: int):
        keras.utils.set_random_seed(0)
        return attention_pair(self._features("attention"))[form][0]

    def _folded(self):
        attention = self._attention(0)
        folded = FoldedAttention.from_config(attention.get_config())
        folded.build((None, None, self._features("attention")))
        folded.take_weights(attention)
        return folded


def _stack(features: int, make, **form) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([make(UNITS, return_sequences=True, **form) for _ in range(2)])
    model.build((None, None, features))
    return model


if __name__ == "__main__":
    serve(Recurrences)
