from .exporting import Export, export_model

__all__ = ["Export", "export_model"]
