"""Prefixes of the layers' names in a network that is made of several."""

from affwildnet.experiments.config import ModelConfig
from tfrecords_tools.records.schema import DIMENSIONS


def member_prefix(number: int) -> str:
    """Return the prefix of a fused network's member, counted from 1, such as `net1_`."""
    return f"net{number}_"


def dimension_prefix(dimension: str) -> str:
    """Return the prefix of the network for one dimension, such as `valence_`."""
    return f"{dimension}_"


def prefixes(config: ModelConfig) -> list[str]:
    """Return the prefix of each network within the network that `config` describes; [""] for a single one."""
    if config.members:
        return [member_prefix(number) for number in range(1, len(config.members) + 1)]
    return [dimension_prefix(dimension) for dimension in DIMENSIONS] if config.separate else [""]
