"""Valence and arousal per frame of video: the AffWildNet family of networks in TensorFlow and Keras 3."""
