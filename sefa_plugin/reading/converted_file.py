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
from typing import Any

from ..system.messages import shown
from .json_file import parsed

FORMAT = 1
KEY = "sefa_network"
MAX_HEADER = 100_000_000  # the limit of the format itself


class ConvertedFileError(Exception):
    """A safetensors file that is broken, or that ``sefa convert`` did not write."""


@dataclass(frozen=True)
class Converted:
    """Contents of a converted network.

    ``modules`` maps dotted names to ``[class name, attributes, source digest]``; ``tensors`` are
    array-likes by dotted name.
    """

    class_name: str
    which: str
    init_args: list
    init_kwargs: dict
    none_buffers: list
    source_digests: list
    modules: dict
    tensors: Mapping[str, Any]
    family: str = "module"
    layout: str = ""


def looks_converted(data: Any) -> bool:
    """Tell whether the bytes begin like a safetensors file (header length, then JSON)."""
    if len(data) < 10:
        return False
    length = int.from_bytes(bytes(data[:8]), "little")
    return 2 <= length <= min(MAX_HEADER, len(data) - 8) and bytes(data[8:9]) == b"{"


def write(path: str | os.PathLike, network: Converted) -> None:
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


def _about(network: Converted) -> dict:
    about = {name: getattr(network, name) for name in Converted.__dataclass_fields__ if name != "tensors"}
    return {"version": FORMAT, **about}


def read(path: str | os.PathLike) -> Converted:
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


def _contents(text: str, tensors: dict[str, Any]) -> Converted:
    try:
        about = parsed(text.encode())
    except RecursionError:
        raise ConvertedFileError("has network metadata that is not JSON: it is nested too deeply") from None
    except ValueError as error:
        raise ConvertedFileError(f"has network metadata that is not JSON of ours ({str(error)[:80]})") from None
    if not isinstance(about, dict) or about.get("version") != FORMAT:
        raise ConvertedFileError("was written by another version of `sefa convert`; convert the network again")
    kinds = {"class_name": str, "which": str, "init_args": list, "init_kwargs": dict}
    kinds.update({"none_buffers": list, "source_digests": list, "modules": dict})
    for name, kind in kinds.items():
        if not isinstance(about.get(name), kind):
            raise ConvertedFileError(f"has no valid {name} in its network metadata")
    for name in ("class_name", "which"):
        if len(about[name]) > 200 or not about[name].isprintable():
            raise ConvertedFileError(f"has no valid {name} in its network metadata")
    for name in ("none_buffers", "source_digests"):
        if not all(isinstance(item, str) for item in about[name]):
            raise ConvertedFileError(f"has no valid {name} in its network metadata")
    for item in about["modules"].values():
        if not isinstance(item, list) or [type(part) for part in item] != [str, dict, str]:
            raise ConvertedFileError("has no valid modules in its network metadata")
    for name, usual in (("family", "module"), ("layout", "")):  # files of the first version have neither
        if not isinstance(about.setdefault(name, usual), str):
            raise ConvertedFileError(f"has no valid {name} in its network metadata")
    return Converted(tensors=tensors, **{name: about[name] for name in (*kinds, "family", "layout")})
