"""Scores from per-frame predictions: protocols, intervals, post-processing."""
