"""From the bytes of a pickle or a file of ``torch.save`` to one inert value; names other common kinds of files."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from ..system.regular_files import mapped
from .network_record import NetworkFileError
from .pickle_forms import Loaded, UnknownGlobal, load
from .pickle_machine import Budget, InertPickleError, OtherForm, TruncatedPickle
from .pickle_values import ValueProblem, Values
from .torch_file import OtherTorchFile, TorchFileError, check_bounds, is_legacy, read_blobs, read_legacy, read_zip

if TYPE_CHECKING:
    from .tensor_view import Bytes


class Parsed(NamedTuple):
    """The contents of one file.

    Attributes:
        loaded: its pickle, with the inert value of the whole file.
        values: turns parts of it into plain values and tensors.
        format: ``pickle`` or ``torch``.
    """

    loaded: Loaded
    values: Values
    format: str


def read_inert(
    path: str | os.PathLike[str], wanted: str = "network", load: Callable[..., Loaded] = load
) -> tuple[object, Values]:
    """Read a ``.pkl`` or ``.pt`` of any content: the inert value, and :class:`Values` to convert its parts.

    Args:
        path: the file.
        wanted: what it should be, for messages.
        load: reads a pickle.

    Raises:
        NetworkFileError: one line with the reason.
    """
    shown_path = os.fspath(path)
    try:
        file = parse(shown_path, mapped(shown_path, NetworkFileError), wanted=wanted, load=load)
    except (InertPickleError, TorchFileError, ValueProblem) as error:
        raise NetworkFileError(f"{shown_path}: {hint(error)}") from None
    except RecursionError:
        raise NetworkFileError(f"{shown_path}: is nested too deeply") from None
    return file.loaded.value, file.values


@contextmanager
def without_cycle_collection() -> Iterator[None]:
    """Switch Python's garbage collector off: it would traverse many small records that are all in use."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def hint(error: Exception) -> str:
    """The rest of an error message about a file: what is wrong, and what to do if that is known."""
    if isinstance(error, TruncatedPickle) or "cut short" in str(error):
        return f"the file {error}; it is truncated: download or copy it again"
    if isinstance(error, UnknownGlobal):
        return f"refused: the file {error}"
    if isinstance(error, OtherForm):
        return f"refused: the file {error}; it is damaged, or no toolkit has written it"
    if isinstance(error, (InertPickleError, TorchFileError)):
        whole = isinstance(error, OtherTorchFile) or "copy it again" in str(error)
        return f"the file {error}" + ("" if whole else " (damaged? download or copy it again)")
    return str(error) if isinstance(error, ValueProblem) else f"the file {error}"


def parse(
    path: str,
    data: Bytes,
    budget: Budget | None = None,
    wanted: str = "network",
    load: Callable[..., Loaded] = load,
) -> Parsed:
    """Read the bytes as a pickle (by ``load``) or as a file of ``torch.save``; ``wanted`` is for messages.

    Raises:
        InertPickleError, TorchFileError: they are broken, or of another kind.
        NetworkFileError: they are a well-known other kind of file; names ``path``.
    """
    _refuse_other_kinds(path, bytes(data[:1024]), wanted)
    budget = budget or Budget()
    zipped = data[:4] == b"PK\x03\x04"
    if zipped or is_legacy(data):
        try:
            loaded = (read_zip if zipped else read_legacy)(data, budget)
        except (TruncatedPickle, OtherForm):
            raise
        except InertPickleError as error:
            raise InertPickleError(f"is a broken file of torch.save: {error}") from None
        return whole(loaded, budget, "torch")
    try:
        loaded = load(data, budget=budget)
    except InertPickleError as error:
        if isinstance(error, UnknownGlobal):
            raise
        # A file that was never a pickle is not a truncated one, nor one of another form.
        if data[0] not in (b"\x80(c]}l" if isinstance(error, TruncatedPickle) else b"\x80"):
            raise NetworkFileError(f"{path}: not a pickle, nor any other {wanted} file known here") from None
        if isinstance(error, (TruncatedPickle, OtherForm)):
            raise
        raise InertPickleError(f"is a broken pickle: {error}") from None
    if loaded.end != len(data):
        raise OtherForm(f"goes on for {len(data) - loaded.end} bytes after its pickle, at byte {loaded.end}")
    return whole(loaded, budget, "pickle")


def whole(loaded: Loaded, budget: Budget, kind: str) -> Parsed:
    """What was loaded, with the storages inside of it."""
    read_blobs(loaded.blobs, budget)
    check_bounds(loaded.tensors)
    return Parsed(loaded, Values(budget), kind)


def is_tar(head: bytes) -> bool:
    """Whether the first bytes of a file (512 or more) are those of a tar archive, whatever else they are."""
    import tarfile

    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _refuse_other_kinds(path: str, head: bytes, wanted: str) -> None:
    """Refuse common files of other kinds, with what to do instead."""
    start = head.lstrip()[:200].lower()
    if head.startswith(b"version https://git-lfs"):
        what = f"is a Git LFS pointer, not the {wanted} itself; fetch it with `git lfs pull`"
    elif start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        what = "is a web page saved under this name; download the file itself (the link wants a click or a login)"
    elif start.startswith((b"{", b"[")) and b'"' in start:
        what = f"is a text file (JSON?), not a {wanted}"
    elif head.startswith(b"\x1f\x8b"):
        what = "is packed with gzip; unpack it first"
    elif head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
        what = f"is a picture, not a {wanted}"
    elif head.startswith(b"\x89HDF"):
        what = f"is an HDF5 (Keras) file, not a {wanted} pickle"
    elif is_tar(head):
        what = "is a tar archive, which torch.load reads as such; unpack it first"
    else:
        return
    raise NetworkFileError(f"{path}: {what}")
