from . import data, evaluation, experiments, export, losses, metrics, models, predict, runs, training, weights
from .evaluation import evaluate
from .export import export_model
from .predict import Predictor
from .training import train

__all__ = [
    "Predictor",
    "data",
    "evaluate",
    "evaluation",
    "experiments",
    "export",
    "export_model",
    "losses",
    "metrics",
    "models",
    "predict",
    "runs",
    "train",
    "training",
    "weights",
]
