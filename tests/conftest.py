"""What every test begins with: seeded random numbers; small real clips, the corpus packed from them, a tiny one."""

import logging
import os
import random
import sys

import numpy as np
import pytest

from tfrecords_tools.faces.alignment import Aligner
from tfrecords_tools.faces.landmarks import find_model
from tfrecords_tools.packing.pack import PackOptions, pack
from tfrecords_tools.sample.sample_corpus import write_sample

# Another number shows which tests depend on the weights and data that are drawn.
SEED = int(os.environ.get("AFFWILDNET_TEST_SEED", "0"))


# Files that take longest, a minute or two each though some hold few tests. They are begun first, since a file is the
# work of one process, and the others fill what is left of the time. `--no-loadscope-reorder` keeps this order.
LONGEST_FIRST = (
    "test_annotate_in_browser.py",
    "test_distributed.py",
    "test_family.py",
    "test_killed_runs.py",
    "test_weights_affwildnet_tf1.py",
    "test_reproduce_command.py",
    "test_pack_faults.py",
    "test_public_face.py",
    "test_quiet_commands.py",
    "test_command_lines.py",
    "test_two_at_once.py",
    "test_predict.py",
)


def pytest_collection_modifyitems(items):
    """Put the tests of `LONGEST_FIRST` before the others; within a file they stay in order."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def seed_everything():
    """Seed Python, NumPy and, if a test has imported it, Keras, which draws from Python's generator otherwise."""
    random.seed(SEED)
    np.random.seed(SEED)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(SEED)


@pytest.fixture(autouse=True)
def _seeded():
    """Give each test the same random numbers, whichever tests ran before it."""
    seed_everything()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef):
    """Seed before a fixture that several tests share; the first of them asks for it before it is seeded itself."""
    if fixturedef.scope != "function":
        seed_everything()


@pytest.fixture
def shown(caplog):
    """Return, at each call, the lines that a command would have shown of the log since the call before."""
    caplog.set_level(logging.INFO)

    def lines():
        text = "".join(f"{message}\n" for message in caplog.messages)
        caplog.clear()
        return text

    return lines


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory):
    """Three clips of about a second, one a split, in the layout aff_wild. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("sample") / "clips"
    write_sample(folder, clips=3, min_seconds=0.7, max_seconds=1.1)
    return folder


@pytest.fixture(scope="session")
def packed_sample(sample_clips, tmp_path_factory):
    """The corpus packed from `sample_clips` by one worker. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("packed") / "corpus"
    options = PackOptions(landmark_model=find_model(), aligner=Aligner())
    pack("aff_wild", sample_clips, folder, options)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """The folder of the corpus that `helpers.trainings.tiny_corpus` writes. Not to be changed: copy it."""
    from tests.helpers.trainings import tiny_corpus

    return tiny_corpus(tmp_path_factory.mktemp("tiny"))
