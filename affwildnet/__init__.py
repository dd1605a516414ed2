"""Valence and arousal per frame of video: the AffWildNet family of networks in TensorFlow and Keras 3.

    import affwildnet
    from affwildnet.runs.run import Run

    experiment = affwildnet.experiments.get("sample/affwildnet")
    affwildnet.train(Run(experiment, "data/sample_packed"), "runs/demo")
    report = affwildnet.evaluate("runs/demo", split="test")
    affwildnet.export_model("runs/demo", "runs/demo/exported")
    predictor = affwildnet.Predictor.load("runs/demo")

Names are imported when they are first used; `__init__.pyi` lists them.
"""

import lazy_loader

from tfrecords_tools.quiet import quieten_tensorflow

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

quieten_tensorflow()
