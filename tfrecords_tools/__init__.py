"""Raw video to a packed corpus: one TFRecord file per video, and a manifest."""
