"""Training: one compiled step, the loop around it, what a run starts from, and stages one after the other."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
