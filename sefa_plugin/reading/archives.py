"""Networks inside of zip, tar and gzip archives: ``models.zip``, or ``models.zip#folder/net.pkl`` for one of several.

The network that is used is unpacked into the folder of downloads, once, within bounds; nothing else of the archive is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import IO, TYPE_CHECKING, NamedTuple, Union

from ..system.messages import shown
from ..system.regular_files import mapped, open_regular, reading
from ..system.whole_files import whole_folder
from .download import CHUNK, NETWORKS, cache_folder
from .network_record import NetworkFileError
from .zip_file import ZipArchiveError, open_zip

if TYPE_CHECKING:
    from .tensor_view import Bytes

SUFFIXES = (*NETWORKS, ".zip", ".tar", ".tar.gz", ".tgz", *(f"{suffix}.gz" for suffix in NETWORKS))
BESIDE = ("config.json", ".config.json")  # come along with a network: its sizes, which weights may not show
MOST_BESIDE = 1 << 20  # bytes of one
MAX_UNFOLDING = 20  # highest ratio of what is unpacked to the archive; weights are packed to half at most
FEW_BYTES = 16 << 20  # small archives may unfold to this
MAX_MEMBERS = 20_000  # of a tar archive, folders and links included
LISTED = 8  # members that a message names
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
    ValueError,
    NotImplementedError,
)


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: its path there.
        size: in bytes, unpacked.
    """

    name: str
    size: int


def unpacked(path: str, asked: str = "", typed: str = "", note: Callable[[str], None] = lambda text: None) -> str:
    """The path of the network in an archive, which is unpacked first; that of any other file as it is.

    Args:
        path: a file.
        asked: which network of the archive: its path there, or the end of it; '' for the only one.
        typed: the archive as the user named it, for messages; '' for ``path``.
        note: called with a line on what is unpacked.

    Raises:
        NetworkFileError: it holds no network or several, is broken, or unfolds to more than is unpacked; one line.
    """
    typed = typed or path
    with reading(path, NetworkFileError), open_regular(path) as file:
        head = file.read(tarfile.BLOCKSIZE)
        at = os.fstat(file.fileno())
    kind = _kind(path, head)
    if kind is None:
        if asked:
            raise NetworkFileError(f"{typed}: is no archive; type it without #{shown(asked, 60)}")
        return path
    with _one_line(typed):
        archive = kind(path, max(FEW_BYTES, MAX_UNFOLDING * at.st_size))
        members = archive.members()
        found = _chosen(typed, members, asked)
        key = f"{os.path.abspath(path)}\n{at.st_size} {at.st_mtime_ns}\n{found.name}"
        folder = cache_folder() / hashlib.md5(key.encode("utf-8", "surrogateescape")).hexdigest()
        target = folder / re.sub(r"[^0-9A-Za-z._-]", "_", found.name.rpartition("/")[2])[-80:]
        if not target.is_file():
            note(
                f"{typed}: unpacking {shown(found.name, 80)}" + (f", {found.size / 1e6:,.1f} MB" if found.size else "")
            )
            with whole_folder(folder) as part:
                _unpack(archive, found, part / target.name, typed)
                for member in members:
                    if member.name in beside(found.name) and member.size <= MOST_BESIDE:
                        _unpack(archive, member, part / member.name.rpartition("/")[2], typed)
    return str(target)


def beside(name: str) -> tuple[str, ...]:
    """Files that come along with one of this name."""
    folder = name[: name.rfind("/") + 1]
    return tuple(folder + other for other in BESIDE)


def _unpack(archive: _Archive, member: Member, target: Path, typed: str) -> None:
    """Write a member of an archive to a file.

    Raises:
        NetworkFileError: there is no room, or it unfolds too far.
    """
    if member.size > archive.limit:
        raise _too_much(typed, member.name)
    if member.size > (free := shutil.disk_usage(target.parent).free):
        raise NetworkFileError(
            f"{typed}: {member.size:,} bytes, and {cache_folder()} has room for {free:,}; DNNLIB_CACHE_DIR moves it"
        )
    try:
        with open(target, "wb") as output, archive.opened(member.name) as source:
            for chunk in iter(lambda: source.read(CHUNK), b""):
                output.write(chunk)
    except _Unbounded:
        raise _too_much(typed, member.name) from None


def _chosen(typed: str, members: list[Member], member: str) -> Member:
    """The member that is asked for, or the only one that is a network.

    Raises:
        NetworkFileError: there is none, or several.
    """
    files = [m for m in members if not re.search(r"(^|/)(__MACOSX/|\._|\.DS_Store)", m.name)]
    networks = [m for m in files if m.name.lower().endswith(NETWORKS)]
    found = networks or (files if len(files) == 1 else [])
    if member:
        found = [m for m in files if m.name == member] or [m for m in files if f"/{m.name}".endswith(f"/{member}")]
    if len(found) == 1:
        return found[0]
    what = f"no {shown(member, 80)}" if member and not found else "several networks" if found else "no network"
    listed = found or networks
    names = ", ".join(f"{shown(m.name, 80)} ({m.size / 1e6:.1f} MB)" for m in listed[:LISTED])
    more = f" and {len(listed) - LISTED} more" if listed[LISTED:] else ""
    choice = f": {names}{more}; choose with {quote(f'{typed}#{shown(listed[0].name)}')}" if listed else ""
    raise NetworkFileError(f"{typed}: is an archive with {what}{choice}")


def _too_much(typed: str, name: str) -> NetworkFileError:
    what = f"unfolds to over {MAX_UNFOLDING} times the size of the archive, which no network does"
    return NetworkFileError(f"{typed}: {shown(name, 80)} {what}")


