"""Starting TensorFlow for a command: without what Keras imports for others, which can be imported all the same."""

import pytest

from tests.helpers.new_process import in_new_process


@pytest.mark.slow
def test_a_command_starts_without_the_libraries_that_it_does_not_use():
    found = in_new_process(
        "import json, sys\n"
        "from affwildnet.commands import backend\n"
        "backend.start_tensorflow()\n"
        "unused = [name for name in backend._UNUSED if name in sys.modules]\n"
        "import affwildnet.training, affwildnet.evaluation.evaluator\n"
        "later = [name for name in backend._UNUSED if name in sys.modules]\n"
        "import matplotlib.pyplot, sklearn.svm, keras\n"
        "ones = keras.ops.convert_to_numpy(keras.layers.Dense(2)(keras.ops.ones((1, 3))))\n"
        "print(json.dumps([unused, later, list(ones.shape), sklearn.svm.SVR.__name__]))\n"
    )
    assert found == [[], [], [1, 2], "SVR"]
