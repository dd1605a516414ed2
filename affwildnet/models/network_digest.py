"""What distinguishes one network from another: its layers and the values of its weights."""

import hashlib
import json

import keras
import numpy as np


def digest(model: keras.Model) -> str:
    """Return the sha256 of a network's layers and weights; its optimizer does not matter."""
    total = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True, default=str).encode())
    for weight in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        total.update(f"{values.shape} {values.dtype}".encode())
        total.update(values.view(np.uint8) if values.size else b"")
    return total.hexdigest()
