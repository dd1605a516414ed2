"""Baselines that a network must beat, trained and scored by one command on any packed corpus: SIFT + SVR, and CNN-M."""
