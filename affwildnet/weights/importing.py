"""From a file of published weights to a network."""

from dataclasses import replace
from pathlib import Path

import keras

from affwildnet import models
from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import SOURCES
from affwildnet.weights.import_report import ImportReport
from affwildnet.weights.transfer import WeightTransfer
from affwildnet.weights.weight_source import OpenedWeights
from tfrecords_tools.errors import UserError, check_choice


def import_opened(
    source: str, path: str | Path | None, config: ModelConfig, seed: int = 0
) -> tuple[keras.Model, ImportReport, OpenedWeights]:
    """Do what `affwildnet.weights.import_weights` does, and also return the opened file."""
    check_choice("source", source, SOURCES)
    chosen = SOURCES[source]
    if path is None and not chosen.path_optional:
        raise UserError(f"`path` must name the file of `source={source}`: {chosen.title}. Received: none.")
    if len(config.backbones) > 1 or not config.backbones <= set(chosen.backbones):
        raise UserError(
            f"`experiment` must be a network with the backbone {' or '.join(chosen.backbones)} "
            f"for `source={source}`. Received: one with {' and '.join(sorted(config.backbones))}."
        )
    opened = chosen.open(None if path is None else Path(path), config)
    keras.utils.set_random_seed(seed)
    model = models.build(replace(config, pixel_mean=opened.pixel_mean, pixel_scale=opened.pixel_scale))
    transfer = WeightTransfer(model, config, opened.file)
    opened.fill(transfer)
    return model, transfer.report(chosen.whole, chosen.unused_because, opened.remarks), opened
