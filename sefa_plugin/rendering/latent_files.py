"""Read latents from files of other tools: projected photographs, for ``--projected-w``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..reading.array_file import ArrayFileError
from ..reading.json_file import read_bounded
from ..reading.network_record import NetworkFileError
from ..reading.pickle_values import ValueProblem
from ..reading.tensors_file import DIRECTIONS, OF_W, OTHERS, InertParts, is_of_a_network
from ..system.messages import shown
from ..system.regular_files import reading

_FLOATS = "f"
_MOST = 10_000  # latents of one file
_DEEPEST = 4  # dicts and lists in each other
LAYERS = (8, 10, 12, 14, 16, 18)  # of the networks that people have: rows of a latent with a row for each layer


class LatentsError(Exception):
    """A file of latents that cannot be used; the message is one line that begins with its path."""


def load_projected_w(
    path: str | os.PathLike[str], num_ws: int, w_dim: int, note: Callable[[str], None] = lambda text: None
) -> np.ndarray:
    """Read ws from a file; its format is recognised by its content, and no code of it is run.

    Known are the files of NVIDIA's projectors (``w``), of e4e, PTI, ReStyle, HyperStyle and rosinality's projector: an
    array, dicts of arrays by picture, lists of them; in a dict a list holds the iterations of one picture, the last of
    which is taken. The container (``.npy .npz .pt .pkl .json .safetensors``) makes no difference.

    ``[num_ws, w_dim]`` is one latent with a row for each layer, also as equal rows of any number; any other
    ``[N, w_dim]`` are N latents with the same w for all layers, unless N is the number of layers of other networks.

    Args:
        path: the file.
        num_ws, w_dim: sizes of the network.
        note: called with one line where something was left out.

    Returns:
        float32 ``[N, num_ws, w_dim]``; rows stored once (``[N, w_dim]``, ``[N, 1, w_dim]``) are repeated.

    Raises:
        LatentsError: the file cannot be used.
    """
    shown_path = os.fspath(path)
    try:
        with reading(shown_path, LatentsError):
            file = _Latents(shown_path, num_ws, w_dim, note)
            parts = file.collected()
            file.note_lengths(parts)
    except (ArrayFileError, ValueProblem) as error:
        raise LatentsError(f"{shown_path}: {error}") from None
    except NetworkFileError as error:
        raise LatentsError(str(error)) from None
    count = sum(map(len, parts))
    if not 0 < count <= _MOST:
        raise LatentsError(f"{shown_path}: holds {count} latents, 1 to {_MOST} can be used")
    return np.ascontiguousarray(np.concatenate(parts, dtype=np.float32, casting="same_kind"))


class _Latents:
    """The latents of one file."""

    def __init__(self, path: str, num_ws: int, w_dim: int, note: Callable[[str], None]) -> None:
        self.path, self.num_ws, self.w_dim, self.note = path, num_ws, w_dim, note
        self.file = InertParts(path, "latents file")
        self.seen = 0

    def collected(self) -> list[np.ndarray]:
        """The latents of each picture, ``[N, num_ws, w_dim]``."""
        file = self.file
        if Path(self.path).name == "z.npy" and file.pairs is None:  # so InterFaceGAN's generate_data.py calls them
            self._refuse("z", "")
        return self._of(file.value, "")

    def note_lengths(self, parts: list[np.ndarray]) -> None:
        """Note latents of length 1, which directions have and ws do not."""
        lengths = np.concatenate([np.linalg.norm(part, axis=-1).ravel() for part in parts])
        if len(lengths) and self.w_dim > 8 and np.allclose(lengths, 1, atol=1e-3):
            self.note(
                f"{self.path}: is of length 1, as directions are and ws are not; directions are taken by `sefa import`"
            )

    def _of(self, item: object, name: str, depth: int = 0) -> list[np.ndarray]:
        file, called = self.file, shown(name, 40) or "the array"
        self.seen += 1
        if self.seen > 4 * _MOST:  # parts may be shared
            raise ArrayFileError(f"holds more than {_MOST} latents")
        if file.shape(item) is not None:
            return [self._rows(file.array(item, called, _FLOATS), called, name)]
        pairs, parts = file.dict_of(item), file.list_of(item)
        if depth < _DEEPEST and pairs is not None:
            return self._of_dict(pairs, name, depth)
        if depth < _DEEPEST and parts:
            shapes = [file.shape(part) for part in parts]
            rows = all(shape is not None and len(shape) == 1 for shape in shapes) and len(set(shapes)) == 1
            if rows and (not name or len(parts) == self.num_ws):
                stacked = np.stack([file.array(part, called, _FLOATS) for part in parts])
                return [self._rows(stacked, called, name)]
            if name and None not in shapes:
                if len(parts) > 1:
                    self.note(f"{shown(name, 40)}: the last of its {len(parts)} iterations is taken")
                return self._of(parts[-1], name, depth + 1)
            return [found for part in parts[: _MOST + 1] for found in self._of(part, name, depth + 1)]
        if not name:
            raise ArrayFileError("holds no latents that are known: neither an array, nor a dict or a list of some")
        raise ArrayFileError(f"holds no latents that are known: {shown(name, 40)} is none")

    def _of_dict(self, pairs: Mapping[object, object], name: str, depth: int) -> list[np.ndarray]:
        names = {key.lower(): key for key in pairs if isinstance(key, str)}
        chosen = "w" if "w" in names else next((low for low in names if low in OF_W), None)
        if chosen is not None:
            return self._of(pairs[names[chosen]], name or names[chosen], depth + 1)
        if not pairs:
            raise ArrayFileError("holds an empty dict, and no latents")
        if is_of_a_network(pairs):
            raise ArrayFileError("is a network; a network is given by --network")
        found = next((str(key) for key in pairs if key in DIRECTIONS), None)
        if found is not None:
            raise ArrayFileError(
                f"holds directions ({found}), not latents; "
                f"`sefa import {shlex.quote(self.path)} --network NETWORK` makes a directions file of them"
            )
        for key in pairs:
            self._refuse(str(key), str(key))
        made = []
        for key, item in list(pairs.items())[: _MOST + 1]:
            made += self._of(item, str(key), depth + 1)
        return made

    def _refuse(self, name: str, key: str) -> None:
        """Refuse an array whose name says that it is something else; ``key`` is its name in the file, if it has one."""
        what = OTHERS.get(name.lower())
        if what is None:
            return
        line = f"holds {shown(name, 20)}, {what}, not w; --projected-w takes w"
        if what == "codes of Z" and self.file.container in ("npy", "npz"):
            made = f"load_network('NETWORK').mapping(torch.from_numpy({self._loaded(key)}), None)"
            code = f"import numpy as np, torch; from sefa_plugin import load_network; np.savez('w.npz', w={made})"
            line += f". Map it: {_python(code)}"
        raise ArrayFileError(line)

    def _rows(self, ws: np.ndarray, called: str, name: str) -> np.ndarray:
        """``[N, num_ws, w_dim]``."""
        given, num_ws = list(ws.shape), self.num_ws
        while ws.ndim > 3 and 1 in ws.shape[:-1]:
            ws = ws.squeeze(ws.shape.index(1))
        if ws.ndim == 1:
            ws = ws[None, None]
        if ws.ndim == 2 and ws.shape[1] == self.w_dim:
            if len(ws) == num_ws:
                ws = ws[None]
            elif len(ws) > 1 and (ws == ws[0]).all():
                self.note(f"{called}: its {len(ws)} rows are equal, and are taken as one latent of W")
                ws = ws[None, :1]
            elif len(ws) in LAYERS:
                raise LatentsError(
                    f"{self.path}: {called} is {given}: as one latent it has {len(ws)} layers, this network has "
                    f"{num_ws}; if these are {len(ws)} latents of W, {self._with_an_axis(given, name)}"
                )
            else:
                ws = ws[:, None]
        elif ws.ndim == 3 and 0 not in ws.shape and ws.shape[1] not in (1, num_ws) and (ws == ws[:, :1]).all():
            ws = ws[:, :1]
        if ws.ndim != 3 or 0 in ws.shape or ws.shape[1] not in (1, num_ws) or ws.shape[2] != self.w_dim:
            raise LatentsError(
                f"{self.path}: {called} is {str(given):.40}, this network needs [N, {num_ws}, {self.w_dim}] or "
                f"[N, {self.w_dim}]"
            )
        return np.broadcast_to(ws, (len(ws), num_ws, self.w_dim))

    def _with_an_axis(self, shape: list[int], name: str) -> str:
        """How to say that rows are latents: what to type, where that is one line."""
        if self.file.container not in ("npy", "npz") or len(shape) != 2:
            return f"save them as {[shape[0], 1, shape[-1]]}"
        command = _python(f"import numpy as np; np.savez('each.npz', w={self._loaded(name)}[:, None])")
        return f"type {command} and --projected-w each.npz"

    def _loaded(self, name: str) -> str:
        """The array of an ``.npy`` or ``.npz`` in Python."""
        return f"np.load({self.path!r})" + (f"[{name!r}]" if name else "")


def _python(code: str) -> str:
    """A line of Python for the shell."""
    return f"python -c {shlex.quote(code)}" if set(code) & set('"$`!') else f'python -c "{code}"'


def read_label(path: str | os.PathLike[str]) -> tuple[float, ...]:
    """Read the numbers of one label from a file of any container, or from a text of numbers.

    Raises:
        LatentsError: it holds no such numbers, or several labels.
    """
    shown_path = os.fspath(path)
    try:
        with reading(shown_path, LatentsError):
            if Path(path).suffix.lower() in (".txt", ".csv"):
                words = read_bounded(Path(path), 1 << 20).decode("utf-8", "replace").replace(",", " ").split()
                return tuple(map(float, words))
            file = InertParts(shown_path, "file of a label")
            item = next(iter(file.pairs.values())) if file.pairs and len(file.pairs) == 1 else file.value
            array = file.array(item, "the label")
    except ValueError as error:
        raise LatentsError(f"{shown_path}: holds no numbers: {shown(str(error), 60)}") from None
    except (ArrayFileError, ValueProblem) as error:
        raise LatentsError(f"{shown_path}: {error}") from None
    except NetworkFileError as error:
        raise LatentsError(str(error)) from None
    if array.size != array.shape[-1]:
        raise LatentsError(f"{shown_path}: holds {list(array.shape)} numbers; one label is needed: [c_dim]")
    return tuple(map(float, array.ravel()))
