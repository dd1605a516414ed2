"""Training: one compiled step, the loop around it, what a run starts from, and stages one after the other."""

from affwildnet.training.stages import train

__all__ = ["train"]
