"""Networks as safetensors, written by ``sefa convert``.

The file is an ordinary safetensors file. Its metadata holds, as JSON under ``sefa_network``, the class
name and the constructor's arguments.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from ..system.messages import shown
from .json_file import parsed
from .module_walk import ModuleRecord
from .tensor_view import TensorError, TensorView, contiguous_strides

if TYPE_CHECKING:
    from .network_record import Tensors
    from .tensor_view import Bytes

FORMAT = 1
KEY = "sefa_network"
_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
MAX_HEADER = 100_000_000  # the limit of the format itself
_Name = Annotated[str, Meta(max_length=200)]
_Digest = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]


class ConvertedFileError(Exception):
    """A safetensors file that is broken, or that ``sefa convert`` did not write."""


@dataclass(frozen=True)
class Converted:
    """Contents of a converted network: ``modules`` and ``tensors`` by dotted name, the rest as JSON values."""

    class_name: str
    which: str
    init_args: list[object]
    init_kwargs: dict[str, object]
    none_buffers: list[str]
    source_digests: list[str]
    modules: Mapping[str, ModuleRecord]
    tensors: Tensors
    family: str = "module"
    layout: str = ""
    parent: str = ""


def looks_converted(data: Bytes) -> bool:
    """Tell whether the bytes begin like a safetensors file (header length, then JSON)."""
    if len(data) < 10:
        return False
    length = int.from_bytes(bytes(data[:8]), "little")
    return 2 <= length <= min(MAX_HEADER, len(data) - 8) and bytes(data[8:9]) == b"{"


def is_converted(data: Bytes) -> bool:
    """Whether a safetensors file says that ``sefa convert`` wrote it, or has no header that could be read."""
    try:
        header = json.loads(bytes(data[8 : 8 + int.from_bytes(bytes(data[:8]), "little")]))
        return KEY in header.get("__metadata__", {})
    except (ValueError, RecursionError, AttributeError, TypeError):
        return True


def plain_tensors(path: str | os.PathLike[str], data: Bytes) -> dict[str, TensorView]:
    """The tensors of a safetensors file of any tool, as views of its bytes.

    Raises:
        ConvertedFileError: the file is broken, or holds a type that is not known here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:  # checks the header
            names = list(file.keys())
    except SafetensorError as error:
        raise ConvertedFileError(f"is a broken safetensors file ({shown(str(error))})") from None
    start = 8 + int.from_bytes(bytes(data[:8]), "little")
    header = json.loads(bytes(data[8:start]))
    body, found = memoryview(data), {}
    for name in names:
        about = header[name]
        begin, end = about["data_offsets"]
        kind, shape = _TYPES.get(about["dtype"], about["dtype"]), tuple(about["shape"])
        try:
            found[name] = TensorView(kind, shape, contiguous_strides(shape), 0, body[start + begin : start + end])
        except TensorError as error:
            raise ConvertedFileError(f"has a tensor that cannot be read, {shown(name, 80)}: {error}") from None
    return found


def write(path: str | os.PathLike[str], network: Converted) -> None:
    """Write ``network`` to ``path``, whole or not at all.

    Raises:
        ConvertedFileError: its arguments hold NaN or infinity.
        OSError: the file cannot be written.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    from ..system.whole_files import whole_file
    from .safetensors_header import settle

    try:
        about = json.dumps(_about(network), allow_nan=False)
    except ValueError:
        raise ConvertedFileError("the network's arguments hold NaN or infinity, which JSON has no words for") from None
    tensors = {name: np.ascontiguousarray(value).reshape(np.shape(value)) for name, value in network.tensors.items()}
    with whole_file(path) as part:
        try:
            save_file(tensors, os.fspath(part), {KEY: about, "format": "sefa"})
        except SafetensorError as error:  # of the operating system: a full disk
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
        settle(part)


def _about(network: Converted) -> dict[str, object]:
    about = {name: getattr(network, name) for name in Converted.__dataclass_fields__ if name != "tensors"}
    if not network.parent:  # older versions refuse the key
        del about["parent"]
    modules = {
        name: [module.class_name, module.attributes, module.source_digest] for name, module in network.modules.items()
    }
    return {"version": FORMAT, **about, "modules": modules}


def read(path: str | os.PathLike[str]) -> Converted:
    """Read a converted network.

    Raises:
        ConvertedFileError: the file is broken, or is some other safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise ConvertedFileError("is a safetensors file, but not a network written by `sefa convert`")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, TypeError, AttributeError) as error:
        raise ConvertedFileError(f"is a broken safetensors file ({shown(str(error))})") from None
    return _contents(metadata[KEY], tensors)


class _About(Struct, forbid_unknown_fields=True):
    """The result of :func:`_about`; the oldest files have no family and no layout."""

    version: Literal[1]
    class_name: _Name
    which: _Name
    init_args: list[Any]
    init_kwargs: dict[str, Any]
    none_buffers: list[str]
    source_digests: list[str]
    modules: dict[str, tuple[str, dict[str, Any], str]]
    family: str = "module"
    layout: str = ""
    parent: _Digest = ""

    def __post_init__(self) -> None:
        if not (self.class_name + self.which).isprintable():
            raise ValueError("class_name or which is not a printable text")


def _contents(text: str, tensors: Tensors) -> Converted:
    try:
        about = structs.asdict(parsed(text.encode(), _About))
    except ValueError as error:
        raise ConvertedFileError(
            f"has network metadata that this version does not write ({error}); run `sefa convert` again"
        ) from None
    del about["version"]
    modules = {name: ModuleRecord(*parts) for name, parts in about.pop("modules").items()}
    return Converted(**about, modules=modules, tensors=tensors)
