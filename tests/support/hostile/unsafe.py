"""What everybody else does with such files. Only to show that the payloads are live, in a process of its own."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from contextlib import suppress
from pathlib import Path


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: object) -> object:
        """Of storages nothing is needed here."""
        return None


class _Network:
    """Of the TensorFlow toolkits."""


class _EasyDict(dict):
    """Items by attributes."""

    __setattr__ = dict.__setitem__


def _toolkits() -> None:
    """The names that network files need, as in a toolkit's checkout."""
    names = "torch_utils torch_utils.persistence dnnlib dnnlib.util dnnlib.tflib dnnlib.tflib.network"
    for name in names.split():
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = lambda meta: exec(meta["module_src"], {})
    sys.modules["dnnlib.util"].EasyDict = _EasyDict
    sys.modules["dnnlib.tflib.network"].Network = _Network


def unpickle_all(folder: str) -> None:
    """Unpickle every file of a folder, and run whatever is in it."""
    _toolkits()
    sys.stdin = io.StringIO()
    for path in sorted(Path(folder).iterdir()):
        data = path.read_bytes()
        with suppress(BaseException):
            if path.suffix == ".pt":
                import torch

                torch.load(path, weights_only=False)
        with suppress(BaseException):
            if path.suffix == ".npz":
                import numpy as np

                dict(np.load(path, allow_pickle=True))
        with suppress(BaseException):
            if data[:2] == b"PK":
                archive = zipfile.ZipFile(io.BytesIO(data))
                data = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
            stream = io.BytesIO(data)
            while True:  # the older layout of torch.save is several in a row
                _Unpickler(stream).load()
