"""The file of directions: safetensors with two tensors, and all else as metadata."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..reading.json_file import parsed as parsed_json
from ..reading.safetensors_header import settle
from ..system.messages import shown
from ..system.regular_files import open_regular, reading
from ..system.whole_files import whole_file
from .ties import remarks

FORMAT = "1"
MAX_ROWS = 10_000  # of ws
_WORDS = ("label", "space", "torgb", "network", "digest", "calibration", "origin")


class DirectionsFileError(Exception):
    """A directions file that is broken, is something else, or does not fit a network."""


def write_directions(path: str | os.PathLike, directions: Any) -> None:
    """Write ``Directions``; see ``Directions.save``."""
    from safetensors.numpy import save

    about = {
        "format": "sefa_directions",
        "version": FORMAT,
        "layers": json.dumps(list(directions.layers)),
        "layer_names": json.dumps(list(directions.layer_names)),
        "names": json.dumps(list(directions.names)),
        "named_by": json.dumps(list(directions.named_by)),
        "purity": json.dumps(list(directions.purity)),
        "normalize": json.dumps(directions.normalize),
        "num_ws": json.dumps(directions.num_ws),
        "sigmas": json.dumps(list(directions.sigmas)),
        "ranges": json.dumps(list(directions.ranges)),
        "broken": json.dumps(list(directions.broken)),
        "lessons": json.dumps(list(directions.lessons)),
        "next_eigenvalue": json.dumps(directions.next_eigenvalue),
        "remarks": json.dumps(remarks(directions)),  # for people; what is read back says it again
        **{key: getattr(directions, key) for key in _WORDS},
    }
    tensors = {"directions": directions.vectors, "eigenvalues": directions.eigenvalues}
    with whole_file(path) as part:
        part.write_bytes(save(tensors, about))  # save_file would let nobody else read it
        settle(part)


def file_of_folder(path: str | os.PathLike) -> Path:
    """The directions file itself, or the one that lies in a folder.

    Raises:
        DirectionsFileError: the folder holds none, or several.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    held = sorted(path.glob("directions*.safetensors"))
    if len(held) != 1:
        names = ", ".join(file.name for file in held) or "none"
        raise DirectionsFileError(f"{path}: one directions file is needed, this folder holds {names}")
    return held[0]


def is_directions_file(path: str | os.PathLike) -> bool:
    """Whether a file is, or once was, one of :func:`write_directions`; never raises on odd input."""
    from safetensors import SafetensorError, safe_open

    try:
        open_regular(path).close()
        with safe_open(os.fspath(path), framework="np") as file:
            return (file.metadata() or {}).get("format") == "sefa_directions"
    except (OSError, SafetensorError, ValueError):
        return False


def read_directions(path: str | os.PathLike, cls: type) -> Any:
    """Read what :func:`write_directions` wrote into a ``cls``.

    Raises:
        DirectionsFileError: one line that says what is wrong.
    """
    try:
        with reading(path, DirectionsFileError):
            tensors, about = _read(os.fspath(path))
        return _from_parts(cls, tensors, about)
    except (ValueError, RecursionError) as error:
        raise DirectionsFileError(f"{path}: is not a valid directions file: {error}") from None


def _read(path: str) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
    from safetensors import SafetensorError, safe_open

    with open_regular(path):
        pass  # safetensors' own messages for missing files name no file
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            if about.get("format") != "sefa_directions":
                raise ValueError("it was not written by this program")
            held = set(file.keys())
            if held != {"directions", "eigenvalues"}:
                raise ValueError(f"it holds {shown(', '.join(sorted(held)), 100) or 'nothing'}")
            return {name: file.get_tensor(name) for name in held}, about
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file ({shown(str(error))})") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"it holds numbers of an unknown type ({shown(str(error))})") from None


def _from_parts(cls: type, tensors: dict[str, np.ndarray], about: Mapping[str, str]) -> Any:
    if about.get("version") != FORMAT:
        raise ValueError(f"its version is {about.get('version')!r:.20}, this program reads {FORMAT!r}")

    def parsed(key: str, kind: type, inner: type | None = None, missing: str = "null") -> Any:
        value = parsed_json(about.get(key, missing).encode())
        if type(value) is not kind or (inner and not all(type(item) is inner for item in value)):
            raise ValueError(f"its {key} is malformed")
        return value

    for name, tensor in tensors.items():
        if tensor.dtype.kind != "f":
            raise ValueError(f"its {name} are {tensor.dtype}, not floating point")
    num_ws, layers = parsed("num_ws", int), parsed("layers", list, int)
    if not all(0 <= number <= MAX_ROWS for number in (num_ws, *layers)):
        raise ValueError(f"its layers or num_ws are not from 0 to {MAX_ROWS}")
    held = cls(
        vectors=tensors["directions"],
        eigenvalues=tensors["eigenvalues"],
        layers=tuple(layers),
        layer_names=tuple(parsed("layer_names", list, str)),
        names=tuple(parsed("names", list, str)),
        named_by=tuple(parsed("named_by", list, str, "[]")),  # files of before have neither
        purity=_numbers(about, "purity"),
        normalize=parsed("normalize", bool),
        num_ws=num_ws,
        sigmas=_numbers(about, "sigmas"),
        ranges=_numbers(about, "ranges"),
        broken=tuple(parsed("broken", list, str, "[]")),
        lessons=_numbers(about, "lessons"),
        next_eigenvalue=_number_or_none(about, "next_eigenvalue"),
        **{key: about.get(key, "") for key in _WORDS},
    )
    squares = np.square(held.vectors.astype(np.float64)).sum(axis=-1)
    if not np.allclose(np.sqrt(squares.mean(axis=1) if held.per_row else squares), 1, atol=1e-3):
        raise ValueError("its directions are not of unit length")
    return held


def _number_or_none(about: Mapping[str, str], key: str) -> float | None:
    """A finite number or null; files of before have none."""
    held = parsed_json(about.get(key, "null").encode())
    if held is not None and not (type(held) in (int, float) and abs(held) <= sys.float_info.max):
        raise ValueError(f"its {key} is malformed")
    return None if held is None else float(held)


def _numbers(about: Mapping[str, str], key: str) -> tuple:
    """A list of numbers, pairs of numbers and nulls; files of before have none."""
    held, pairs = parsed_json(about.get(key, "[]").encode()), ("ranges", "lessons")

    def number(item: Any) -> bool:
        return type(item) in (int, float) and abs(item) < 1e30

    def fits(item: Any) -> bool:
        if key in pairs and isinstance(item, list):
            return len(item) == 2 and all(map(number, item))
        return item is None or (key not in pairs and number(item))

    if not isinstance(held, list) or not all(map(fits, held)):
        raise ValueError(f"its {key} {'is' if key == 'purity' else 'are'} malformed")
    return tuple(tuple(item) if isinstance(item, list) else item for item in held)
