"""Backbones trained on ImageNet, as `keras.applications` publishes them."""

from dataclasses import dataclass
from pathlib import Path

import keras

from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import hdf5
from affwildnet.weights.contents import Contents
from affwildnet.weights.published_source import Colours, Opened, Source
from affwildnet.weights.vgg_face import CONVOLUTIONS
from affwildnet.weights.weight_table import Transfer, backbones
from tfrecords_tools.errors import UserError

CAFFE: tuple[Colours, Colours] = ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH: tuple[Colours, Colours] = (tuple(255 * mean for mean in _MEAN), tuple(1 / (255 * std) for std in _DEVIATION))


EPSILON = 1.001e-5  # of the batch normalisations of ResNet50 and DenseNet


@dataclass(frozen=True)
class Application:
    """A network of `keras.applications`: its name there, the usual file's, its mean and scale, and whether on BGR."""

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


def open_weights(path: Path | None, config: ModelConfig) -> Opened:
    """Open a file of `keras.applications` without classifier, or has Keras download it."""
    (backbone,) = backbones(config)
    application = APPLICATIONS[backbone]
    mean, scale = application.normalisation

    def fill(transfer: Transfer) -> None:
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
    contents = _downloaded(application) if path is None else hdf5.read(path)
    return Opened(contents, fill, mean, scale, remarks)


def _downloaded(application: Application) -> Contents:
    try:
        model = getattr(keras.applications, application.name)(weights="imagenet", include_top=False)
    except Exception as error:  # whatever the way to the server has failed with
        raise UserError(
            f"The weights of keras.applications.{application.name} could not be downloaded "
            f"({type(error).__name__}). Give the file with `--path`: {application.file}."
        ) from None
    arrays = {
        f"{layer.name}/{variable.name}": keras.ops.convert_to_numpy(variable)
        for layer in model.layers
        for variable in layer.weights
    }
    path = Path(f"keras.applications.{application.name}")
    return Contents.of_arrays(path, arrays, files=[])


SOURCE = Source(
    title="keras.applications trained on ImageNet, of the network's backbone: a file without classifier, or a download",
    backbones=tuple(APPLICATIONS),
    open=open_weights,
    licence="Keras has them from their authors: VGG16 CC BY 4.0, ResNet50 MIT, DenseNet BSD 3-clause.",
    rest="the network has no such layer",
    path_optional=True,
)
