from .stages import train

__all__ = ["train"]
