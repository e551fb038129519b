"""Write directions in the layouts of other tools, and list what a layout cannot hold."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable

import numpy as np

from ..reading.safetensors_header import settle
from ..system.whole_files import whole_file
from .directions import Directions


class ExportError(Exception):
    """Directions that a layout cannot hold; the message is one line."""


def export(directions: Directions, layout: str, path: str | os.PathLike[str]) -> list[str]:
    """Write directions for another tool.

    Args:
        directions: all of them are written, in their order.
        layout: a key of ``LAYOUTS``.
        path: the file; an older one is replaced once the new one is whole.

    Returns:
        What the layout does not keep, one line each.

    Raises:
        ExportError: the layout cannot hold them.
        OSError: the file cannot be written.
    """
    data = LAYOUTS[layout](directions)
    with whole_file(path) as part:
        part.write_bytes(data)
        if layout == "comfyui":
            settle(part)
    return _lost(directions, layout)


def _npy(directions: Directions) -> bytes:
    """``(k, dim)``; with a row for each layer ``(num_ws, dim)`` of one direction, ``(k, num_ws, dim)`` of several."""
    return _npy_rows(directions) if directions.per_row else _array(directions.vectors)


def _npy_rows(directions: Directions) -> bytes:
    """As :func:`_npy`, always with a row for each layer; zeros where a direction changes nothing."""
    if directions.space != "w":
        raise ExportError("npy-rows: directions of Z have no rows for layers; use npy")
    rows = _all_rows(directions)
    return _array(rows[0] if len(rows) == 1 else rows)


def _array(numbers: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(numbers), allow_pickle=False)
    return stream.getvalue()


def _all_rows(directions: Directions) -> np.ndarray:
    """``[k, num_ws, dim]`` float32."""
    if not directions.num_ws:
        raise ExportError("it is not known how many layers the network has (num_ws); import them with --network")
    rows = np.zeros((len(directions), directions.num_ws, directions.dim), np.float32)
    rows[:, list(directions.layers)] = directions.vectors if directions.per_row else directions.vectors[:, None]
    return rows


def _plain(directions: Directions, layout: str) -> np.ndarray:
    if directions.per_row:
        raise ExportError(f"{layout}: holds one vector for all layers, these directions have one for each; use npy")
    if directions.space != "w":
        raise ExportError(f"{layout}: its tool edits W, these are directions of Z; use npy")
    return directions.vectors


def _npz(directions: Directions) -> bytes:
    """``eigvecs [dim, k]``, directions as columns, and ``eigvals [k]``, as gan-aca writes them."""
    stream = io.BytesIO()
    np.savez(stream, eigvecs=_plain(directions, "npz").T, eigvals=directions.eigenvalues)
    return stream.getvalue()


def _factor(directions: Directions) -> bytes:
    """``{ckpt, eigvec}`` of rosinality's and dvschultz's ports: directions as columns ``[dim, k]``."""
    import torch

    stream = io.BytesIO()
    eigvec = torch.from_numpy(np.ascontiguousarray(_plain(directions, "factor").T))
    torch.save({"ckpt": directions.network, "eigvec": eigvec}, stream)
    return stream.getvalue()


def _comfyui(directions: Directions) -> bytes:
    """A tensor ``[dim]`` for each direction, by its name or ``component_00``, and their order."""
    from safetensors.numpy import save

    vectors = _plain(directions, "comfyui")
    names = [name or f"component_{index:02d}" for index, name in enumerate(directions.names)]
    if len(set(names)) < len(names):
        raise ExportError("comfyui: two directions have one name")
    about = {
        "method": "sefa",
        "num_components": str(len(vectors)),
        "w_dim": str(directions.dim),
        "component_order": json.dumps(names),
    }
    return save({name: np.ascontiguousarray(vector) for name, vector in zip(names, vectors)}, about)


LAYOUTS: dict[str, Callable[[Directions], bytes]] = {
    "npy": _npy,
    "npy-rows": _npy_rows,
    "npz": _npz,
    "factor": _factor,
    "comfyui": _comfyui,
}
SUFFIXES = {
    "npy": (".npy",),
    "npy-rows": (".npy",),
    "npz": (".npz",),
    "factor": (".pt", ".pth"),
    "comfyui": (".safetensors",),
}


def _lost(directions: Directions, layout: str) -> list[str]:
    lost = []
    everywhere = not directions.num_ws or len(directions.layers) == directions.num_ws
    if directions.space == "w" and not directions.per_row and layout != "npy-rows" and not everywhere:
        rows = ", ".join(map(str, directions.layers))
        lost.append(f"the layers that edits change ({rows}) are not kept: choose them in the other tool")
    if directions.space == "z":
        lost.append("that these are directions of Z is not kept")
    if layout != "comfyui" and any(directions.names):
        lost.append("names are not kept")
    if any(item is not None for item in directions.ranges):
        lost.append("calibrated ranges are not kept")
    return lost
