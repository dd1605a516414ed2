"""The recurrent heads: `head(sequence, config)` puts one behind a sequence of features.

A cell is a layer that says what it makes of all frames at once and what of one after the other, see `recurrence`. A new
one is one file here and one entry of `RECURRENT`.
"""

from affwildnet.models.recurrent.attention import OutputAttention
from affwildnet.models.recurrent.gru import GRU
from affwildnet.models.recurrent.indrnn import IndRNN, RecurrentWeightLimit
from affwildnet.models.recurrent.lstm import PeepholeLSTM
from affwildnet.models.recurrent.recurrence import Recurrent
from affwildnet.models.recurrent.stacks import RECURRENT, STATE_DTYPE, head

__all__ = [
    "GRU",
    "RECURRENT",
    "STATE_DTYPE",
    "IndRNN",
    "OutputAttention",
    "PeepholeLSTM",
    "Recurrent",
    "RecurrentWeightLimit",
    "head",
]
