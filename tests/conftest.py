"""Fixtures that several tests share: small real clips, and the corpus packed from them."""

import pytest

from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.layouts import LAYOUTS
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.sample.sample_clips import write_sample


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory):
    """Three clips of about a second, one a split, in the layout aff_wild. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("sample") / "clips"
    write_sample(folder, clips=3, min_seconds=0.7, max_seconds=1.1, progress=False)
    return folder


@pytest.fixture(scope="session")
def packed_sample(sample_clips, tmp_path_factory):
    """The corpus packed from `sample_clips` by one worker. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("packed") / "corpus"
    options = PackOptions(landmark_model=find_model(), aligner=Aligner())
    pack(LAYOUTS["aff_wild"], sample_clips, folder, options, name="aff_wild", layout="aff_wild")
    return folder
