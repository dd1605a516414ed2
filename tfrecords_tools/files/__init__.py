"""Files that appear whole or not at all: single ones, exchanged folders, locks, and text tables."""

from tfrecords_tools.files.whole_files import check_new_folder, check_place, sync, whole

__all__ = ["check_new_folder", "check_place", "sync", "whole"]
