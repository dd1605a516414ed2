"""The sources by name, and the way from a file of one of them to a network."""

from dataclasses import replace
from pathlib import Path

import keras

from affwildnet import models
from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import affwildnet_tf1, cnn_m_facevalue, imagenet, resnet50_vggface2, vgg_face
from affwildnet.weights.published_source import Opened, Source
from affwildnet.weights.weight_table import Table, Transfer, backbones
from tfrecords_tools.errors import UserError, check_choice

SOURCES: dict[str, Source] = {
    "affwildnet_tf1": affwildnet_tf1.SOURCE,
    "vgg_face_mat": vgg_face.MAT,
    "vgg_face_h5": vgg_face.H5,
    "vgg_face_torch": vgg_face.PTH,
    "resnet50_vggface2_h5": resnet50_vggface2.SOURCE,
    "cnn_m_mat": cnn_m_facevalue.SOURCE,
    "imagenet": imagenet.SOURCE,
}


def import_opened(
    source: str, path: str | Path | None, config: ModelConfig, seed: int = 0
) -> tuple[keras.Model, Table, Opened]:
    """As `affwildnet.weights.import_weights`; returns the opened file besides."""
    check_choice("--source", source, SOURCES)
    chosen = SOURCES[source]
    if path is None and not chosen.path_optional:
        raise UserError(f"`--path` must name the file of `--source={source}`: {chosen.title}. Received: none.")
    found = backbones(config)
    if len(found) > 1 or not found <= set(chosen.backbones):
        raise UserError(
            f"`--experiment` must be a network with the backbone {' or '.join(chosen.backbones)} "
            f"for `--source={source}`. "
            f"Received: one with {' and '.join(sorted(found))}."
        )
    opened = chosen.open(None if path is None else Path(path), config)
    keras.utils.set_random_seed(seed)
    model = models.build(replace(config, pixel_mean=opened.pixel_mean, pixel_scale=opened.pixel_scale))
    transfer = Transfer(model, config, opened.contents)
    opened.fill(transfer)
    return model, transfer.table(chosen.whole, chosen.rest, opened.remarks), opened
