"""Starting TensorFlow for a command: without what Keras imports for others, which can be imported all the same."""

import ast

import pytest

from tests.helpers.new_process import in_new_process
from tests.helpers.paths import ROOT


@pytest.mark.slow
def test_a_command_starts_without_the_libraries_that_it_does_not_use():
    found = in_new_process(
        "import gc, json, sys\n"
        "from affwildnet.commands import backend, evaluate_command, train_command\n"
        "backend.start_tensorflow()\n"
        "frozen, enabled = gc.get_freeze_count(), gc.isenabled()\n"
        "backend.start_tensorflow()\n"
        "again = gc.get_freeze_count() - frozen\n"
        "unused = [name for name in backend._UNUSED if name in sys.modules]\n"
        "import affwildnet.training.loop, affwildnet.evaluation.evaluator, affwildnet.evaluation.reference_scores\n"
        "import affwildnet.evaluation.scoring.postprocessing\n"
        "later = [name for name in (*backend._UNUSED, 'scipy.optimize', 'scipy.ndimage', 'scipy.linalg')\n"
        "         if name in sys.modules]\n"
        "import matplotlib.pyplot, sklearn.svm, keras\n"
        "ones = keras.ops.convert_to_numpy(keras.layers.Dense(2)(keras.ops.ones((1, 3))))\n"
        "works = [list(ones.shape), sklearn.svm.SVR.__name__]\n"
        "print(json.dumps([unused, later, works, frozen > 100_000, enabled, again]))\n"
    )
    assert found == [[], [], [[1, 2], "SVR"], True, True, 0]


def test_no_graph_is_made_by_translating_python():
    """Translating the source of every function that a graph is made of takes longer than making the graph."""
    found = []
    for path in sorted(
        path for package in ("affwildnet", "tfrecords_tools") for path in (ROOT / package).rglob("*.py")
    ):
        source = path.read_text("utf-8")
        if "tf.function" not in source:
            continue
        tree = ast.parse(source)
        made = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "tf.function"
        ]
        plain = source.count("tf.function") - len(made)
        without = [node for node in made if "autograph=False" in [ast.unparse(each) for each in node.keywords]]
        found += [path] * (plain + len(made) - len(without))
    assert found == []
