"""Writes files of ``torch.save`` out of inert records, in both of torch's layouts."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
from pickle_writer import ORDERED, Call, Global, PersistentId, call, dumps

_MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class TorchWriter:
    """Makes the tensors of one file, then the file: ``TorchWriter(legacy=True)``."""

    def __init__(self, legacy: bool = False) -> None:
        self.legacy = legacy
        self.storages: list[np.ndarray] = []

    def tensor(self, array: np.ndarray) -> Call:
        """The pickled form of a float32 tensor, its numbers in a storage of their own."""
        array = np.asarray(array, dtype="<f4")
        key = str(len(self.storages))
        self.storages.append(array)
        place = ("storage", Global("torch", "FloatStorage"), key, "cpu", array.size)
        strides = tuple(step // 4 for step in np.ascontiguousarray(array).strides)[: array.ndim]
        reference = PersistentId((*place, None) if self.legacy else place)
        return call("torch._utils._rebuild_tensor_v2", reference, 0, array.shape, strides, False, Call(ORDERED, ()))

    def dumps(self, value: object) -> bytes:
        """The file that holds ``value``, which may hold tensors of this writer."""
        raw = [np.ascontiguousarray(array).tobytes() for array in self.storages]
        file = io.BytesIO()
        if self.legacy:
            for part in (_MAGIC, 1001, MACHINE, value, sorted(map(str, range(len(raw))))):
                file.write(dumps(part, 2))
            for key in sorted(range(len(raw)), key=str):
                array, data = self.storages[key], raw[key]
                file.write(struct.pack("<q", array.size) + data)
        else:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr("archive/data.pkl", dumps(value, 2))
                for key, data in enumerate(raw):
                    archive.writestr(f"archive/data/{key}", data)
                archive.writestr("archive/version", "3\n")
        return file.getvalue()
