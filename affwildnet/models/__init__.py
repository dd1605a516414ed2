"""The networks: `build(config)` makes any of them from a backbone, landmarks, hidden layers, recurrent stacks, a head.

A new backbone is one file in `backbones/` and one line in `BACKBONES`; a new recurrent cell is one file in `recurrent/`
and one line in `RECURRENT`. Importing this package registers the custom layers, so that Keras can load `.keras` files
with them. Pure Keras 3: no file here names a backend.
"""

from affwildnet.models.backbones import BACKBONES
from affwildnet.models.builder import build, fit_landmarks
from affwildnet.models.fusion import WeightedMean, fuse_decisions
from affwildnet.models.recurrent import RECURRENT
from affwildnet.models.time_axis import FoldTime, UnfoldTime

__all__ = [
    "BACKBONES",
    "RECURRENT",
    "FoldTime",
    "UnfoldTime",
    "WeightedMean",
    "build",
    "fit_landmarks",
    "fuse_decisions",
]
