"""Read directions from the files of other tools into one form; no code of a file is run.

Known are arrays (InterFaceGAN's boundaries and others), dicts and lists of them, ``factor.pt`` of rosinality's and
dvschultz's ports, ``eigvecs`` (gan-aca), GANSpace's components and edit records, and the safetensors of
ComfyUI-StyleGan; each in any container.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..reading.array_file import ArrayFileError, check_size
from ..reading.json_file import parsed
from ..reading.network_record import NetworkFileError
from ..reading.pickle_values import ValueProblem
from ..reading.tensors_file import OF_W, OTHERS, InertParts, are_pictures, is_of_a_network
from ..system import regular_files as regular_file
from ..system.messages import shown

_MOST = 10_000  # tensors of one file
_LAYERS = (8, 10, 12, 14, 16, 18)  # of the networks that people have


class FormatError(Exception):
    """A file without directions, or one that cannot be read; the message is one line that begins with its path."""


class _Problem(Exception):
    """As :class:`FormatError`, without the path."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds.

    Attributes:
        kind: the format, in words.
        vectors: float64 ``[k, dim]``, or ``[k, rows, dim]`` where each layer has a row of its own; of any length.
        eigenvalues: float64 ``[k]`` as in the file, or None.
        sigmas: float64 ``[k]``, the standard deviation of latents along each, in units of w; or None.
        names: as in the file, or ().
        layers: rows of ws that the tool edits, or None where the file has no such entry.
        space: ``w`` or ``z``, or None.
        notes: for the user, one line each.
    """

    kind: str
    vectors: np.ndarray
    eigenvalues: np.ndarray | None = None
    sigmas: np.ndarray | None = None
    names: tuple[str, ...] = ()
    layers: tuple[int, ...] | None = None
    space: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How the axes of arrays are interpreted where their shape does not show it.

    Attributes:
        rows: what the rows of ``[n, dim]`` are: ``directions``, or ``layers`` (one edit with a row for each layer);
            ``auto`` takes layers where ``num_ws`` is known and there are as many rows, else directions, where the count
            fits nothing else. Equal rows are one direction.
        vectors: whether directions are ``rows`` or ``columns``; ``auto`` is what the format has: columns for
            ``eigvec`` and ``eigvecs``, rows for all others, and what fits ``dims`` where only one does.
        dims: sizes of the spaces that the directions may lie in; () where no network is known.
        num_ws: of the network, 0 where it is not known.
        asks: whether a count of rows that fits something else is refused, with the options that decide.
    """

    rows: str = "auto"
    vectors: str = "auto"
    dims: tuple[int, ...] = ()
    num_ws: int = 0
    asks: bool = True


def read_foreign(path: str | os.PathLike[str], reading: Reading | None = None) -> Found:
    """Read the directions of another tool's file; its format is recognised by its content, not its container.

    Raises:
        FormatError: the file cannot be used.
    """
    path = os.fspath(path)
    try:
        with regular_file.reading(path, FormatError):
            return _checked(_found(InertParts(path, "directions file"), path, reading or Reading()))
    except (_Problem, ArrayFileError, ValueProblem) as error:
        raise FormatError(f"{path}: {error}") from None
    except NetworkFileError as error:
        raise FormatError(str(error)) from None


def _found(file: InertParts, path: str, reading: Reading) -> Found:
    if file.container == "safetensors":
        return _safetensors(file, reading)
    held = file.pairs
    if held is None:
        parts = file.list_of(file.value)
        if parts:
            return _stacked(_arrays(file, {f"part {at}": part for at, part in enumerate(parts)}), "list", reading, ())
        if file.shape(file.value) is None:
            raise _Problem("holds no directions that are known: neither an array, nor a dict or a list of some")
        return _single(file, file.value, Path(path).stem if file.container == "npy" else "", reading)
    if "lat_comp" in held and not _OF_EDITS.isdisjoint(held):
        return _ganspace_edit(file, held, reading)
    if "lat_comp" in held:
        return _ganspace(file, held, "lat_comp", "lat_stdev", reading)
    if "comp" in held and "std" in held:  # GANSpace's components as PTI and e4e keep them
        return _ganspace(file, held, "comp", "std", reading)
    if "eigvec" in held:
        array = file.array(held["eigvec"], "eigvec")
        vectors, notes = _arranged(array, replace(reading, rows="directions"), columns=True)
        return Found("factor.pt of rosinality's or dvschultz's port", vectors, space="w", notes=notes)
    for name, values, columns in _PAIRS:
        if name in held:
            array = file.array(held[name], name)
            vectors, notes = _arranged(array, replace(reading, rows="directions"), columns)
            eigenvalues = file.array(held[values], values).ravel() if values in held else None
            return Found(f".npz with {name}", vectors, eigenvalues, notes=notes)
    return _named(file, held, path, reading)


