"""Evaluation: predictions for every frame of a split, their scores, the report, and the watcher beside the trainer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
