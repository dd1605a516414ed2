"""A run and what its working directory holds: checkpoints, cards, best checkpoints, folds."""
