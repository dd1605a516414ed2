"""The sample corpus: clips of animated portraits with known valence and arousal."""
