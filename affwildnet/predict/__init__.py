"""Valence and arousal from videos, folders of images and cameras with a trained network.

`Predictor` predicts in Python, `python -m affwildnet.predict` from the command line.
"""

__all__ = ["FaceFinder", "Prediction", "Predictor"]


def __getattr__(name: str):
    # Loaded on first use: the command line reports wrong flags without TensorFlow.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from affwildnet.predict import predictor

    return getattr(predictor, name)
