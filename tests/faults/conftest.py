"""What the tests of faults share: the process that forks commands."""

import pytest

from tests.faults.commands import Commands


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    forking = Commands(tmp_path_factory.mktemp("commands"))
    yield forking
    forking.close()
