from .scored_run import evaluate

__all__ = ["evaluate"]
