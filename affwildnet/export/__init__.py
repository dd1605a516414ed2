"""A trained network for other programs: as a SavedModel, for ONNX Runtime, for TFLite.

`export_model` exports in Python, `python -m affwildnet.export` from the command line. A new format is one file and one
line in `FORMATS` of `formats.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
