"""Valence and arousal from videos, folders of images and cameras with a trained network.

`Predictor` predicts in Python, `python -m affwildnet.predict` from the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
