"""Read directions from the files of other tools into one form; no code of a file is run.

Known are NumPy's arrays (InterFaceGAN's boundaries and others), ``factor.pt`` of rosinality's and dvschultz's ports,
``.npz`` with ``eigvecs`` (gan-aca), GANSpace's components and edit records, and the safetensors of ComfyUI-StyleGan.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..reading.array_file import ArrayFile, ArrayFileError, check_size, numbers
from ..reading.json_file import parsed
from ..reading.network_record import NetworkFileError
from ..reading.pickle_values import ValueProblem
from ..reading.tensors_file import InertParts
from ..system import regular_files as regular_file
from ..system.messages import shown

_MOST = 10_000  # tensors of one file


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
            ``auto`` takes layers where ``num_ws`` is known and there are as many rows, else directions.
        vectors: whether directions are ``rows`` or ``columns``; ``auto`` is what the format has: columns for
            ``eigvec`` and ``eigvecs``, rows for all others, and what fits ``dims`` where only one does.
        dims: sizes of the spaces that the directions may lie in; () where no network is known.
        num_ws: of the network, 0 where it is not known.
    """

    rows: str = "auto"
    vectors: str = "auto"
    dims: tuple[int, ...] = ()
    num_ws: int = 0


def read_foreign(path: str | os.PathLike[str], reading: Reading | None = None) -> Found:
    """Read the directions of another tool's file; its format is recognised by its content, not its name.

    Raises:
        FormatError: the file cannot be used.
    """
    path = os.fspath(path)
    try:
        with regular_file.reading(path, FormatError):
            with regular_file.open_regular(path) as stream:
                head = stream.read(16)
            return _checked(_reader(path, head)(path, reading or Reading()))
    except (_Problem, ArrayFileError, ValueProblem) as error:
        raise FormatError(f"{path}: {error}") from None
    except NetworkFileError as error:
        raise FormatError(str(error)) from None


def _reader(path: str, head: bytes) -> Callable[[str, Reading], Found]:
    if head[:6] == b"\x93NUMPY":
        return _npy
    if head[:4] == b"PK\x03\x04":
        try:
            ArrayFile(path)
        except ArrayFileError:
            return _inert  # torch's archives
        return _npz
    return _safetensors if head[8:9] == b"{" else _inert


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
        as_many = num_ws > 1 and len(array) == num_ws and not columns
        if reading.rows == "layers" or (reading.rows == "auto" and as_many):
            if reading.rows == "auto":
                notes.append(
                    f"its {num_ws} rows are taken as one edit with a row for each layer; "
                    f"--rows directions takes them as {num_ws} directions"
                )
            array = array[None]
    elif reading.rows == "directions" and len(array) == 1:
        array = array[0]
    if reading.dims and array.shape[-1] not in reading.dims:
        sizes = " or ".join(map(str, dict.fromkeys(reading.dims)))
        raise _Problem(f"holds directions of {array.shape[-1]} components, the network's latents have {sizes}")
    if num_ws and array.ndim == 3 and array.shape[1] != num_ws:
        raise _Problem(f"holds edits with {array.shape[1]} rows, the network has {num_ws} layers")
    return array, tuple(notes)


def _turned(shape: tuple[int, ...], reading: Reading, columns: bool) -> bool:
    """Whether the directions are the columns."""
    if reading.vectors != "auto":
        return reading.vectors == "columns"
    fits = [length in reading.dims for length in shape]  # (as columns, as rows)
    if fits[0] != fits[1]:
        return fits[0]
    return columns


# --- NumPy ----------------------------------------------------------------------------------------


def _npy(path: str, reading: Reading) -> Found:
    return _single(path, ArrayFile(path).read(""), reading)


def _single(path: str, array: np.ndarray, reading: Reading) -> Found:
    """The directions of a file that holds one array."""
    vectors, notes = _arranged(array, reading)
    stem = Path(path).stem
    if stem.endswith("_boundary"):  # InterFaceGAN's names: those of W end in _w_boundary
        space = "w" if "_w_" in stem else "z"
        if space == "z":
            notes += ("InterFaceGAN's boundaries of W are called ..._w_boundary: this one is of Z",)
        return Found("InterFaceGAN boundary", vectors, space=space, notes=notes)
    return Found("array", vectors, notes=notes)


def _npz(path: str, reading: Reading) -> Found:
    file = ArrayFile(path)
    if "lat_comp" in file:
        return _ganspace(file.read, reading)
    for name, values, columns in _PAIRS:
        if name in file:
            vectors, notes = _arranged(file.read(name), replace(reading, rows="directions"), columns)
            eigenvalues = file.read(values).ravel() if values in file else None
            return Found(f".npz with {name}", vectors, eigenvalues, notes=notes)
    if len(file.names) == 1 and file.names[0] != "w":
        return _single(path, file.read(file.names[0]), reading)
    held = ", ".join(shown(name, 30) for name in file.names[:6])
    what = "projected latents (for --projected-w)" if "w" in file else "no directions that are known"
    raise _Problem(f"holds {what}: {held}")


