"""A training step and a forward pass of ours by Keras on JAX: a side of `benchmarks.gpu`.

The step is Keras's stateless API under `jax.jit`, with the buffers of weights and optimizer donated: forward, the loss
of `affwildnet.losses`, gradients, Adam.
"""

import time

import jax
import keras
import numpy as np

from affwildnet import losses, models
from benchmarks.sides.keras_weights import check_model, products, save
from benchmarks.sides.side_process import Work, serve

PRECISIONS = {"float32": "float32", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}


class Step:
    """The side; see `side_process`."""

    def __init__(self, work: Work):
        if work.precision != "bfloat16":
            jax.config.update("jax_default_matmul_precision", PRECISIONS[work.precision])
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy("mixed_bfloat16" if work.precision == "bfloat16" else "float32")
        model = self._model = models.build(work.config, work.frames)
        check_model(model)
        save(model, work.weights)
        self._work = work
        adam = keras.optimizers.Adam(1e-4, epsilon=1e-8)
        adam.build(model.trainable_variables)
        variables = model.trainable_variables, model.non_trainable_variables, adam.variables
        # Copies: what is donated is gone.
        self._state = jax.tree.map(jax.numpy.array, tuple([v.value for v in part] for part in variables))
        self._batch = {name: jax.numpy.asarray(value) for name, value in work.inputs().items()}

        def loss_of(trainable, other, batch, training):
            inputs = {tensor.name: batch[tensor.name] for tensor in model.inputs}
            predictions, other = model.stateless_call(trainable, other, inputs, training=training)
            return losses.ccc(batch["labels"], predictions, batch["mask"]), (other, predictions)

        def step(state, batch):
            trainable, other, slots = state
            found = jax.value_and_grad(loss_of, has_aux=True)(trainable, other, batch, True)
            (loss, (other, _)), gradients = found
            trainable, slots = adam.stateless_apply(slots, gradients, trainable)
            return loss, (trainable, other, slots)

        def forward(state, batch):
            return loss_of(*state[:2], batch, False)[1][1]

        def gradients_norm(state, batch):
            gradients = jax.grad(loss_of, has_aux=True)(*state[:2], batch, False)[0]
            return jax.numpy.sqrt(sum((gradient.astype("float32") ** 2).sum() for gradient in gradients))

        def checked(state, batch):
            loss, (_, predictions) = loss_of(*state[:2], batch, False)
            return predictions, loss

        began = time.perf_counter()
        lowered = jax.jit(step, donate_argnums=0).lower(self._state, self._batch)
        self._lowered = lowered, jax.jit(forward).lower(self._state, self._batch)
        self._checked, self._gradients_norm = checked, gradients_norm
        self._lowering = time.perf_counter() - began

    def facts(self) -> dict:
        device = jax.devices()[0]
        return {"device": device.device_kind, "products": products(self._model), "versions": f"JAX {jax.__version__}"}

    def compile(self) -> dict:
        """Compile, which tries kernels on the device; return seconds, and the bytes that each program needs."""
        began = time.perf_counter()
        self._step, self._forward = (each.compile() for each in self._lowered)
        found = {"compile_s": self._lowering + time.perf_counter() - began}
        for name, program in (("train", self._step), ("forward", self._forward)):
            need = program.memory_analysis()
            total = need.temp_size_in_bytes + need.argument_size_in_bytes + need.output_size_in_bytes
            found[f"{name}_bytes"] = total - need.alias_size_in_bytes
        self.train(2)
        self.forward(2)
        return found

    def train(self, steps: int) -> float:
        """Return the seconds of a step, mean over `steps`."""
        jax.block_until_ready(self._state)
        began = time.perf_counter()
        for _ in range(steps):
            loss, self._state = self._step(self._state, self._batch)
        jax.block_until_ready((loss, self._state))
        return (time.perf_counter() - began) / steps

    def forward(self, passes: int) -> float:
        """Return the seconds of a forward pass, mean over `passes`."""
        jax.block_until_ready(self._state)
        began = time.perf_counter()
        for _ in range(passes):
            predictions = self._forward(self._state, self._batch)
        predictions.block_until_ready()
        return (time.perf_counter() - began) / passes

    def check(self, batch: int, frames: int, gradient: bool) -> dict:
        """Write predictions, loss and the gradient's norm for the first weights; return how far the CPU's are off."""
        variables = self._model.trainable_variables, self._model.non_trainable_variables
        state = tuple([variable.value for variable in part] for part in variables)
        given = self._work.inputs(batch, frames)
        found = [np.asarray(value, np.float32) for value in jax.jit(self._checked)(state, given)]
        more = {"norm": np.asarray(jax.jit(self._gradients_norm)(state, given))} if gradient else {}
        np.savez(self._work.outputs("jax"), predictions=found[0], loss=found[1], **more)
        if jax.default_backend() == "cpu" or self._work.precision == "bfloat16":
            return {}
        with jax.default_matmul_precision("float32"):
            on_cpu = jax.device_put((state, given), jax.devices("cpu")[0])
            wanted = [np.asarray(value, np.float32) for value in jax.jit(self._checked)(*on_cpu)]
        return {"difference_to_cpu": float(np.abs(found[0] - wanted[0]).max() / np.abs(wanted[0]).max())}


if __name__ == "__main__":
    serve(Step)