@contextmanager
def _one_line(typed: str) -> Iterator[None]:
    """Raise errors of an archive, and of the folder that it is unpacked into, as a ``NetworkFileError``."""
    try:
        yield
    except _Unbounded:
        raise NetworkFileError(
            f"{typed}: unfolds to over {MAX_UNFOLDING} times its size, which no network does"
        ) from None
    except ZipArchiveError as error:
        raise NetworkFileError(f"{typed}: the file {error}; unpack it by other means first") from None
    except _BROKEN as error:
        raise NetworkFileError(
            f"{typed}: is a broken archive ({shown(' '.join(str(error).split()), 100)}); download or copy it again"
        ) from None
    except OSError as error:
        where, reason = error.filename or cache_folder(), error.strerror or error
        raise NetworkFileError(
            f"{typed}: cannot be unpacked into {where} ({reason}); DNNLIB_CACHE_DIR names another place"
        ) from None


# --- kinds of archives ----------------------------------------------------------------------------


class _Unbounded(Exception):
    """More was read than an archive may unfold to."""


class _Limited(io.RawIOBase):
    """A stream of which at most ``limit`` bytes are read.

    Raises:
        _Unbounded: there are more.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int | None = -1) -> bytes:
        chunk = self._stream.read(CHUNK if size is None or size < 0 else min(size, CHUNK))
        self._left -= len(chunk)
        if self._left < 0:
            raise _Unbounded
        return chunk


class _Zip:
    """A zip archive."""

    def __init__(self, path: str, limit: int) -> None:
        self.limit = limit
        self._archive = open_zip(mapped(path, NetworkFileError), commented=True)

    def members(self) -> list[Member]:
        """Its files."""
        return [Member(m.filename, m.file_size) for m in self._archive.infolist() if not m.is_dir()]

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """A file of it, unpacked while it is read."""
        if self._archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ZipArchiveError("is a zip archive that packs in a way that is not read here")
        with self._archive.open(name) as stream:
            yield _Limited(stream, self.limit)  # type: ignore[misc]


class _Tar:
    """A tar archive, maybe packed with gzip; read from its start, since its index is all over it."""

    def __init__(self, path: str, limit: int) -> None:
        self.limit, self._path = limit, path

    @contextmanager
    def _stream(self) -> Iterator[tarfile.TarFile]:
        with open(self._path, "rb") as file, _unzipped(file) as stream:
            with tarfile.open(fileobj=_Limited(stream, self.limit), mode="r|") as archive:
                yield archive

    def members(self) -> list[Member]:
        """Its files."""
        found = []
        with self._stream() as archive:
            for number, member in enumerate(archive):
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps them all
                if member.isreg():
                    found.append(Member(member.name, member.size))
                if number >= MAX_MEMBERS:
                    raise NetworkFileError(f"{self._path}: is an archive of more than {MAX_MEMBERS:,} files; unpack it")
        return found

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """A file of it."""
        with self._stream() as archive:
            for member in archive:
                if member.name == name and member.isreg():
                    stream = archive.extractfile(member)
                    assert stream is not None  # a regular file
                    yield stream
                    return


class _Gzip:
    """One file, packed with gzip."""

    def __init__(self, path: str, limit: int) -> None:
        self.limit, self._path = limit, path

    def members(self) -> list[Member]:
        """Its file, called as the archive is without its suffix; its size is not known before its end."""
        return [Member(re.sub(r"(?i)\.gz$", "", os.path.basename(self._path)), 0)]

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """The file, unpacked while it is read."""
        with open(self._path, "rb") as file, gzip.GzipFile(fileobj=file) as stream:
            yield _Limited(stream, self.limit)  # type: ignore[misc, arg-type]


@contextmanager
def _unzipped(file: IO[bytes]) -> Iterator[IO[bytes]]:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as stream:
        yield stream  # type: ignore[misc]


_Archive = Union[_Zip, _Tar, _Gzip]


def _kind(path: str, head: bytes) -> Callable[[str, int], _Archive] | None:
    """The kind of an archive of networks by its first bytes; None for other files.

    What is called as a network or as arrays is none: of these, other programs read some archives in ways of their own.
    """
    if path.lower().endswith((*NETWORKS, ".npz")):
        return None
    if head.startswith(b"PK\x03\x04"):
        return _Zip if _holds_files(mapped(path, NetworkFileError)) else None
    if head.startswith(b"\x1f\x8b"):
        try:
            with open(path, "rb") as file, gzip.GzipFile(fileobj=file) as stream:
                head = stream.read(tarfile.BLOCKSIZE)
        except (*_BROKEN, OSError):
            return _Gzip
        return _Tar if _is_tar(head) else _Gzip
    return _Tar if _is_tar(head) else None


def _holds_files(data: Bytes) -> bool:
    """Whether a zip archive is one of files: not of ``torch.save``, nor of NumPy."""
    try:
        with open_zip(data, commented=True) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    except ZipArchiveError:  # its reader says what is wrong
        return False
    of_torch = any(name.count("/") == 1 and name.endswith("/data.pkl") for name in names)
    return not of_torch and not all(name.endswith(".npy") for name in names)


def _is_tar(head: bytes) -> bool:
    """Whether a file is a tar archive: its first name is no pickle, nor a part of torch's oldest files."""
    try:
        first = tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE].ljust(tarfile.BLOCKSIZE, b"\0"), "utf-8", "strict")
    except (tarfile.TarError, UnicodeDecodeError):
        return False
    return first.name.isprintable() and first.name not in ("sys_info", "pickle", "tensors", "storages")
