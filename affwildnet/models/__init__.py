"""The networks: `build(config)` makes any of them from a trunk, landmarks, hidden layers and a recurrent head.

A new trunk is one file in `trunks/` and one line in `TRUNKS`; a new recurrent cell one file in `recurrent/` and one
line in `RECURRENT`.
Pure Keras 3: nothing here names a backend.
"""

from affwildnet.models.builder import build, fit_landmarks
from affwildnet.models.fusion import WeightedMean, fuse_decisions
from affwildnet.models.recurrent import RECURRENT
from affwildnet.models.time import FoldTime, UnfoldTime
from affwildnet.models.trunks import TRUNKS

__all__ = ["RECURRENT", "TRUNKS", "FoldTime", "UnfoldTime", "WeightedMean", "build", "fit_landmarks", "fuse_decisions"]
