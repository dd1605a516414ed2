"""Valence and arousal from videos, image sequences and cameras with a trained network.

`from affwildnet.predict import Predictor` is all that Python needs; `python -m affwildnet.predict` is the command line.
"""

__all__ = ["FaceFinder", "Prediction", "Predictor"]


def __getattr__(name: str):
    # The command line says what is wrong with its flags without first loading TensorFlow.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from affwildnet.predict import predictor

    return getattr(predictor, name)
