"""The file of directions: safetensors with two tensors, and all else as metadata."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..reading.json_file import parsed as parsed_json
from ..reading.safetensors_header import settle
from ..system.messages import shown
from ..system.regular_files import open_regular, reading
from ..system.whole_files import whole_file
from .ties import remarks

if TYPE_CHECKING:
    from .directions import Directions

Value = TypeVar("Value")
FORMAT = "1"
MAX_ROWS = 10_000  # of ws
_WORDS = ("label", "space", "torgb", "network", "digest", "calibration", "origin")


class DirectionsFileError(Exception):
    """A directions file that is broken, is something else, or does not fit a network."""


def write_directions(path: str | os.PathLike[str], directions: Directions) -> None:
    """Write ``Directions``; see ``Directions.save``."""
    from safetensors.numpy import save

    about = {
        "format": "sefa_directions",
        "version": FORMAT,
        "layers": json.dumps(list(directions.layers)),
        "layer_names": json.dumps(list(directions.layer_names)),
        "names": json.dumps(directions.names),
        "named_by": json.dumps(directions.named_by),
        "purity": json.dumps(directions.purity),
        "normalize": json.dumps(directions.normalize),
        "num_ws": json.dumps(directions.num_ws),
        "sigmas": json.dumps(directions.sigmas),
        "ranges": json.dumps(directions.ranges),
        "broken": json.dumps(directions.broken),
        "lessons": json.dumps(directions.priors),
        "next_eigenvalue": json.dumps(directions.next_eigenvalue),
        "remarks": json.dumps(remarks(directions)),  # for people: reading the file ignores them
        **{key: getattr(directions, key) for key in _WORDS},
    }
    tensors = {"directions": directions.vectors, "eigenvalues": directions.eigenvalues}
    with whole_file(path) as part:
        part.write_bytes(save(tensors, about))  # save_file would let nobody else read it
        settle(part)


def file_of_folder(path: str | os.PathLike[str]) -> Path:
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


def is_directions_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that :func:`write_directions` wrote it, whole or not; never raises on odd input."""
    from safetensors import SafetensorError, safe_open

    try:
        open_regular(path).close()
        with safe_open(os.fspath(path), framework="np") as file:
            return (file.metadata() or {}).get("format") == "sefa_directions"
    except (OSError, SafetensorError, ValueError):
        return False


def read_directions(path: str | os.PathLike[str], cls: type[Directions]) -> Directions:
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


def _from_parts(cls: type[Directions], tensors: dict[str, np.ndarray], about: Mapping[str, str]) -> Directions:
    if about.get("version") != FORMAT:
        raise ValueError(f"its version is {about.get('version')!r:.20}, this program reads {FORMAT!r}")
    for name, tensor in tensors.items():
        if tensor.dtype.kind != "f":
            raise ValueError(f"its {name} are {tensor.dtype}, not floating point")
    num_ws, layers = _exactly(int, _parsed(about, "num_ws"), "num_ws"), _all(int, about, "layers")
    if not all(0 <= number <= MAX_ROWS for number in (num_ws, *layers)):
        raise ValueError(f"its layers or num_ws are not from 0 to {MAX_ROWS}")
    held = cls.of(
        tensors["directions"],
        tensors["eigenvalues"],
        layers,
        layer_names=_all(str, about, "layer_names"),
        names=_all(str, about, "names"),
        named_by=_all(str, about, "named_by", "[]"),  # older files have neither this nor purity
        purity=_numbers(about, "purity"),
        normalize=_exactly(bool, _parsed(about, "normalize"), "normalize"),
        num_ws=num_ws,
        sigmas=_numbers(about, "sigmas"),
        ranges=_pairs(about, "ranges"),
        broken=_all(str, about, "broken", "[]"),
        priors=_pairs(about, "lessons"),
        next_eigenvalue=_number_or_none(about, "next_eigenvalue"),
        **{key: about.get(key, "") for key in _WORDS},
    )
    squares = np.square(held.vectors.astype(np.float64)).sum(axis=-1)
    if not np.allclose(np.sqrt(squares.mean(axis=1) if held.per_row else squares), 1, atol=1e-3):
        raise ValueError("its directions are not of unit length")
    return held


def _parsed(about: Mapping[str, str], key: str, missing: str = "null") -> object:
    """The value of an entry, which is JSON."""
    return parsed_json(about.get(key, missing).encode())


def _malformed(key: str) -> ValueError:
    return ValueError(f"its {key} {'are' if key in ('sigmas', 'ranges', 'lessons') else 'is'} malformed")


def _exactly(kind: type[Value], value: object, key: str) -> Value:
    """A value of this type and no subtype: ``true`` is no whole number."""
    if type(value) is not kind:
        raise _malformed(key)
    return value


def _all(kind: type[Value], about: Mapping[str, str], key: str, missing: str = "null") -> tuple[Value, ...]:
    """A list of values of one type."""
    return tuple(_exactly(kind, item, key) for item in _list(about, key, missing))


def _list(about: Mapping[str, str], key: str, missing: str = "[]") -> list[object]:
    held = _parsed(about, key, missing)
    if not isinstance(held, list):
        raise _malformed(key)
    return held


def _number(item: object, key: str, below: float = 1e30) -> float:
    if not isinstance(item, (int, float)) or isinstance(item, bool) or not abs(item) < below:
        raise _malformed(key)
    return item


def _number_or_none(about: Mapping[str, str], key: str) -> float | None:
    """A finite number or null; older files have no such entry."""
    held = _parsed(about, key)
    return None if held is None else float(_number(held, key, math.inf))


def _numbers(about: Mapping[str, str], key: str) -> tuple[float | None, ...]:
    """A number or null for each direction; older files have no such list."""
    return tuple(None if item is None else _number(item, key) for item in _list(about, key))


def _pairs(about: Mapping[str, str], key: str) -> tuple[tuple[float, float] | None, ...]:
    """A pair of numbers or null for each direction; older files have no such list."""
    return tuple(None if item is None else _pair(item, key) for item in _list(about, key))


def _pair(item: object, key: str) -> tuple[float, float]:
    if not isinstance(item, list) or len(item) != 2:
        raise _malformed(key)
    return _number(item[0], key), _number(item[1], key)
