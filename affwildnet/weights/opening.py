"""Opening a file of published weights for a network. Needs nothing of TensorFlow, but for a download."""

from pathlib import Path

from affwildnet.experiments import network_rules
from affwildnet.experiments.config import ModelConfig
from affwildnet.weights import SOURCES
from affwildnet.weights.weight_source import OpenedWeights
from tfrecords_tools.errors import UserError, check_choice


def open_weights(source: str, path: str | Path | None, config: ModelConfig) -> OpenedWeights:
    """Return the weights of a source's file, opened for a network; see `affwildnet.weights.import_weights`.

    Raises:
      UserError: if there is no such source or file, it is damaged, or the source's weights are of another backbone.
    """
    check(source, path, config)
    return SOURCES[source].open(None if path is None else Path(path), config)


def check(source: str, path: str | Path | None, config: ModelConfig) -> None:
    """Raise a `UserError` as `open_weights`, but for what is in the file."""
    check_choice("source", source, SOURCES)
    chosen = SOURCES[source]
    if path is None and not chosen.path_optional:
        raise UserError(f"`path` must name the file of `source={source}`: {chosen.title}. Received: none.")
    if len(config.backbones) > 1 or not config.backbones <= set(chosen.backbones):
        raise UserError(
            f"`experiment` must be a network with the backbone {' or '.join(chosen.backbones)} "
            f"for `source={source}`. Received: one with {' and '.join(sorted(config.backbones))}."
        )
    network_rules.check_by_name(config)
