"""Pack a dataset: one video, jobs, what runs them, the whole corpus."""
