"""The directions file: safetensors with two tensors, and everything else as metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import msgspec
import numpy as np
from msgspec import Meta, Struct, field

from ..reading.json_file import fitting, parsed
from ..reading.safetensors_header import settle
from ..system.messages import shown
from ..system.regular_files import open_regular, reading
from ..system.whole_files import whole_file
from .clean import Score
from .names import Past
from .ties import remarks

if TYPE_CHECKING:
    from .directions import Directions

FORMAT = "1"
MAX_ROWS = 10_000  # of ws
# Attributes that are written as text, as JSON, of sharp directions only, and where they are not empty.
_WORDS = ("label", "space", "torgb", "network", "digest", "calibration", "origin")
_ALWAYS = (
    *("layers", "layer_names", "names", "named_by", "purity", "normalize", "num_ws", "sigmas", "ranges", "broken"),
    "next_eigenvalue",
)
_OF_SHARP = ("strengths", "shares", "caveats", "sharpen", "found_with")
_OF_LOCAL = ("inside", "region")
_IF_ANY = ("scores", "starred", "notes", "history")
_Row = Annotated[int, Meta(ge=0, le=MAX_ROWS)]
_Number = Annotated[float, Meta(gt=-1e30, lt=1e30)]
_Numbers = tuple[Optional[_Number], ...]
_Pairs = tuple[Optional[tuple[_Number, _Number]], ...]


class _Entries(Struct, frozen=True):
    """The metadata that are JSON; lists have an entry for each direction. Older files may lack those with a default."""

    num_ws: _Row
    layers: tuple[_Row, ...]
    layer_names: tuple[str, ...]
    names: tuple[str, ...]
    normalize: bool
    named_by: tuple[str, ...] = ()
    purity: _Numbers = ()
    sigmas: _Numbers = ()
    ranges: _Pairs = ()
    broken: tuple[str, ...] = ()
    priors: _Pairs = field(name="lessons", default=())  # as the file's format names them
    next_eigenvalue: Optional[float] = None
    strengths: _Numbers = ()
    shares: tuple[tuple[_Number, ...], ...] = ()
    caveats: tuple[str, ...] = ()
    sharpen: str = "none"
    found_with: str = ""
    inside: _Numbers = ()
    scores: tuple[Optional[Score], ...] = ()
    region: str = ""
    starred: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()
    history: Annotated[tuple[tuple[Past, ...], ...], Meta(max_length=1000)] = ()


class DirectionsFileError(Exception):
    """A directions file that is broken, is something else, or does not fit a network."""


def write_directions(path: str | os.PathLike[str], directions: Directions) -> None:
    """Write ``Directions``; see ``Directions.save``."""
    from safetensors.numpy import save

    about = {
        "format": "sefa_directions",
        "version": FORMAT,
        "lessons": json.dumps(directions.priors),
        "remarks": json.dumps(remarks(directions)),  # for display; ignored when the file is read
        **{key: getattr(directions, key) for key in _WORDS},
    }
    written = [*_ALWAYS, *(_OF_SHARP if directions.sharpen != "none" else ())]
    written += _OF_LOCAL if directions.region else ()
    written += [key for key in _IF_ANY if any(getattr(directions, key))]
    about |= {key: json.dumps(getattr(directions, key)) for key in written}
    tensors = {"directions": directions.vectors, "eigenvalues": directions.eigenvalues}
    with whole_file(path) as part:
        part.write_bytes(save(tensors, about))  # save_file makes a file that only its owner can read
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
        names = ", ".join(file.name for file in held)
        ways = f"{names}: give one of these files" if held else "none"
        raise DirectionsFileError(f"{path}: one directions file is needed, this folder holds {ways}")
    return held[0]


def is_directions_file(path: str | os.PathLike[str]) -> bool:
    """Whether the metadata of a file name the format of :func:`write_directions`; False for any other file."""
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
        DirectionsFileError: the file cannot be used; the message is one line.
    """
    try:
        with reading(path, DirectionsFileError):
            tensors, about = _read(os.fspath(path))
        return _from_parts(cls, tensors, about)
    except ValueError as error:
        raise DirectionsFileError(f"{path}: is not a valid directions file: {error}") from None


def _read(path: str) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
    from safetensors import SafetensorError, safe_open

    with open_regular(path):
        pass  # safetensors' message for a missing file lacks its path
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
    read = {key: parsed(about[key].encode(), Any) for key in _Entries.__struct_encode_fields__ if key in about}
    facts = {**msgspec.structs.asdict(fitting(read, _Entries)), **{key: about.get(key, "") for key in _WORDS}}
    held = cls.of(tensors["directions"], tensors["eigenvalues"], **facts)
    squares = np.square(held.vectors.astype(np.float64)).sum(axis=-1)
    if not np.allclose(np.sqrt(squares.mean(axis=1) if held.per_row else squares), 1, atol=1e-3):
        raise ValueError("its directions are not of unit length")
    return held
