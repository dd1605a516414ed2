"""Readers of the datasets as they lie on disk: one small file each, found here by name.

A reader is a function `find_videos(source) -> (videos, left_out)`, see `Layout`. Labels are in the order valence,
arousal, and in the range that the papers train in:

    layout      valence        arousal       in the files                          which frame a row belongs to
    aff_wild    [-1, 1]        [-1, 1]       the same                              line i: frame i
    aff_wild2   [-1, 1]        [-1, 1]       the same; -5 is missing               row i: frame i, image i
    afew_va     [-1, 1]        [-1, 1]       [-10, 10]                             image k: frame k + 1
    omg         [-1, 1]        [0, 1]        the same; arousal comes first         one row: all frames
    recola      [-1, 1]        [-1, 1]       the same, six raters or their mean    nearest time, frame k: (k - 1) / 25 s
    recola_46   as recola, in the corpus's own splits of 16, 15 and 15 participants
    afew        none           none          an expression class                   one class: all frames
    thesis      [-1, 1]        [-1, 1]       [-1000, 1000]                         nearest time, frame k: k / 30 s
    thesis_records  as thesis, from its own TFRecords      [-1000, 1000]           the record's frame number
    csv         [-1, 1]        [-1, 1]       the same                              frame, nearest time, or all frames
"""

from tfrecords_tools.faces.tracks import Faces
from tfrecords_tools.layouts import afew, afew_va, aff_wild, aff_wild2, csv_tables, omg, recola, thesis, thesis_records
from tfrecords_tools.layouts.labels import Labels
from tfrecords_tools.layouts.layout import Layout
from tfrecords_tools.layouts.source import VideoSource
from tfrecords_tools.records.packed_corpus import LeftOut

LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("aff_wild", aff_wild.find_videos),
        Layout("aff_wild2", aff_wild2.find_videos),
        Layout("afew", afew.find_videos),
        Layout("afew_va", afew_va.find_videos),
        Layout("csv", csv_tables.find_videos),
        Layout("omg", omg.find_videos, omg.LABEL_RANGE),
        Layout("recola", recola.find_videos),
        Layout("recola_46", recola.find_videos_of_46),
        Layout("thesis", thesis.find_videos),
        Layout("thesis_records", thesis_records.find_videos),
    )
}

__all__ = ["LAYOUTS", "Faces", "Labels", "Layout", "LeftOut", "VideoSource"]
