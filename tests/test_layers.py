"""Who may import whom: the layers of the two packages, checked on every import statement."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import LONGEST_FIRST
from tests.helpers.new_process import modules_loaded
from tests.helpers.paths import ROOT

PACKAGES = ("affwildnet", "tfrecords_tools")

# From the bottom up; a module belongs to the entry with the longest name that is a prefix of its own, and may import
# what stands in its own layer or below.
LAYERS = (
    (
        "tfrecords_tools.commands",
        "tfrecords_tools.crash_guard",
        "tfrecords_tools.errors",
        "tfrecords_tools.files",
        "tfrecords_tools.loopback",
        "tfrecords_tools.quiet",
        "tfrecords_tools.version",
        "tfrecords_tools.worker_processes",
    ),
    ("tfrecords_tools.video",),
    ("tfrecords_tools.faces", "tfrecords_tools.records"),
    ("tfrecords_tools.layouts", "tfrecords_tools.study", "tfrecords_tools.sample"),
    ("tfrecords_tools.packing", "tfrecords_tools.annotate"),
    (
        "tfrecords_tools.cli",
        "tfrecords_tools.__main__",
    ),
    (
        "affwildnet.experiments",
        "affwildnet.losses",
        "affwildnet.metrics",
        "affwildnet.device_flags",
        "affwildnet.devices",
        "affwildnet.plotting",
    ),
    ("affwildnet.models",),
    ("affwildnet.data", "affwildnet.runs"),
    ("affwildnet.weights", "affwildnet.training"),
    ("affwildnet.evaluation",),
    ("affwildnet.predict", "affwildnet.export", "affwildnet.baselines"),
    ("affwildnet.reproduce",),
    ("affwildnet.commands",),
    (
        "train",
        "evaluate",
        "affwildnet.__main__",
        *(
            f"affwildnet.{name}.__main__"
            for name in ("baselines", "experiments", "export", "predict", "reproduce", "weights")
        ),
    ),
)
# These call everything.
COMMANDS = ("affwildnet.commands", "affwildnet.__main__")
# What the packages themselves import at once; it imports nothing heavy.
AT_ONCE = "tfrecords_tools.quiet"
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Beside the layers: what a module must not import, though it stands below or outside.
FORBIDDEN = {
    "tfrecords_tools": ("affwildnet", "keras"),
    "affwildnet": (
        "tfrecords_tools.annotate",
        "tfrecords_tools.cli",
        "tfrecords_tools.packing",
        "tfrecords_tools.sample",
    ),
    "affwildnet.experiments": ("tensorflow", "keras", "cv2"),
    "affwildnet.losses": ("tensorflow", "jax", "torch"),
    "affwildnet.metrics": ("tensorflow", "keras", "jax", "torch"),
    "affwildnet.models": ("tensorflow", "jax", "torch", "tfrecords_tools.layouts", "tfrecords_tools.study"),
    "affwildnet.training": ("affwildnet.evaluation",),
    "affwildnet.evaluation": ("affwildnet.training",),
    "affwildnet.predict": ("affwildnet.evaluation", "affwildnet.training", "affwildnet.export"),
    "affwildnet.export": ("affwildnet.evaluation", "affwildnet.training", "affwildnet.predict"),
}


def within(module, package):
    return module == package or module.startswith(package + ".")


def rank(module):
    """The layer of a module (or of a name in one); None where it belongs to no layer."""
    entries = [name for name in RANKS if within(module, name)]
    return RANKS[max(entries, key=len)] if entries else None


def imported(module, source, is_package=False):
    """The dotted names that a source imports, anywhere in it; `from a import b` gives a.b."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parent = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parent, *([base] if base else [])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def breaches(module, source, is_package=False):
    """A line for each import that the layers do not allow."""
    own = rank(module)
    found = [] if own is not None or module in PACKAGES else [f"{module} stands in no layer"]
    for name in imported(module, source, is_package):
        ours = any(within(name, package) for package in (*PACKAGES, "train", "evaluate"))
        if ours and rank(name) is None:
            found.append(f"{module} imports {name}, which stands in no layer")
        elif ours and (own is None or rank(name) > own) and not (module in PACKAGES and within(name, AT_ONCE)):
            found.append(f"{module} imports {name} from above")
        for package, forbidden in FORBIDDEN.items():
            called = package == "affwildnet" and any(within(module, top) for top in COMMANDS)
            if within(module, package) and not called and any(within(name, other) for other in forbidden):
                found.append(f"{module} imports {name}, forbidden to {package}")
    return found


