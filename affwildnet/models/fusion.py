"""Decision-level fusion: several networks on the same inputs, and the weighted mean of their predictions."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from affwildnet.experiments.heads import VALENCE_AROUSAL
from affwildnet.models.cloning import clone_onto
from affwildnet.models.layer_prefixes import member_prefix
from affwildnet.models.layer_weights import set_weights_of
from affwildnet.models.signature import FRAMES
from tfrecords_tools.errors import UserError


@keras.saving.register_keras_serializable(package="affwildnet")
class WeightedMean(keras.layers.Layer):
    """The mean of N networks' predictions, with a weight for each network and dimension (omg2019 eq. 1).

    Called with a list of N tensors (B, T, D). Weights: `shares` (N, D), not trained; equal at first.

    Example:

    ```python
    mean = WeightedMean()
    mean([np.zeros((1, 80, 2)), np.ones((1, 80, 2))])  # 0.5 everywhere
    mean.shares.assign([[1, 3], [1, 1]])
    mean([np.zeros((1, 80, 2)), np.ones((1, 80, 2))])  # valence 0.5, arousal 0.25
    ```
    """

    def build(self, input_shape):
        shape = (len(input_shape), input_shape[0][-1])
        self.shares = self.add_weight(name="shares", shape=shape, initializer="ones", trainable=False)

    def call(self, predictions):
        shares = self.shares / ops.sum(self.shares, axis=0)
        return sum(prediction * shares[index] for index, prediction in enumerate(predictions))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def fuse_decisions(models: Sequence[keras.Model], ccc: np.ndarray) -> keras.Model:
    """Fuse trained networks at decision level (omg2019 section 5.4.2, eq. 1).

    Example:

    ```python
    fused = fuse_decisions([cnn_1rnn, cnn_3rnn], [[0.45, 0.30], [0.47, 0.33]])
    ```

    Args:
      models: trained networks. Each takes all inputs of the fused network or some of them.
      ccc: (N, 2), the CCC of valence and arousal of each network on the validation split.

    Returns:
      A network whose output `valence_arousal` is the weighted mean of their predictions. The names of its layers begin
      with `net1_`, `net2_` ...

    Raises:
      UserError: if a CCC is not above 0, or the networks take crops of different sizes.
    """
    ccc = np.asarray(ccc, "float32")
    if ccc.shape != (len(models), 2) or not (ccc > 0).all():
        raise UserError(
            "Decision-level fusion needs a CCC above 0 of valence and arousal for each network; leave out the others. "
            f"Received: {ccc.tolist()} for {len(models)} networks."
        )
    frames = {tuple(tensor.shape) for model in models for tensor in model.inputs if tensor.name == FRAMES}
    if len(frames) > 1:
        raise UserError(f"Fused networks must take frames of one size. Received: {sorted(frames)}")
    tensors = {}
    for model in models:
        for tensor in model.inputs:
            tensors.setdefault(tensor.name, keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name))
    tensors = list(tensors.values())
    predictions = [clone_onto(tensors, model, member_prefix(index))[0] for index, model in enumerate(models, start=1)]
    mean = WeightedMean(dtype="float32", name=VALENCE_AROUSAL)
    fused = keras.Model(tensors, mean(predictions), name="decision_fusion")
    mean.shares.assign(ccc)
    for index, model in enumerate(models, start=1):
        for layer in model.layers:
            if layer.weights:
                set_weights_of(fused.get_layer(member_prefix(index) + layer.name), layer.get_weights())
    return fused
