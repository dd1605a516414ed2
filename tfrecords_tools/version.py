"""The version of the distribution `affwildnet`, which both packages are of: it stands here and nowhere else."""

VERSION = "0.4.0"
