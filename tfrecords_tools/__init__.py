"""Raw video to a packed corpus: one TFRecord file per video, and a manifest.

    import tfrecords_tools

    tfrecords_tools.pack("aff_wild", "data/sample", "data/sample_packed")
    problems = tfrecords_tools.verify("data/sample_packed")
    corpus = tfrecords_tools.open_corpus("data/sample_packed")

Names are imported when they are first used; `__init__.pyi` lists them.
"""

import lazy_loader

from tfrecords_tools.quiet import quieten_tensorflow

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

quieten_tensorflow()
