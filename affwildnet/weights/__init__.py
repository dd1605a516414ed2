"""Published weights, imported into the networks of this package: `python -m affwildnet.weights`.

A new source is one file here and one line in `SOURCES`. Nothing is matched by guess: every weight that the network
needs must be in the file with its shape, and an `ImportReport` says what was done with each. Importing this package
needs neither TensorFlow nor Keras.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import affwildnet_tf1, cnn_m_facevalue, imagenet, resnet50_vggface2, slim_resnet50, vgg_face
from affwildnet.weights.weight_source import WeightSource

if TYPE_CHECKING:
    import keras

    from affwildnet.weights.import_report import ImportReport

__all__ = ["SOURCES", "import_weights"]

SOURCES: dict[str, WeightSource] = {
    "affwildnet_tf1": affwildnet_tf1.SOURCE,
    "vgg_face_mat": vgg_face.MAT,
    "vgg_face_h5": vgg_face.H5,
    "vgg_face_torch": vgg_face.PTH,
    "resnet50_slim_tf1": slim_resnet50.SOURCE,
    "resnet50_vggface2_h5": resnet50_vggface2.SOURCE,
    "cnn_m_mat": cnn_m_facevalue.SOURCE,
    "imagenet": imagenet.SOURCE,
}


def import_weights(
    source: str, path: str | Path | None, config: ModelConfig, seed: int = 0
) -> tuple["keras.Model", "ImportReport"]:
    """Build a network with published weights.

    Example:

    ```python
    config = experiments.get("ijcv2019/vggface").model
    model, report = import_weights("vgg_face_mat", "vgg_face.mat", config)
    print(report)
    ```

    Args:
      source: a key of `SOURCES`.
      path: the file with the weights; None only for a source that can be downloaded.
      config: the network. Its `pixel_mean` and `pixel_scale` are replaced by those of the weights.
      seed: for the weights that are not in the file; sets Keras's global seed.

    Returns:
      The network, and what was done with each weight.

    Raises:
      UserError: if the file is missing, is not of this source, or does not fit the network.
    """
    from affwildnet.weights.importing import import_opened

    model, report, _ = import_opened(source, path, config, seed)
    return model, report
