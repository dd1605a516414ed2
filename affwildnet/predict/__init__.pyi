from .predictor import FaceFinder, Prediction, Predictor

__all__ = ["FaceFinder", "Prediction", "Predictor"]
