"""Evaluation: predictions for every frame of a split, scores, the loop beside the trainer, the report."""
