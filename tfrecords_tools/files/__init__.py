"""Files that appear whole or not at all: single ones, exchanged folders, locks; text tables; folders in a bucket."""

from tfrecords_tools.files.digests import sha256_of
from tfrecords_tools.files.regular_files import regular
from tfrecords_tools.files.remote_paths import file_names, folder_at, is_remote, local_path, statuses
from tfrecords_tools.files.whole_files import check_new_folder, check_place, discard_partial, sync, whole

__all__ = [
    "check_new_folder",
    "check_place",
    "discard_partial",
    "file_names",
    "folder_at",
    "is_remote",
    "local_path",
    "regular",
    "sha256_of",
    "statuses",
    "sync",
    "whole",
]
