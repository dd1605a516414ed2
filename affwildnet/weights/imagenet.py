"""Backbones trained on ImageNet, as `keras.applications` publishes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import hdf5
from affwildnet.weights.vgg_face import CONVOLUTIONS
from affwildnet.weights.weight_file import WeightFile
from affwildnet.weights.weight_source import Colours, OpenedWeights, WeightSource
from tfrecords_tools.errors import UserError

if TYPE_CHECKING:
    from affwildnet.weights.transfer import WeightTransfer

# Pairs (mean, scale) of the pixels.
CAFFE: tuple[Colours, Colours] = ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH: tuple[Colours, Colours] = (tuple(255 * mean for mean in _MEAN), tuple(1 / (255 * std) for std in _DEVIATION))

EPSILON = 1.001e-5  # of the batch normalisations of ResNet50 and DenseNet


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications`.

    Attributes:
      name: of the function there.
      file: usual name of the file without the classifier.
      normalisation: (mean, scale) of the pixels.
      bgr: whether it takes BGR.
    """

    name: str
    file: str
    normalisation: tuple[Colours, Colours]
    bgr: bool


APPLICATIONS = {
    "vgg16": Application("VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", CAFFE, True),
    "resnet50": Application("ResNet50", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", CAFFE, True),
    "densenet121": Application("DenseNet121", "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", TORCH, False),
    "densenet169": Application("DenseNet169", "densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5", TORCH, False),
}


def open_weights(path: Path | None, config: ModelConfig) -> OpenedWeights:
    """Open a file of `keras.applications` without the classifier, or have Keras download it."""
    (backbone,) = config.backbones
    application = APPLICATIONS[backbone]
    mean, scale = application.normalisation

    def fill(transfer: "WeightTransfer") -> None:
        import keras

        if backbone == "vgg16":
            for index, name in enumerate(CONVOLUTIONS, start=1):
                source = f"block{name.removeprefix('conv').replace('_', '_conv')}"  # block1_conv2 for conv1_2
                hdf5.copy_convolution(transfer, f"conv{index}", source, reverse=index == 1)
            return
        for name, layer in transfer.backbone_layers().items():
            if isinstance(layer, keras.layers.Conv2D):
                reverse = application.bgr and name == "conv1_conv"
                hdf5.copy_convolution(transfer, name, name, reverse=reverse, bias=layer.use_bias)
            else:
                hdf5.copy_normalisation(transfer, name, name, EPSILON)

    remarks = ("the file's network takes BGR; this one takes RGB",) if application.bgr else ()
    file = _downloaded(application) if path is None else hdf5.read(path)
    return OpenedWeights(file, fill, mean, scale, remarks)


def _downloaded(application: Application) -> WeightFile:
    import keras

    try:
        model = getattr(keras.applications, application.name)(weights="imagenet", include_top=False)
    except Exception as error:  # whatever made the download fail
        raise UserError(
            f"The weights of keras.applications.{application.name} could not be downloaded "
            f"({type(error).__name__}). Give the file with `path`: {application.file}."
        ) from None
    arrays = {
        f"{layer.name}/{variable.name}": keras.ops.convert_to_numpy(variable)
        for layer in model.layers
        for variable in layer.weights
    }
    path = Path(f"keras.applications.{application.name}")
    return WeightFile.of_arrays(path, arrays, files=[])


SOURCE = WeightSource(
    title="keras.applications trained on ImageNet, of the network's backbone: a file without classifier, or a download",
    backbones=tuple(APPLICATIONS),
    open=open_weights,
    licence="Keras has them from their authors: VGG16 CC BY 4.0, ResNet50 MIT, DenseNet BSD 3-clause.",
    unused_because="the network has no such layer",
    path_optional=True,
)
