from .corpus import Corpus
from .pipeline import WHOLE, Share, evaluation_batches, training_batches
from .windows import START, Position

__all__ = ["START", "WHOLE", "Corpus", "Position", "Share", "evaluation_batches", "training_batches"]
