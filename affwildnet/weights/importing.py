"""From a file of published weights to a network."""

from dataclasses import replace
from pathlib import Path

import keras

from affwildnet import models
from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import SOURCES
from affwildnet.weights.import_report import ImportReport
from affwildnet.weights.opening import open_weights
from affwildnet.weights.transfer import WeightTransfer
from affwildnet.weights.weight_source import OpenedWeights


def import_opened(
    source: str, path: str | Path | None, config: ModelConfig, seed: int = 0
) -> tuple[keras.Model, ImportReport, OpenedWeights]:
    """Do what `affwildnet.weights.import_weights` does, and also return the opened file."""
    opened = open_weights(source, path, config)
    model, report = filled(source, opened, config, seed)
    return model, report, opened


def filled(source: str, opened: OpenedWeights, config: ModelConfig, seed: int = 0) -> tuple[keras.Model, ImportReport]:
    """Build a network with opened weights of a source; return it and what was done with each weight."""
    chosen = SOURCES[source]
    keras.utils.set_random_seed(seed)
    model = models.build(replace(config, pixel_mean=opened.pixel_mean, pixel_scale=opened.pixel_scale))
    transfer = WeightTransfer(model, config, opened.file)
    opened.fill(transfer)
    return model, transfer.report(chosen.whole, chosen.unused_because, opened.remarks)
