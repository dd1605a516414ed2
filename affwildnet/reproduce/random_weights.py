"""Write a network with random weights, for a rehearsal of stages that start from a file.

python -m affwildnet.reproduce.random_weights EXPERIMENT FILE.keras [FIELD=VALUE ...]
"""

import sys
from pathlib import Path

from affwildnet import experiments
from affwildnet.experiments.departures import RANDOM_WEIGHTS
from affwildnet.experiments.overrides import override
from tfrecords_tools.errors import exit_status
from tfrecords_tools.quiet import import_tensorflow


def main(arguments: list[str]) -> int:
    """Write the file and a note of its origin beside it; return the exit status."""

    def write() -> None:
        name, output, *settings = arguments
        experiment = override(experiments.get(name), settings)
        import_tensorflow()
        import keras

        from affwildnet import models
        from affwildnet.runs.json_files import write_json
        from tfrecords_tools.files import whole

        keras.utils.set_random_seed(experiment.training.seed)
        model = models.build(experiment.model)
        write_json(Path(output).with_suffix(".json"), {"title": RANDOM_WEIGHTS, "seed": experiment.training.seed})
        with whole(Path(output)) as partial:
            model.save(partial)

    return exit_status(write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
