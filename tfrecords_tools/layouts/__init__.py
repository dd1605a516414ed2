"""Readers of the datasets as they lie on disk: one small file each, found here by name.

A reader is a function `find_videos(source) -> (videos, left_out)`: the videos of every split, and what lies there but
cannot be used, with the reason. Labels keep the order valence, arousal, and have the range that the papers trained in:

    layout      valence        arousal       how it stands in the files            which frame a row belongs to
    aff_wild    [-1, 1]        [-1, 1]       the same                              line i: frame i
    aff_wild2   [-1, 1]        [-1, 1]       the same; -5 is missing               row i: frame i, image i
    afew_va     [-1, 1]        [-1, 1]       [-10, 10]                             image k: frame k + 1
    omg         [-1, 1]        [0, 1]        the same; arousal comes first         one row: all frames
    recola      [-1, 1]        [-1, 1]       the same, six raters or their mean    nearest time, frame k: (k - 1) / 25 s
    afew        none           none          a class of expression                 one class: all frames
    thesis      [-1, 1]        [-1, 1]       [-1000, 1000]                         nearest time, frame k: k / 30 s
    csv         [-1, 1]        [-1, 1]       the same                              frame, nearest time, or all frames
"""

from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts import afew, afew_va, aff_wild, aff_wild2, csv_tables, omg, recola, thesis
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.manifest import LeftOut

LAYOUTS = {
    "aff_wild": aff_wild.find_videos,
    "aff_wild2": aff_wild2.find_videos,
    "afew": afew.find_videos,
    "afew_va": afew_va.find_videos,
    "csv": csv_tables.find_videos,
    "omg": omg.find_videos,
    "recola": recola.find_videos,
    "thesis": thesis.find_videos,
}

# Lowest and highest label, by layout; "" is all those that are not named.
RANGES = {
    "": {"valence": (-1.0, 1.0), "arousal": (-1.0, 1.0)},
    "omg": {"valence": (-1.0, 1.0), "arousal": (0.0, 1.0)},
}

__all__ = ["LAYOUTS", "RANGES", "Faces", "Labels", "LeftOut", "VideoSource"]
