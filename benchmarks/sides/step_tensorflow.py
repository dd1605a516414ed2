"""The training step of `affwildnet.training`, and a forward pass: a side of the benchmarks `gpu` and `step`."""

import time

import keras
import numpy as np
import tensorflow as tf

from affwildnet import losses, models
from affwildnet.devices import allow_tf32, has_gpu
from affwildnet.experiments.config import TrainingConfig
from affwildnet.training import step as training_step
from benchmarks.sides import bare_products
from benchmarks.sides.keras_weights import check_model, products, save
from benchmarks.sides.side_process import Work, serve

PRECISIONS = {"bfloat16": "mixed_bfloat16"}


class Step:
    """The side; see `side_process`."""

    def __init__(self, work: Work):
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        allow_tf32(work.precision == "tf32")
        self._work = work
        precision = PRECISIONS.get(work.precision, work.precision)
        config = TrainingConfig(
            batch_size=work.batch, window=work.frames, precision=precision, jit_compile=work.jit_compile
        )
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(training_step.policy(precision))
        model = self._model = models.build(work.config, work.frames)
        check_model(model)
        save(model, work.weights)
        self._weights = [np.array(weight) for weight in model.get_weights()]
        model.compile(optimizer=training_step.make_optimizer(config), auto_scale_loss=False)
        model.optimizer.build(model.trainable_variables)
        self._step = training_step.TrainStep(model, config, tf.distribute.get_strategy())
        self._batch = {name: tf.constant(value) for name, value in work.inputs().items()}
        inputs = {tensor.name: self._batch[tensor.name] for tensor in model.inputs}
        self._forward = tf.function(lambda: model(inputs, training=False))

    def facts(self) -> dict:
        gpus = tf.config.list_physical_devices("GPU")
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "cpu"
        return {"device": name, "products": products(self._model), "versions": f"TensorFlow {tf.__version__}"}

    def compile(self) -> dict:
        """Compile; return the seconds, and the most bytes in use."""
        began = time.perf_counter()
        self.train(2)
        found = {"train_bytes": tf.config.experimental.get_memory_info("GPU:0")["peak"]} if has_gpu() else {}
        self.forward(2)
        return {"compile_s": time.perf_counter() - began, **found}

    def train(self, steps: int) -> float:
        """Return the seconds of a step, mean over `steps`."""
        began = time.perf_counter()
        for _ in range(steps):
            read = self._step(self._batch)
        read()
        return (time.perf_counter() - began) / steps

    def forward(self, passes: int) -> float:
        """Return the seconds of a forward pass, mean over `passes`."""
        began = time.perf_counter()
        for _ in range(passes):
            predictions = self._forward()
        predictions.numpy()
        return (time.perf_counter() - began) / passes

    def bare_products(self, rounds: int) -> dict[str, float]:
        """Return the seconds of the products of a step alone, by kind."""
        dtype = "bfloat16" if self._work.precision == "bfloat16" else "float32"
        return bare_products.seconds(self._model, self._work.batch * self._work.frames, dtype, rounds)

    def check(self, batch: int, frames: int, gradient: bool) -> dict:
        """Write predictions, loss and norm of the gradient for the first weights, without dropout."""
        now = self._model.get_weights()
        self._model.set_weights(self._weights)
        given = {name: tf.constant(value) for name, value in self._work.inputs(batch, frames).items()}
        inputs = {tensor.name: given[tensor.name] for tensor in self._model.inputs}
        with tf.GradientTape() as tape:
            predictions = self._model(inputs, training=False)
            loss = losses.ccc(given["labels"], predictions, given["mask"])
        values = {"predictions": tf.cast(predictions, tf.float32).numpy(), "loss": loss.numpy()}
        if gradient:
            gradients = tape.gradient(loss, [weight.value for weight in self._model.trainable_variables])
            values["norm"] = tf.linalg.global_norm(gradients).numpy()
        np.savez(self._work.outputs("tensorflow"), **values)
        self._model.set_weights(now)
        return {}


if __name__ == "__main__":
    serve(Step)
