"""Evaluation: predictions for every frame of a split, their scores, the report, and the watcher beside the trainer."""
