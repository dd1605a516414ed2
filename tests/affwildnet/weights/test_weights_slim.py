"""TF-Slim's public checkpoint of ResNet-50: its equations written again, saved as it is, imported and compared."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from affwildnet.experiments import get
from affwildnet.experiments.networks import NETWORKS
from affwildnet.weights import import_weights
from affwildnet.weights.slim_resnet50 import MEAN
from tests.affwildnet.weights.test_weights_affwildnet_tf1 import Checkpoint
from tests.helpers.networks import numpy
from tfrecords_tools.errors import UserError

CONFIG = replace(NETWORKS["thesis_resnet50_attention"], width=0.05, image_size=33)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A checkpoint with the variables of `resnet_v1_50.ckpt`, the faces that it was given and its features."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 33, 33, 3)).astype("float32")
    made = Checkpoint(CONFIG)
    features = made.slim(tf.constant(frames - np.float32(MEAN)))
    more = {
        "resnet_v1_50/logits/weights": np.zeros((1, 1, features.shape[1], 1000), "float32"),
        "resnet_v1_50/logits/biases": np.zeros(1000, "float32"),
        "resnet_v1_50/mean_rgb": np.float32(MEAN),
        "global_step": np.zeros((), "int64"),
    }
    arrays = {**made.arrays, **more}
    path = tmp_path_factory.mktemp("slim") / "resnet_v1_50.ckpt"
    tf.raw_ops.SaveV2(
        prefix=str(path), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=list(arrays.values())
    )
    return path, made, frames, features.numpy()


@pytest.mark.slow
def test_the_backbone_computes_what_slims_does(published):
    path, made, frames, features = published
    model, report = import_weights("resnet50_slim_tf1", path, CONFIG)
    backbone = keras.Model(model.inputs, model.get_layer("pool5").output)
    found = numpy(backbone({"frames": frames[None].astype("uint8")}, training=False))
    assert features.std() > 1e-2
    np.testing.assert_allclose(found, features, rtol=1e-4, atol=1e-4 * np.abs(features).max())
    assert {source for row in report.weights for source in row.sources} == set(made.arrays)
    assert report.as_built == ("attention", "valence_arousal")
    assert report.left_out == {
        "resnet_v1_50/logits/weights": "of the classifier, which recognises objects",
        "resnet_v1_50/logits/biases": "of the classifier, which recognises objects",
        "resnet_v1_50/mean_rgb": "the mean of the pixels, which the network subtracts itself",
        "global_step": "of the optimizer",
    }
    assert {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)} == {0.997}


def test_another_backbone_is_refused(published):
    with pytest.raises(UserError, match=r"backbone resnet50_slim for `source=resnet50_slim_tf1`\. .* with resnet50\."):
        import_weights("resnet50_slim_tf1", published[0], replace(CONFIG, backbone="resnet50"))


def test_the_thesis_rows_have_slims_settings():
    """`resnet_arg_scope`: weight decay 0.0001, batch norm decay 0.997; stages that fit the names of its layers."""
    for case in ("c0", "c1", "c2", "c3"):
        experiment = get(f"thesis2018/resnet50_attention_{case}")
        assert (experiment.model.backbone, experiment.model.normalisation_momentum) == ("resnet50_slim", 0.997)
        assert experiment.training.l2 == 1e-4
        frozen = [stage.frozen_normalisation for stage in experiment.training.stages if stage.trainable != ("*",)]
        assert frozen == ["training"] * (case in ("c0", "c1"))
    vggface2 = get("thesis2018/resnet50_vggface2_attention_c0")
    assert (vggface2.model.backbone, vggface2.training.l2) == ("resnet50", 0.0)
