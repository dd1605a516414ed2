"""tf.data: a packed corpus to windows of consecutive frames to batches."""

from affwildnet.data.corpus import Corpus
from affwildnet.data.pipeline import evaluation_batches, training_batches
from affwildnet.data.windows import START, Position

__all__ = ["START", "Corpus", "Position", "evaluation_batches", "training_batches"]
