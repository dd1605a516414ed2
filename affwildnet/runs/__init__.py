"""A run and what lies in its working directory: checkpoints, card, best checkpoints, folds."""
