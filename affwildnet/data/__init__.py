"""From a packed corpus to windows of consecutive frames to batches, with tf.data."""

from affwildnet.data.corpus import Corpus
from affwildnet.data.pipeline import WHOLE, Share, evaluation_batches, training_batches
from affwildnet.data.windows import START, Position

__all__ = ["START", "WHOLE", "Corpus", "Position", "Share", "evaluation_batches", "training_batches"]
