"""Whether XLA compiles the training step: `training.jit_compile`."""

from collections.abc import Iterator

import keras
import tensorflow as tf

AUTO, ALWAYS, NEVER = "auto", "true", "false"
CHOICES = (AUTO, ALWAYS, NEVER)


def uses_xla(choice: str, devices: int) -> bool:
    """Return whether XLA compiles the step.

    It fuses what lies between the large products, and the loop over the frames becomes one program on the GPU. cuDNN's
    GRU is no part of such a program; the step is faster all the same (docs/performance.md). On processors XLA is slower
    than TensorFlow's own kernels.

    Args:
      choice: "true" and "false" are obeyed; "auto" is true on one GPU.
      devices: that train together.
    """
    if choice != AUTO:
        return choice == ALWAYS
    return devices == 1 and bool(tf.config.get_visible_devices("GPU"))


def cudnn_layers(model: keras.Model) -> list[str]:
    """Return the names of the layers that cuDNN can compute on a GPU, GRUs with `model.reset_after`."""
    return [layer.name for layer in _grus(model) if layer.reset_after]


def keep_from_cudnn(model: keras.Model) -> None:
    """Have the GRUs of a network computed frame by frame in this process, as XLA needs it: it has no cuDNN's kernel."""
    for layer in _grus(model):
        layer.use_cudnn = False


def _grus(model: keras.Model) -> Iterator[keras.layers.GRU]:
    """Yield the GRU layers of a network and of the networks in it; those in an attention are no layers of theirs."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.GRU):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _grus(layer)


def summary(choice: str, model: keras.Model, devices: int) -> str:
    """Return a line on how the step runs on a GPU."""
    xla, cudnn = uses_xla(choice, devices), cudnn_layers(model)
    how = f"XLA {'compiles' if xla else 'does not compile'} the step (training.jit_compile={choice})"
    if not any(_grus(model)):
        return how
    if cudnn:
        names = ", ".join(cudnn)
        return f"{how}, with it {names}, which cuDNN runs in evaluation" if xla else f"{how}; cuDNN runs {names}"
    return (
        f"{how}; the GRU has the form of TensorFlow 1, frame by frame; with random weights, model.reset_after=true is "
        "the form that cuDNN runs, in evaluation too"
    )
