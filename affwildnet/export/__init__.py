"""A trained network for other programs: as a SavedModel, for ONNX Runtime, for TFLite.

`export_model` exports in Python, `python -m affwildnet.export` from the command line. A new format is one file and one
line in `FORMATS` of `formats.py`.
"""

__all__ = ["Export", "export_model"]


def __getattr__(name: str):
    # Loaded on first use: the command line reports wrong flags without TensorFlow.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from affwildnet.export import exporting

    return getattr(exporting, name)
