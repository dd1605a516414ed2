"""Reads the binary files of Torch 7 (Lua): numbers, text, tables and tensors, no code.

An object is its kind (int32) and its content. Tables, tensors and storages are numbered; where one occurs again, only
its number is written (see torch7's `File.lua`). Functions are refused.
"""

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from affwildnet.weights.weight_file import Damaged

NIL, NUMBER, TEXT, TABLE, TORCH, BOOLEAN = range(6)
ELEMENTS = {
    "Float": "<f4",
    "Double": "<f8",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "<i1",
    "Byte": "<u1",
}


def read(path: Path) -> Any:
    """Return the content of a file: None, a number, str, bool, dict, or array.

    Tables are dicts that keep Lua's keys: 1, 2, 3 ... for lists. An object of a Lua class is the dict of its fields,
    with the name of the class under `__class__`.

    Raises:
      Damaged: if it is no such file, or is truncated.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _Reader(file, size).read_object()
        except (struct.error, UnicodeDecodeError, RecursionError, TypeError) as error:
            raise Damaged("not of Torch 7's binary form, or cut off") from error


class _Reader:
    def __init__(self, file: BinaryIO, size: int):
        self._file = file
        self._size = size
        self._seen: dict[int, Any] = {}

    def read_object(self) -> Any:
        kind = self._int()
        if kind == NIL:
            return None
        if kind == NUMBER:
            return self._numbers("<f8", 1)[0].item()
        if kind == TEXT:
            return self._text()
        if kind == BOOLEAN:
            return self._int() == 1
        if kind not in (TABLE, TORCH):
            raise Damaged(f"not of Torch 7's binary form: an object of kind {kind}")
        index = self._int()
        if index in self._seen:
            return self._seen[index]
        return self._table(index) if kind == TABLE else self._torch(index)

    def _table(self, index: int) -> dict:
        table = self._seen[index] = {}
        for _ in range(self._int()):
            key = self.read_object()
            table[int(key) if isinstance(key, float) and key.is_integer() else key] = self.read_object()
        return table

    def _torch(self, index: int) -> Any:
        name = self._text()
        if name.startswith("V "):  # older files have no version here, but the class's name
            name = self._text()
        element = ELEMENTS.get(name.removeprefix("torch.").removesuffix("Tensor").removesuffix("Storage"))
        if element and name.endswith("Storage"):
            value = self._numbers(element, self._long())
        elif element and name.endswith("Tensor"):
            value = self._tensor(element)
        else:
            fields = self._seen[index] = {}
            held = self.read_object()
            if not isinstance(held, dict):
                raise Damaged(f"an object of the class {name} without fields")
            fields.update(held, __class__=name)
            return fields
        self._seen[index] = value
        return value

    def _tensor(self, element: str) -> np.ndarray:
        rank = self._int()
        if not 0 <= rank <= 8:
            raise Damaged(f"a tensor of {rank} axes")
        shape = [self._long() for _ in range(rank)]
        strides = [self._long() for _ in range(rank)]
        offset = self._long() - 1
        storage = self.read_object()
        if storage is None or not rank:
            return np.empty(0, element)
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if min([offset, *strides]) < 0 or min(shape) < 1 or not isinstance(storage, np.ndarray) or last >= len(storage):
            raise Damaged("a tensor that reaches beyond its storage")
        if math.prod(shape) > len(storage):  # strides of 0 repeat what is there
            raise Damaged("a tensor that is larger than its storage")
        width = storage.itemsize
        return np.lib.stride_tricks.as_strided(
            storage[offset:], shape, [stride * width for stride in strides], writeable=False
        ).copy()

    def _int(self) -> int:
        return struct.unpack("<i", self._file.read(4))[0]

    def _long(self) -> int:
        return struct.unpack("<q", self._file.read(8))[0]

    def _text(self) -> str:
        return self._bytes(self._int()).decode()

    def _numbers(self, element: str, count: int) -> np.ndarray:
        return np.frombuffer(self._bytes(count * np.dtype(element).itemsize), element)

    def _bytes(self, count: int) -> bytes:
        if not 0 <= count <= self._size - self._file.tell():
            raise Damaged("not of Torch 7's binary form, or cut off")
        return self._file.read(count)
