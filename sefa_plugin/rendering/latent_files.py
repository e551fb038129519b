"""Read latents from files of other tools: projected photographs, for ``--projected-w``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..reading.array_file import ArrayFile, ArrayFileError
from ..reading.network_record import NetworkFileError
from ..reading.pickle_values import ValueProblem
from ..reading.tensors_file import InertParts
from ..system.messages import shown
from ..system.regular_files import open_regular, reading

_FLOATS = "f"
_MOST = 10_000  # latents of one file


class LatentsError(Exception):
    """A file of latents that cannot be used; the message is one line that begins with its path."""


def load_projected_w(path: str | os.PathLike[str], num_ws: int, w_dim: int) -> np.ndarray:
    """Read ws from a file; its format is recognised by its content, and no code of it is run.

    Known are NVIDIA's projectors (``.npz`` with key ``w``), ``.npy``, tensors of ``torch.save`` (e4e's ``latents.pt``,
    PTI's ``0.pt``), dicts of tensors, and the files of rosinality's projector. ``[num_ws, w_dim]`` is one latent with a
    row for each layer; any other ``[N, w_dim]`` are N latents with the same w for all layers.

    Returns:
        float32 ``[N, num_ws, w_dim]``; rows stored once (``[N, w_dim]``, ``[N, 1, w_dim]``) are repeated.

    Raises:
        LatentsError: the file cannot be used.
    """
    shown_path = os.fspath(path)
    try:
        with reading(shown_path, LatentsError):
            with open_regular(path) as stream:
                head = stream.read(8)
            held = _arrays(shown_path, head)
    except (ArrayFileError, ValueProblem) as error:
        raise LatentsError(f"{shown_path}: {error}") from None
    except NetworkFileError as error:
        raise LatentsError(str(error)) from None
    parts = [_rows(shown_path, name, array, num_ws, w_dim) for name, array in held.items()]
    count = sum(map(len, parts))
    if not 0 < count <= _MOST:
        raise LatentsError(f"{shown_path}: holds {count} latents, 1 to {_MOST} can be used")
    return np.ascontiguousarray(np.concatenate(parts, dtype=np.float32, casting="same_kind"))


def _arrays(path: str, head: bytes) -> dict[str, np.ndarray]:
    """The arrays of latents, by a name for messages."""
    if head[:6] == b"\x93NUMPY":
        return {"the array": ArrayFile(path).read("", _FLOATS)}
    if head[:4] == b"PK\x03\x04":
        try:
            file = ArrayFile(path)
        except ArrayFileError:
            if Path(path).suffix in (".npz", ".npy"):
                raise
            return _tensors(path)  # torch's archives
        name = "w" if "w" in file else file.names[0]
        if name != "w" and len(file.names) > 1:
            raise ArrayFileError(f"holds {', '.join(shown(n, 20) for n in file.names[:4])}, not w")
        return {shown(name, 40): file.read(name, _FLOATS)}
    return _tensors(path)


def _tensors(path: str) -> dict[str, np.ndarray]:
    file = InertParts(path)
    if file.pairs is None:
        if file.shape(file.value) is None:
            raise ArrayFileError("holds no latents that are known: neither a tensor nor a dict of some")
        return {"the tensor": file.array(file.value, "the tensor", _FLOATS)}
    held = {}
    for key, item in list(file.pairs.items())[: _MOST + 1]:
        name = shown(str(key), 40)
        # rosinality's projector: {file name: {"img": ..., "latent": ..., "noise": ...}}
        item = item.get("latent") if isinstance(item, dict) else item
        if not isinstance(key, str) or file.shape(item) is None:
            raise ArrayFileError(f"holds no latents that are known: {name} is none; a network is given by --network")
        held[name] = file.array(item, name, _FLOATS)
    if not held:
        raise ArrayFileError("holds an empty dict, and no latents")
    return held


def _rows(path: str, name: str, ws: np.ndarray, num_ws: int, w_dim: int) -> np.ndarray:
    """``[N, num_ws, w_dim]``."""
    given = list(ws.shape)
    if ws.ndim == 1:
        ws = ws[None, None]
    elif ws.ndim == 2:
        ws = ws[None] if len(ws) == num_ws else ws[:, None]
    if ws.ndim != 3 or 0 in ws.shape or ws.shape[1] not in (1, num_ws) or ws.shape[2] != w_dim:
        raise LatentsError(
            f"{path}: {name} is {str(given):.40}, this network needs [N, {num_ws}, {w_dim}] or [N, {w_dim}]"
        )
    return np.broadcast_to(ws, (len(ws), num_ws, w_dim))
