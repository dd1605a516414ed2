"""Training: one compiled step, the loop around it, and its log."""

from affwildnet.training.loop import train

__all__ = ["train"]