def _checked(found: Found) -> Found:
    """What was found, if its shapes agree and no direction is all zeros."""
    count = len(found.vectors)
    if found.vectors.ndim not in (2, 3) or 0 in found.vectors.shape:
        raise _Problem(f"holds {list(found.vectors.shape)}, where directions [k, dim] were expected")
    for what, held in (("eigenvalues", found.eigenvalues), ("standard deviations", found.sigmas)):
        if held is not None and held.shape != (count,):
            raise _Problem(f"holds {count} directions and {list(held.shape)} {what}, which do not agree")
    if found.sigmas is not None and not (found.sigmas > 0).all():
        found = replace(found, sigmas=None, notes=(*found.notes, "standard deviations that are not positive are left"))
    zero = np.flatnonzero(~found.vectors.reshape(count, -1).any(axis=1))
    if len(zero):
        raise _Problem(f"direction {zero[0]} is all zeros")
    return found


# --- shapes ---------------------------------------------------------------------------------------


def _arranged(array: np.ndarray, reading: Reading, columns: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """``[k, dim]`` or ``[k, rows, dim]``, and notes on how its axes were interpreted."""
    if array.ndim == 1:
        array = array[None]
    while array.ndim > 3 and 1 in array.shape[:-1]:
        array = array.squeeze(array.shape.index(1))
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (2, 3):
        raise _Problem(f"holds an array {list(array.shape)}; directions are [k, dim], or [k, num_ws, dim]")
    num_ws, notes = reading.num_ws, []
    if array.ndim == 2:
        turned = _turned(array.shape, reading, columns)
        if turned and not columns and reading.vectors == "auto":
            notes.append(f"its columns are the directions: {array.shape[0]} is the size of this network's space")
        array = array.T if turned else array
        if reading.rows == "auto" and not columns and len(array) > 1 and (array == array[0]).all():
            notes.append(f"its {len(array)} rows are equal, and are taken as one direction")
            array = array[:1]
        as_many = num_ws > 1 and len(array) == num_ws and not columns
        if reading.rows == "layers" or (reading.rows == "auto" and as_many):
            if reading.rows == "auto":
                notes.append(
                    f"its {num_ws} rows are taken as one edit with a row for each layer; "
                    f"--rows directions takes them as {num_ws} directions"
                )
            array = array[None]
        elif reading.rows == "auto" and reading.asks:
            _ask_back(array, num_ws)
    elif reading.rows == "directions" and len(array) == 1:
        array = array[0]
    if reading.dims and array.shape[-1] not in reading.dims:
        sizes = " or ".join(map(str, dict.fromkeys(reading.dims)))
        raise _Problem(f"holds directions of {array.shape[-1]} components, the network's latents have {sizes}")
    if num_ws and array.ndim == 3 and array.shape[1] != num_ws:
        if (array == array[:, :1]).all():
            return array[:, 0], (*notes, f"its {array.shape[1]} rows are equal, and are taken as one")
        raise _Problem(f"holds edits with {array.shape[1]} rows, the network has {num_ws} layers")
    return array, tuple(notes)


def _ask_back(array: np.ndarray, num_ws: int) -> None:
    """Refuse rows that could be directions, latents, or an edit of another network.

    Rows of one length are directions: nobody scales the rows of an edit so.
    """
    count, dim = array.shape
    if count > dim:
        raise _Problem(
            f"holds {count} rows of {dim} numbers, more than there are dimensions: latents are taken by --projected-w; "
            "if its columns are directions, add --vectors columns; if its rows are, add --rows directions"
        )
    lengths = np.linalg.norm(array, axis=1)
    if num_ws and count in _LAYERS and not np.allclose(lengths, lengths[0], rtol=1e-3):
        raise _Problem(
            f"holds {count} rows: as one edit with a row for each layer it is of a network with {count} layers, and "
            f"this one has {num_ws}; if they are {count} directions, add --rows directions"
        )


def _turned(shape: tuple[int, ...], reading: Reading, columns: bool) -> bool:
    """Whether the directions are the columns."""
    if reading.vectors != "auto":
        return reading.vectors == "columns"
    fits = [length in reading.dims for length in shape]  # (as columns, as rows)
    if fits[0] != fits[1]:
        return fits[0]
    return columns


# --- arrays ---------------------------------------------------------------------------------------

# InterFaceGAN's files; a _w_ says that they are of W, the others are of Z.
_RELEASED = re.compile(
    r"(pggan_celebahq|stylegan_celebahq|stylegan_ffhq)_(age|eyeglasses|gender|pose|quality|smile)"
    r"(_w|(_c(_age|_eyeglasses|_gender)+))?_boundary"
)


def _single(file: InertParts, item: object, name: str, reading: Reading, called: str = "") -> Found:
    """The directions of a file with one array; ``name`` is that of its file or of the array."""
    vectors, notes = _arranged(file.array(item, shown(name, 40) or "the array"), reading)
    names = (called,) if called and len(vectors) == 1 else ()
    released = _RELEASED.fullmatch(name)
    if released:
        space = "w" if released[3] == "_w" else "z"
        notes += (f"InterFaceGAN's file of this name is of {space.upper()}",)
        return Found("InterFaceGAN boundary", vectors, space=space, notes=notes)
    return Found("array", vectors, names=names, notes=notes)


# name of the directions, of their eigenvalues, and whether they are columns
_PAIRS = (("eigvecs", "eigvals", True), ("boundaries", "values", False), ("directions", "eigenvalues", False))
_GENERAL = {"arr_0", "data", "direction", "boundary", "vector", "vectors", "components"}  # say nothing of the direction


# --- GANSpace -------------------------------------------------------------------------------------


def _ganspace(file: InertParts, held: Mapping[object, object], comp: str, stdev: str, reading: Reading) -> Found:
    """Components ``[k, 1, dim]`` and their ``[k]`` standard deviations, which are 1 throughout where they are of Z."""
    vectors, notes = _arranged(file.array(held[comp], comp), replace(reading, rows="directions"))
    try:
        sigmas = np.atleast_1d(file.array(held[stdev], stdev).squeeze())
    except (ArrayFileError, KeyError):
        sigmas = None
    of_z = sigmas is not None and (sigmas == 1).all()
    if of_z:
        notes += ("its standard deviations are 1: components of Z (of W they are measured)",)
    return Found("GANSpace components", vectors, sigmas=sigmas, space="z" if of_z else "w", notes=notes)


def _ganspace_edit(file: InertParts, held: Mapping[object, object], reading: Reading) -> Found:
    """A named edit of GANSpace's interface: one component, and the layers ``edit_start`` to ``edit_end - 1``."""
    vectors, notes = _arranged(file.array(held["lat_comp"], "lat_comp"), replace(reading, rows="directions"))
    parts = {key: file.part(held[key], key) for key in _EDIT_KEYS if key in held}
    number = {key: _number(parts, key) for key in _NUMBERS}
    words = {key: _text(parts, key) for key in _TEXTS}
    layers, start, end = None, number["edit_start"], number["edit_end"]
    if start is not None and end is not None:
        if not 0 <= start < end <= 1000 or start != int(start) or end != int(end):
            raise _Problem(f"edits layers {start} to {end}, which is no range")
        layers = tuple(range(int(start), int(end)))
    sigma = number["lat_stdev"]
    if sigma and number["sigma_range"]:
        far = sigma * number["sigma_range"]
        notes += (f"it was saved at {number['sigma_range']:g} sigmas, which is a distance of {far:.3g}",)
    if words["edit_type"] not in (None, "latent"):
        notes += (f"it edits {shown(words['edit_type'], 20)}s; its latent part is taken",)
    return Found(
        "GANSpace edit",
        vectors,
        sigmas=None if sigma is None else np.full(len(vectors), float(sigma)),
        names=(words["name"] or "",) if len(vectors) == 1 else (),
        layers=layers,
        space={"W": "w", "Z": "z"}.get(words["latent_space"] or ""),
        notes=notes,
    )


_NUMBERS = ("edit_start", "edit_end", "lat_stdev", "sigma_range", "component_index")
_TEXTS = ("name", "edit_type", "latent_space")
_OF_EDITS = {"edit_start", "edit_end", "edit_type", "latent_space", "sigma_range"}
_EDIT_KEYS = ("name", "latent_space", "edit_type", *_NUMBERS)  # in the order in which they are read


def _number(parts: Mapping[str, object], key: str) -> float | None:
    value = parts.get(key)
    if value is not None and not (isinstance(value, (int, float)) and abs(value) < 1e9):
        raise _Problem(f"has {key} = {shown(str(value), 30)}, no number")
    return value


def _text(parts: Mapping[str, object], key: str) -> str | None:
    value = parts.get(key)
    if not isinstance(value, (str, type(None))):
        raise _Problem(f"has a {type(value).__name__} as {key}, where text was expected")
    return value


# --- dicts and lists ------------------------------------------------------------------------------


def _named(file: InertParts, held: Mapping[object, object], path: str, reading: Reading) -> Found:
    """A dict of directions by name, each ``[dim]`` or ``[1, dim]``, or ``[num_ws, dim]``."""
    items = {key: item for key, item in held.items() if isinstance(key, str)}
    latents = next((key for key in items if key.lower() in OF_W or are_pictures(held)), None)
    if latents is not None:
        raise _Problem(f"holds projected latents ({shown(latents, 30)}), not directions; --projected-w takes them")
    other = next((key for key in items if key.lower() in OTHERS), None)
    if other is not None:
        raise _Problem(f"holds {shown(other, 30)}, {OTHERS[other.lower()]}, not directions")
    if is_of_a_network(held):
        keys = ", ".join(shown(str(key), 30) for key in list(held)[:4])
        raise _Problem(
            f"holds no directions that are known: a dict of {keys}, which is a network; "
            f"`sefa factorize --network {shlex.quote(path)}` finds its directions"
        )
    if not 0 < len(held) <= _MOST or len(items) < len(held):
        keys = ", ".join(shown(str(key), 30) for key in list(held)[:4])
        raise _Problem(f"holds no directions that are known: a dict of {keys or 'nothing'}")
    if len(items) == 1 and file.container == "npz":
        ((key, item),) = items.items()
        if file.shape(item) is not None:
            return _single(file, item, key, reading, "" if key in _GENERAL else key)
    if len(items) == 1 and not _GENERAL.isdisjoint(items):
        ((key, item),) = items.items()
        return _single(file, item, key, reading)
    notes: list[str] = []
    return replace(_stacked(_arrays(file, items, notes), "dict of tensors", reading, tuple(items)), notes=tuple(notes))


def _arrays(file: InertParts, items: Mapping[str, object], notes: list[str] | None = None) -> list[np.ndarray]:
    """The arrays of a dict or list, of one shape; of a list of iterations the last one."""
    taken, shapes = {}, []
    for key, item in items.items():
        parts = file.list_of(item)
        if parts and notes is not None:
            notes += [f"{shown(key, 30)}: the last of its {len(parts)} iterations is taken"] if len(parts) > 1 else []
            item = parts[-1]
        shape = file.shape(item)
        if shape is None:
            keys = ", ".join(shown(str(key), 30) for key in list(items)[:4])
            raise _Problem(f"holds no directions that are known: a dict of {keys}, where {shown(key, 30)} is no array")
        taken[key] = item
        shapes.append(shape)
    _check_alike(shapes)
    return [file.array(item, shown(key, 30)) for key, item in taken.items()]


def _check_alike(shapes: Sequence[Sequence[int]]) -> None:
    """Refuse arrays before they are read if their shapes differ, as those of network weights do."""
    plain = {_plain_shape(shape) for shape in shapes}
    if len(plain) != 1 or len(next(iter(plain))) not in (1, 2):
        listed = ", ".join(sorted({str(list(shape)) for shape in plain})[:4])
        raise _Problem(f"holds tensors of shapes {listed:.80}, where directions of one shape were expected")
    check_size(shapes, "the file")


def _plain_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without axes of length 1 in front."""
    start = next((at for at, length in enumerate(shape[:-1]) if length != 1), max(len(shape) - 1, 0))
    return tuple(shape[start:])


def _stacked(arrays: Sequence[np.ndarray], kind: str, reading: Reading, names: tuple[str, ...]) -> Found:
    # Edits with a row for each layer give [k, rows, dim], plain directions [k, dim].
    plain = np.stack([array.reshape(_plain_shape(array.shape)) for array in arrays])
    vectors, notes = _arranged(plain, replace(reading, rows="directions", vectors="rows"))
    return Found(kind, vectors, names=names, notes=notes)


# --- safetensors ----------------------------------------------------------------------------------


def _safetensors(file: InertParts, reading: Reading) -> Found:
    about, held = file.about, file.pairs or {}
    if about.get("format") == "sefa_directions":
        raise _Problem("is a directions file already; give it to --directions-file as it is")
    order = _order(about, [str(key) for key in held])
    arrays = _arrays(file, {name: held[name] for name in order})
    found = _stacked(
        arrays, "ComfyUI-StyleGan directions" if "component_order" in about else "safetensors", reading, tuple(order)
    )
    if about.get("method") == "ganspace":  # the length of each vector is one standard deviation
        lengths = np.linalg.norm(found.vectors.reshape(len(found.vectors), -1), axis=1)
        found = replace(found, sigmas=lengths)
    generic = all(name.startswith("component_") for name in found.names)
    return replace(found, space="w" if "component_order" in about else None, names=() if generic else found.names)


def _order(about: Mapping[str, str], keys: list[str]) -> list[str]:
    """Names in the order of ``component_order``; sorted where it is missing, as the tool does."""
    if "component_order" not in about:
        order = sorted(keys)
        if not 0 < len(order) <= _MOST:
            raise _Problem(f"holds {len(order)} tensors, where some directions were expected")
        return order
    try:
        names: list[str] = parsed(about["component_order"].encode(), list[str])
    except ValueError:
        raise _Problem("has a component_order that is no list of names") from None
    missing = set(names) - set(keys)
    if missing or not names or len(set(names)) != len(names):
        raise _Problem("has a component_order that does not fit its tensors")
    return names
