"""Weights that depend on names and shapes alone, for golden numbers that other code has made with the same ones."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np


def made_weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Tensors by name; vectors of spectral norms are those of their weights after some power iterations."""
    made = {name: _drawn(name, tuple(shape)) for name, shape in shapes.items()}
    for name in shapes:
        stem = name.removesuffix("_orig")
        if f"{stem}_u" in shapes or f"{stem[: -len('weight')]}u0" in shapes:
            u, v = _vectors(made[name].reshape(len(made[name]), -1))
            made.update({f"{stem}_u": u, f"{stem}_v": v} if f"{stem}_u" in shapes else {f"{stem[:-6]}u0": u[None]})
    return {name: made[name] for name in shapes}


def _drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random, last = np.random.RandomState(zlib.crc32(name.encode())), name.rpartition(".")[2]
    if "var" in last or last == "sv0":
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    if "mean" in last or last == "bias":
        return (0.1 * random.randn(*shape)).astype(np.float32)
    if len(shape) < 2:  # gains
        return (1 + 0.1 * random.randn(*shape) if shape else np.array(0.7)).astype(np.float32)
    return (random.randn(*shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def _vectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u = np.ones(len(matrix))
    for _ in range(5):
        v = u @ matrix.astype(np.float64)
        v /= np.linalg.norm(v)
        u = matrix @ v
        u /= np.linalg.norm(u)
    return u.astype(np.float32), v.astype(np.float32)
