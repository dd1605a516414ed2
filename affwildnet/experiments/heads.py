"""The heads of a network by name, and what the values of each are."""

from tfrecords_tools.records import schema

VALENCE_AROUSAL, EXPRESSION = "valence_arousal", "expression"
# By the name of an output: what its D values (B, T, D) are. `ModelConfig.head` is one of these names.
OUTPUTS = {VALENCE_AROUSAL: schema.DIMENSIONS, EXPRESSION: schema.EXPRESSIONS}
