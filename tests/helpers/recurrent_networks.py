"""Small networks with each kind of recurrent stack, whose layers have long memories."""

from dataclasses import replace

import keras
import numpy as np

from affwildnet import models
from affwildnet.experiments.networks import NETWORKS
from tests.helpers.networks import randomised

# The last two have recurrent layers in their members and after them, and a network for each output.
STACKS = {
    "gru": replace(NETWORKS["affwildnet_vggface"], backbone="cnn_m"),
    "gru of cuDNN's form": replace(NETWORKS["affwildnet_vggface_no_landmarks"], backbone="cnn_m", reset_after=True),
    "lstm": replace(NETWORKS["vgg_face_lstm"], backbone="cnn_m"),
    "indrnn": replace(NETWORKS["thesis_vgg_face_indrnn"], backbone="cnn_m"),
    "attention": replace(NETWORKS["thesis_vgg_face_attention"], backbone="cnn_m"),
    "three stacks": NETWORKS["cnn_3rnn"],
    "members": replace(NETWORKS["model_fusion_rnn"], members=(NETWORKS["cnn_1rnn"], NETWORKS["vgg_face_lstm"])),
    "separate": replace(NETWORKS["cvprw_gru"], backbone="cnn_m"),
}


def small(config):
    return replace(config, image_size=32, width=0.02, members=tuple(small(member) for member in config.members))


def network(config, seed=0):
    """A small network of this description whose recurrent layers have large weights, none zero."""
    keras.utils.set_random_seed(seed)
    model = randomised(models.build(small(config)))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if hasattr(layer, "state_shapes"):
            layer.set_weights([rng.normal(0, 0.6, weight.shape) for weight in layer.weights])
    return model