def modules():
    """(name, path) of every module and both scripts."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    for path in (*paths, ROOT / "train.py", ROOT / "evaluate.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_no_module_imports_from_a_layer_above():
    found = [line for name, path in modules() for line in breaches(name, path.read_text(), path.stem == "__init__")]
    assert found == []


def test_the_walk_sees_the_modules():
    names = [name for name, _ in modules()]
    assert len(names) > 150
    assert {"affwildnet.training.loop", "tfrecords_tools.layouts", "train", "evaluate"} <= set(names)
    seen = {name: imported(name, path.read_text()) for name, path in modules()}
    assert "affwildnet.runs.checkpoints.TrainingState" in seen["affwildnet.training.loop"]
    assert "affwildnet.training.train" in seen["affwildnet.commands.train_command"]  # inside a function


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        ("affwildnet.data.pipeline", "import affwildnet.training", "from above"),
        ("affwildnet.models.time_axis", "from affwildnet.runs import checkpoints", "from above"),
        ("affwildnet.runs.checkpoints", "def load():\n    from affwildnet.training.loop import train", "from above"),
        ("affwildnet.runs.card", "from affwildnet.evaluation import trained", "from above"),
        ("affwildnet.evaluation.scored_run", "from affwildnet.export import export_model", "from above"),
        ("affwildnet.export", "import train", "from above"),
        ("affwildnet.models.builder", "from ..training import loop", "from above"),
        ("affwildnet.experiments", "from affwildnet.experiments import __main__", "from above"),
        ("affwildnet.plotting", "from affwildnet.models import build", "from above"),
        ("affwildnet.training.loop", "from affwildnet.evaluation.evaluator import Evaluator", "from above"),
        ("affwildnet.evaluation.watching", "import affwildnet.training", "forbidden to affwildnet.evaluation"),
        ("affwildnet.predict.loading", "from affwildnet.evaluation import trained", "forbidden to affwildnet.predict"),
        ("affwildnet.export.formats", "import affwildnet.evaluation.scoring", "forbidden to affwildnet.export"),
        ("affwildnet.models.vgg", "if True:\n    import tensorflow as tf", "forbidden to affwildnet.models"),
        ("affwildnet.losses", "from tensorflow.math import log", "forbidden to affwildnet.losses"),
        ("affwildnet.data.corpus", "from tfrecords_tools import cli", "forbidden to affwildnet"),
        ("tfrecords_tools.packing.pack", "from affwildnet.metrics import Moments", "from above"),
        ("tfrecords_tools.packing.pack", "import keras.ops", "forbidden to tfrecords_tools"),
        ("tfrecords_tools.errors", "from tfrecords_tools.records import manifest", "from above"),
        ("tfrecords_tools.video.reading", "from tfrecords_tools.faces.boxes import Box", "from above"),
        ("tfrecords_tools.records.reader", "from tfrecords_tools.study import stats", "from above"),
        ("tfrecords_tools.layouts.omg", "from tfrecords_tools.packing import jobs", "from above"),
        ("affwildnet", "from affwildnet import losses", "from above"),
        ("affwildnet.novel", "", "affwildnet.novel stands in no layer"),
        ("affwildnet.training.loop", "import affwildnet.novel", "affwildnet.novel, which stands in no layer"),
    ],
)
def test_a_planted_breach_is_caught(module, source, breach):
    found = breaches(module, source)
    assert len(found) >= 1
    assert breach in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("affwildnet.training.loop", "from affwildnet import losses, runs\nimport tensorflow.keras"),
        (
            "affwildnet.evaluation.scored_run",
            "from . import evaluator\nfrom tfrecords_tools.records.reader import read_records",
        ),
        ("tfrecords_tools.quiet", "import tensorflow"),
        ("affwildnet.weights.vgg", "from affwildnet.training.loop import train"),
    ],
)
def test_what_is_allowed_is_not_reported(module, source):
    assert breaches(module, source) == []


@pytest.mark.slow
def test_packing_brings_in_nothing_of_the_networks():
    names = [name for name, _ in modules() if within(name, "tfrecords_tools")]
    code = (
        "import importlib\n"
        "from tfrecords_tools.quiet import import_tensorflow\nimport_tensorflow()\n"
        f"for name in {names}: importlib.import_module(name)"
    )
    assert [name for name in modules_loaded(code) if name.split(".")[0] == "affwildnet"] == []


def test_experiments_bring_in_nothing_heavy():
    heavy = {"numpy", "tensorflow", "keras", "cv2", "matplotlib", "scipy"}
    assert heavy.isdisjoint(modules_loaded("import affwildnet.experiments.__main__"))


def test_modules_are_short_and_none_is_called_utils():
    for name, path in modules():
        assert len(path.read_text().splitlines()) <= 400, f"{name} is too long"
        assert not path.stem.startswith("utils"), f"{name} says nothing of what it holds"


def repeated(paths):
    """Return the file names that several modules have; `__init__.py` and `__main__.py` may."""
    counts = Counter(path.name for path in paths)
    return sorted(name for name, count in counts.items() if count > 1 and name not in ("__init__.py", "__main__.py"))


def test_the_test_files_that_come_first_are_there():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert set(LONGEST_FIRST) <= set(names)


def test_no_two_modules_have_one_file_name():
    assert repeated(path for _, path in modules()) == []
    assert repeated(map(Path, ("a/reading.py", "b/reading.py", "a/__init__.py", "__init__.py"))) == ["reading.py"]
