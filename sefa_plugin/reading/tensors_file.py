"""Arrays in a file of any container (``.npy .npz .pt .pkl .json .safetensors``), read one by one.

The same dicts, lists and arrays are the same parts in each of them. No code of the file is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..system.messages import shown
from ..system.regular_files import open_regular
from .array_file import ArrayFile, ArrayFileError, check_size, numbers
from .containers import hint, read_inert
from .json_file import parsed, read_bounded
from .network_file import MAX_SHARING
from .object_arrays import Objects, load_objects, parsed_objects
from .pickle_forms import Array as PickledArray
from .pickle_machine import InertPickleError
from .pickle_values import ValueProblem, Values
from .tensor_view import TensorView
from .torch_file import TorchFileError

if TYPE_CHECKING:
    from .tensor_view import Array

MAX_JSON = 1 << 28  # bytes
_DEEPEST = 8  # lists and dicts in each other


class _Stored(NamedTuple):
    """An array of numbers of an ``.npy`` or ``.npz``."""

    file: ArrayFile
    name: str


class _Saved(NamedTuple):
    """A tensor of a safetensors file."""

    path: str
    name: str


class _Pickled(NamedTuple):
    """A part of a pickle; ``values`` converts what is in it."""

    item: object
    values: Values


class InertParts:
    """The contents of a file.

    Attributes:
        value: the whole file: a dict (from str), a list, an array that is not read yet, or something else.
        pairs: its entries by key, if it is a dict; else None.
        about: metadata of a safetensors file.
        container: ``npy``, ``npz``, ``json``, ``safetensors`` or ``pickle`` (also of ``torch.save``).

    Args:
        path: the file.
        wanted: what it should be, for messages.

    Raises:
        NetworkFileError: it cannot be read; one line that begins with its path.
        ArrayFileError: it is a broken file of arrays.
    """

    def __init__(self, path: str | os.PathLike[str], wanted: str = "latents file") -> None:
        self.about: Mapping[str, str] = {}
        self._most = MAX_SHARING * os.path.getsize(path)
        self._read: list[tuple[int, ...]] = []
        self._bytes = 0
        self.container, self.value = self._opened(os.fspath(path), wanted)
        self.pairs = self.dict_of(self.value)

    def _opened(self, path: str, wanted: str) -> tuple[str, object]:
        with open_regular(path) as stream:
            head = stream.read(256)
        suffix = Path(path).suffix.lower()
        if head[:6] == b"\x93NUMPY":
            return "npy", _of_array_file(ArrayFile(path), "")
        if head[:4] == b"PK\x03\x04" and b"/data.pkl" not in head:  # which is what torch.save begins with
            file = ArrayFile(path)
            return "npz", {name: _of_array_file(file, name) for name in file.names}
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
            return "safetensors", self._of_safetensors(path)
        if suffix == ".json" and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            try:
                return "json", parsed(read_bounded(Path(path), MAX_JSON))
            except ValueError as error:
                raise ArrayFileError(f"is no JSON that can be read: {error}") from None
        value, values = read_inert(path, wanted, load_objects)
        return "pickle", _Pickled(value, values)

    def _of_safetensors(self, path: str) -> dict[str, object]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                self.about = file.metadata() or {}
                return {name: _Saved(path, name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        except SafetensorError as error:
            raise ArrayFileError(f"is no whole safetensors file ({shown(' '.join(str(error).split()), 80)})") from None

    # --- containers -------------------------------------------------------------------------------

    def dict_of(self, item: object) -> dict[object, object] | None:
        """The entries of a dict, in any pickled form; None for anything else."""
        item = _element(item)
        if isinstance(item, _Pickled):
            held = item.item
            return {key: _Pickled(part, item.values) for key, part in held.items()} if isinstance(held, dict) else None
        return item if isinstance(item, dict) else None

    def list_of(self, item: object) -> list[object] | None:
        """The parts of a list or tuple that is no array itself; None for anything else."""
        item = _element(item)
        if self.shape(item) is not None:
            return None
        if isinstance(item, _Pickled):
            held = item.item
            return [_Pickled(part, item.values) for part in held] if isinstance(held, (list, tuple)) else None
        return list(item) if isinstance(item, (list, tuple)) else None

    # --- arrays -----------------------------------------------------------------------------------

    def shape(self, item: object) -> tuple[int, ...] | None:
        """The shape of an array, of a tensor, or of lists of numbers, without reading them; None for anything else."""
        item = _element(item)
        if isinstance(item, _Stored):
            return item.file.shape(item.name)
        if isinstance(item, _Saved):
            return _slice(item)[0]
        if isinstance(item, _Pickled) and isinstance(item.item, dict):
            return None
        try:
            plain = self._plain(item)
        except ValueProblem:
            return None
        if isinstance(plain, TensorView):
            return plain.shape
        return _shape_of_lists(plain) if isinstance(plain, (list, tuple)) else None

    def part(self, item: object, what: str, kinds: str = "fiu") -> Any:
        """A plain value of any type; an array as float64 (a float if it has no axes).

        Raises:
            ArrayFileError: it is too large, or does not hold numbers of these kinds.
            ValueProblem: it needs an unknown global, or is invalid.
        """
        item = _element(item)
        if isinstance(item, _Stored):
            self._count(item.file.shape(item.name), 0, what)
            return item.file.read(item.name, kinds)
        if isinstance(item, _Saved):
            shape, read = _slice(item)
            self._count(shape, 0, what)
            return numbers(read(), what, kinds)
        plain = self._plain(item)
        if isinstance(plain, (list, tuple)) and _shape_of_lists(plain) is not None:
            self._count(_shape_of_lists(plain) or (), 0, what)
            return numbers(np.array(plain, dtype=np.float64), what)
        if not isinstance(plain, TensorView):
            return plain
        self._count(plain.shape, plain.nbytes, what)
        array = numbers(plain.numpy(), what, kinds)
        return array if array.ndim else float(array)

    def array(self, item: object, what: str, kinds: str = "fiu") -> Array:
        """Like :meth:`part`, for a value that must be an array.

        Raises:
            ArrayFileError, ValueProblem: as :meth:`part`, or it is none.
        """
        value = self.part(item, what, kinds)
        if isinstance(value, list):  # of lists, in lists: JSON has no other arrays
            try:
                value = np.array(value, dtype=np.float64)
            except (ValueError, TypeError):
                raise ArrayFileError(f"{what} is a list of something else than numbers, or of uneven rows") from None
            self._count(value.shape, 0, what)
            value = numbers(value, what)
        if not isinstance(value, np.ndarray):
            raise ArrayFileError(f"{what} is a {type(value).__name__}, not an array")
        return value

    def _plain(self, item: object) -> object:
        return item.values.plain(item.item) if isinstance(item, _Pickled) else item

    def _count(self, shape: tuple[int, ...], size: int, what: str) -> None:
        """Refuse arrays that are together too large; those of a pickle may share bytes."""
        self._read.append(shape)
        check_size(self._read, what)
        self._bytes += size
        if self._bytes > self._most:
            raise ArrayFileError(f"{what}: its arrays are together over {MAX_SHARING} times the size of the file")


def _of_array_file(file: ArrayFile, name: str) -> object:
    """An array of numbers, or the value of one of objects."""
    if not file.holds_objects(name):
        return _Stored(file, name)
    data, start = file.pickled(name)
    try:
        loaded, values, _ = parsed_objects(data, start)
    except (InertPickleError, TorchFileError) as error:
        raise ArrayFileError(hint(error).replace("the file ", "its pickle ")) from None
    return _Pickled(loaded.value, values)


def _element(item: object) -> object:
    """What an array of objects holds, as lists; anything else as it is."""
    for _ in range(_DEEPEST):
        held = item.item.view if isinstance(item, _Pickled) and isinstance(item.item, PickledArray) else None
        if not isinstance(held, Objects):
            break
        item = _Pickled(held.nested(), item.values)
    return item


def _slice(item: _Saved) -> tuple[tuple[int, ...], Any]:
    from safetensors import safe_open

    def read() -> Any:
        try:
            with safe_open(item.path, framework="np") as file:
                return file.get_tensor(item.name)
        except (TypeError, AttributeError) as error:
            raise ArrayFileError(f"holds numbers of an unknown type ({shown(str(error))})") from None

    with safe_open(item.path, framework="np") as file:
        return tuple(file.get_slice(item.name).get_shape()), read


def _shape_of_lists(items: list[object] | tuple[object, ...]) -> tuple[int, ...] | None:
    """The shape of a list of numbers, or of a list of such lists of one length."""
    if items and all(type(item) in (int, float) for item in items):
        return (len(items),)
    lengths = {len(item) for item in items if isinstance(item, (list, tuple))}
    if len(lengths) != 1 or lengths == {0}:
        return None
    alike = all(isinstance(row, (list, tuple)) and all(type(item) in (int, float) for item in row) for row in items)
    return (len(items), *lengths) if alike else None


# --- what a file holds ----------------------------------------------------------------------------

NETWORK = {"g_ema", "G_ema", "G", "D", "netG", "params_ema", "generator", "generator_ema", "state_dict", "GAN"}
DIRECTIONS = {"eigvec", "eigvecs", "lat_comp", "comp", "boundaries", "directions", "direction", "boundary"}
OF_W = {
    *("w", "ws", "wp", "w_plus", "wplus", "w+", "latent", "latents", "dlatent", "dlatents", "latent_code"),
    *("latent_codes", "latent_w", "w_latent", "w_latents", "projected_w", "projected", "codes", "result_latents"),
}
OTHERS = {  # names of what is neither directions nor ws
    **dict.fromkeys(("z", "zs", "latent_z", "z_latent", "z_latents"), "codes of Z"),
    **dict.fromkeys(("c", "label", "labels", "y"), "labels"),
    **dict.fromkeys(("noise", "noises"), "noise"),
    **dict.fromkeys(("img", "image", "images"), "pictures"),
    **dict.fromkeys(("s", "style", "styles", "style_space", "stylespace"), "codes of the style space"),
}


def is_of_a_network(pairs: Mapping[object, object]) -> bool:
    """Whether the names in a dict are those of a network or its weights."""
    return not NETWORK.isdisjoint(pairs) or sum(str(key).endswith((".weight", ".bias")) for key in pairs) > 1


def are_pictures(pairs: Mapping[object, object]) -> bool:
    """Whether the names in a dict are those of files of pictures."""
    return bool(pairs) and all(Path(str(key)).suffix.lower() in (".png", ".jpg", ".jpeg", ".webp") for key in pairs)


def held_by(path: str | os.PathLike[str]) -> str:
    """What a file holds by the names in it: ``network``, ``directions``, ``latents``, or '' where they do not tell.

    Raises:
        NetworkFileError, ArrayFileError: it cannot be read.
    """
    file = InertParts(path)
    pairs = file.pairs
    if pairs is None:
        return ""
    names = {str(key) for key in pairs}
    if is_of_a_network(pairs):
        return "network"
    if names & DIRECTIONS:
        return "directions"
    if {name.lower() for name in names} & OF_W:
        return "latents"
    inner = [file.dict_of(item) for item in list(pairs.values())[:4]]
    if any(held and "latent" in held for held in inner):
        return "latents"  # of rosinality's projector
    return "latents" if are_pictures(pairs) else ""