# name of the directions, of their eigenvalues, and whether they are columns
_PAIRS = (("eigvecs", "eigvals", True), ("boundaries", "values", False), ("directions", "eigenvalues", False))


# --- GANSpace -------------------------------------------------------------------------------------


def _ganspace(read: Callable[[str], np.ndarray], reading: Reading) -> Found:
    """Components: ``lat_comp [k, 1, dim]`` and ``lat_stdev [k]``, which is 1 throughout where they are of Z."""
    vectors, notes = _arranged(read("lat_comp"), replace(reading, rows="directions"))
    try:
        sigmas = np.atleast_1d(read("lat_stdev").squeeze())
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


# --- pickles and torch.save -----------------------------------------------------------------------


def _inert(path: str, reading: Reading) -> Found:
    file = InertParts(path)
    held: Mapping[object, object] | None = file.pairs
    if held is None:
        if file.shape(file.value) is None:
            raise _Problem("holds no directions that are known: neither a tensor nor a dict of some")
        return _single(path, file.array(file.value, "the tensor"), reading)
    if "eigvec" in held:
        array = file.array(held["eigvec"], "eigvec")
        vectors, notes = _arranged(array, replace(reading, rows="directions"), columns=True)
        return Found("factor.pt of rosinality's or dvschultz's port", vectors, space="w", notes=notes)
    if "lat_comp" in held:
        return _ganspace_edit(file, held, reading)
    if "comp" in held and "std" in held:  # GANSpace's components as PTI and e4e keep them
        return _ganspace(lambda name: file.array(held[_TORCH_NAMES[name]], name), reading)
    return _named(file, held, reading)


_TORCH_NAMES = {"lat_comp": "comp", "lat_stdev": "std"}


def _named(file: InertParts, held: Mapping[object, object], reading: Reading) -> Found:
    """A dict of directions by name, each ``[dim]`` or ``[1, dim]``, or ``[num_ws, dim]``."""
    items = {key: item for key, item in held.items() if isinstance(key, str)}
    few = 0 < len(held) <= _MOST and len(items) == len(held)
    shapes = [file.shape(item) for item in items.values()] if few else []
    known = [shape for shape in shapes if shape is not None]
    if not few or len(known) < len(shapes):
        keys = ", ".join(shown(str(key), 30) for key in list(held)[:4])
        raise _Problem(f"holds no directions that are known: a dict of {keys or 'nothing'}")
    _check_alike(known)
    return _stacked({key: file.array(item, shown(key, 30)) for key, item in items.items()}, "dict of tensors", reading)


def _check_alike(shapes: Sequence[Sequence[int]]) -> None:
    """Refuse tensors before they are read if their shapes differ, as those of network weights do."""
    plain = {tuple(shape[1:] if len(shape) == 2 and shape[0] == 1 else shape) for shape in shapes}
    if len(plain) != 1 or len(next(iter(plain))) not in (1, 2):
        listed = ", ".join(sorted({str(list(shape)) for shape in plain})[:4])
        raise _Problem(f"holds tensors of shapes {listed:.80}, where directions of one shape were expected")
    check_size(shapes, "the file")


def _stacked(tensors: Mapping[str, np.ndarray], kind: str, reading: Reading) -> Found:
    arrays = [array[0] if array.ndim == 2 and len(array) == 1 else array for array in tensors.values()]
    # Edits with a row for each layer give [k, rows, dim], plain directions [k, dim].
    vectors, notes = _arranged(np.stack(arrays), replace(reading, rows="directions", vectors="rows"))
    return Found(kind, vectors, names=tuple(tensors), notes=notes)


# --- safetensors ----------------------------------------------------------------------------------


def _safetensors(path: str, reading: Reading) -> Found:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            if about.get("format") == "sefa_directions":
                raise _Problem("is a directions file already; give it to --directions-file as it is")
            order = _order(about, list(file.keys()))
            _check_alike([file.get_slice(name).get_shape() for name in order])
            tensors = {name: numbers(file.get_tensor(name), shown(name, 40)) for name in order}
    except SafetensorError as error:
        raise _Problem(f"is no whole safetensors file ({shown(' '.join(str(error).split()), 80)})") from None
    except (TypeError, AttributeError) as error:
        raise _Problem(f"holds numbers of an unknown type ({shown(str(error))})") from None
    found = _stacked(tensors, "ComfyUI-StyleGan directions" if "component_order" in about else "safetensors", reading)
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
