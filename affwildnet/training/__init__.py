"""Training: one compiled step, the loop around it, what it starts from, and stages of it one after the other."""

from affwildnet.training.stages import train

__all__ = ["train"]
