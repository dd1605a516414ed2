"""Writes the files of other programs in which weights are published, for tests of what reads them."""

import struct

import numpy as np


def cell(items):
    array = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        array[0, index] = item
    return array


class Torch7Writer:
    """Torch 7's binary form, for a network of layers with weights."""

    def __init__(self):
        self.content = b""
        self.objects = 0

    def int(self, *values):
        self.content += struct.pack(f"<{len(values)}i", *values)

    def long(self, *values):
        self.content += struct.pack(f"<{len(values)}q", *values)

    def text(self, text):
        self.int(len(text))
        self.content += text.encode()

    def begin(self, kind, name=None):
        self.objects += 1
        self.int(kind, self.objects)
        if name:
            self.text("V 1")
            self.text(name)

    def thing(self, value):
        if isinstance(value, bool):
            self.int(5, value)
        elif isinstance(value, (int, float)):
            self.int(1)
            self.content += struct.pack("<d", value)
        elif isinstance(value, str):
            self.int(2)
            self.text(value)
        elif isinstance(value, np.ndarray):
            self.tensor(value)
        elif value is None:
            self.int(0)
        else:
            self.table(value)

    def table(self, value):
        value = dict(value)
        if name := value.pop("class", None):
            self.begin(4, name)
        self.begin(3)
        self.int(len(value))
        for key, held in value.items():
            self.thing(key)
            self.thing(held)

    def tensor(self, value):
        """With two numbers before it in its storage, and its first two axes stored the other way round."""
        order = np.swapaxes(value, 0, 1) if value.ndim > 1 else value
        strides = [stride // 4 for stride in np.ascontiguousarray(order).strides]
        if value.ndim > 1:
            strides[0], strides[1] = strides[1], strides[0]
        self.begin(4, "torch.FloatTensor")
        self.int(value.ndim)
        self.long(*value.shape)
        self.long(*strides)
        self.long(3)
        self.begin(4, "torch.FloatStorage")
        self.long(value.size + 2)
        self.content += np.float32([7, 7]).tobytes() + np.ascontiguousarray(order).tobytes()
