"""Readers of the datasets as they lie on disk: one small file each, found here by name.

A reader is a function `find_videos(source) -> (videos, left_out)`: the videos of every split, and what lies there but
cannot be used, with the reason.
"""

from tfrecords_tools.layouts import aff_wild
from tfrecords_tools.source import Faces, Labels, LeftOut, VideoSource

LAYOUTS = {"aff_wild": aff_wild.find_videos}

__all__ = ["LAYOUTS", "Faces", "Labels", "LeftOut", "VideoSource"]
