"""The recurrent layers: `recurrent_stack(sequence, config)` applies those of a network to a sequence of features.

A cell is a layer that separates what it computes for all frames at once from what it computes frame by frame, see
`recurrence`. A new cell is one file here and one line in `RECURRENT`.
"""

from affwildnet.models.recurrent.attention import OutputAttention
from affwildnet.models.recurrent.gru import GRU
from affwildnet.models.recurrent.indrnn import IndRNN, RecurrentWeightLimit
from affwildnet.models.recurrent.lstm import PeepholeLSTM
from affwildnet.models.recurrent.recurrence import Recurrent
from affwildnet.models.recurrent.stacks import RECURRENT, STATE_DTYPE, WINDOW, recurrent_stack

__all__ = [
    "GRU",
    "RECURRENT",
    "STATE_DTYPE",
    "WINDOW",
    "IndRNN",
    "OutputAttention",
    "PeepholeLSTM",
    "Recurrent",
    "RecurrentWeightLimit",
    "recurrent_stack",
]
