"""Pack a dataset: one video to one TFRecord file, videos as jobs, and all of them to a corpus."""
