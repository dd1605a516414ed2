"""Evaluates a network on two devices that share the CPU; test_evaluator.py runs it as a process.

python -m tests.helpers.evaluate_on_two NETWORK CORPUS OUT
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

import affwildnet.models  # noqa: F401  (registers the layers)
from affwildnet.data import Corpus
from affwildnet.evaluation.evaluator import Evaluator
from affwildnet.evaluation.reporting import submissions
from affwildnet.experiments.config import EvaluationConfig

SETTINGS = ({}, {"overlap": 3}, {"carry_state": True}, {"batch_size": 4, "carry_state": True})


def main(file, folder, out):
    """Write the predictions by each of `SETTINGS` to OUT/0.csv, OUT/1.csv ..."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        mirrored = keras.saving.load_model(file)
    assert isinstance(mirrored.weights[0].value, tf.distribute.DistributedValues), "not a copy on each device"
    corpus = Corpus.open(Path(folder), "validation")
    for number, settings in enumerate(SETTINGS):
        config = EvaluationConfig(**{"batch_size": 3, "window": 5, **settings})
        submissions.write(Evaluator(corpus, config, strategy)(mirrored), "frames", Path(out) / f"{number}.csv")


if __name__ == "__main__":
    main(*sys.argv[1:])
