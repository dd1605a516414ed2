"""Adam's update of a weight as one kernel."""

import keras
import tensorflow as tf


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Keras's Adam update each weight by TensorFlow's kernel for it; leave any other optimizer as it is.

    Keras composes the update of a dozen operations, each of which reads and writes tensors as large as the weights. The
    kernel reads weight, gradient and both moments once. It computes the same (Kingma and Ba 2015, the form before
    section 2.1) but for rounding: it takes 1 - 0.999 in float32 everywhere, as TensorFlow 1 did, and Keras in one of
    two places, so that updates differ by 1e-5 of their size.

    The optimizer keeps its class, its state and its configuration, so that checkpoints are the same.

    Args:
      optimizer: built; loss scaling may be around it.
    """
    adam = getattr(optimizer, "inner_optimizer", optimizer)
    if type(adam) is not keras.optimizers.Adam or adam.amsgrad:
        return

    def update_step(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        dtype = variable.dtype
        index = adam._get_variable_index(variable)
        first, second = (moments[index].value for moments in (adam._momentums, adam._velocities))
        step = tf.cast(adam.iterations.value + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=tf.pow(tf.cast(adam.beta_1, dtype), step),
            beta2_power=tf.pow(tf.cast(adam.beta_2, dtype), step),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(adam.beta_1, dtype),
            beta2=tf.cast(adam.beta_2, dtype),
            epsilon=tf.cast(adam.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    # No public way; tests/affwildnet/training/test_fused_adam.py notices a change.
    adam.update_step = update_step
