"""Networks as safetensors: what ``sefa convert`` writes, after which no pickle is read any more.

The file is an ordinary safetensors file. Its metadata holds, as JSON under ``sefa_network``, the class
name and the constructor's arguments.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..system.messages import shown
from .json_file import parsed
from .module_walk import ModuleRecord

if TYPE_CHECKING:
    from .network_record import Tensors
    from .tensor_view import Bytes

    T = TypeVar("T")

FORMAT = 1
KEY = "sefa_network"
MAX_HEADER = 100_000_000  # the limit of the format itself


class ConvertedFileError(Exception):
    """A safetensors file that is broken, or that ``sefa convert`` did not write."""


@dataclass(frozen=True)
class Converted:
    """Contents of a converted network: ``modules`` and ``tensors`` by dotted name, all else as JSON keeps it."""

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


def looks_converted(data: Bytes) -> bool:
    """Tell whether the bytes begin like a safetensors file (header length, then JSON)."""
    if len(data) < 10:
        return False
    length = int.from_bytes(bytes(data[:8]), "little")
    return 2 <= length <= min(MAX_HEADER, len(data) - 8) and bytes(data[8:9]) == b"{"


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


def _contents(text: str, tensors: Tensors) -> Converted:
    try:
        about = parsed(text.encode())
    except RecursionError:
        raise ConvertedFileError("has network metadata that is not JSON: it is nested too deeply") from None
    except ValueError as error:
        raise ConvertedFileError(f"has network metadata that is not JSON of ours ({str(error)[:80]})") from None
    if not isinstance(about, dict) or about.get("version") != FORMAT:
        raise ConvertedFileError("was written by another version of `sefa convert`; convert the network again")
    held = {"family": "module", "layout": "", **about}  # files of the first version have neither
    class_name, which = _field(held, "class_name", str), _field(held, "which", str)
    init_args, init_kwargs = _field(held, "init_args", list), _field(held, "init_kwargs", dict)
    none_buffers, source_digests = _field(held, "none_buffers", list), _field(held, "source_digests", list)
    modules = _field(held, "modules", dict)
    for name, text in (("class_name", class_name), ("which", which)):
        if len(text) > 200 or not text.isprintable():
            raise _invalid(name)
    for name, items in (("none_buffers", none_buffers), ("source_digests", source_digests)):
        if not all(isinstance(item, str) for item in items):
            raise _invalid(name)
    for parts in modules.values():
        if not isinstance(parts, list) or [type(part) for part in parts] != [str, dict, str]:
            raise _invalid("modules")
    return Converted(
        class_name=class_name,
        which=which,
        init_args=init_args,
        init_kwargs=init_kwargs,
        none_buffers=none_buffers,
        source_digests=source_digests,
        modules={name: ModuleRecord(*parts) for name, parts in modules.items()},
        tensors=tensors,
        family=_field(held, "family", str),
        layout=_field(held, "layout", str),
    )


def _field(held: Mapping[str, object], name: str, kind: type[T]) -> T:
    value = held.get(name)
    if not isinstance(value, kind):
        raise _invalid(name)
    return value


def _invalid(name: str) -> ConvertedFileError:
    return ConvertedFileError(f"has no valid {name} in its network metadata")
