"""The sample corpus: animated portraits with known valence and arousal."""
