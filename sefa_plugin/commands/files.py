"""Files and folders that options name, checked before any work: that they are there, and of a kind that is taken.

A kind is recognised by the first bytes or the suffix; what is not recognised is left to the readers.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..system.regular_files import open_regular, reading

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    ParamType = click.ParamType[object]
else:
    ParamType = click.ParamType

# Kind -> what it is, and what takes it.
KINDS = {
    "picture": ("a picture", ""),
    "video": ("a video", ""),
    "text": ("a text file", ""),
    "json": ("a JSON file", ""),
    "model": ("an ONNX model", "--scorer onnx:FILE takes it"),
    "folder": ("a folder", "name a file in it"),
    "network": ("a network", "--network takes it"),
    "pickle": ("a pickle, as networks are", "--network takes networks"),
    "directions": ("a directions file", "--directions-file takes it"),
    "recipe": ("a recipe", "`sefa render --recipe` takes it"),
    "arrays": ("a NumPy file", "--projected-w takes latents, `sefa import` directions"),
    "torch": ("a file of torch.save", "--network takes networks, `sefa import` directions"),
}
# What an option takes -> its name in messages, and the kinds. Readers name some others better than KINDS does.
ROLES = {
    "network": ("a network (.pkl, .pt, .pth, .safetensors)", {"network", "pickle", "torch", "folder"}),
    "directions": ("a directions file", {"directions"}),
    "named": ("a directions file, or a folder of them", {"directions", "folder"}),
    "latents": ("projected ws (.npz, .npy, .pt)", {"arrays", "torch", "pickle", "json"}),
    "recipe": ("a recipe.json", {"recipe", "folder", "text", "json"}),
    "foreign": (
        "directions of another tool (.npy, .npz, .pt, .safetensors)",
        {"arrays", "torch", "pickle", "text", "json"},
    ),
    "boundary": ("a boundary of InterFaceGAN (.npy)", {"arrays"}),
    "side": ("a directions file or a network", {"directions", "network", "pickle", "arrays", "torch", "folder"}),
    "picture": ("a picture (.jpg, .png, .webp)", {"picture", "folder"}),
    "text": ("a text file", {"text"}),
    "answers": ("the folder of a study, or answers to one (.jsonl)", {"folder", "text", "json"}),
    "any": ("a file", set(KINDS)),
}
PROJECT = (
    "is a picture; project it first: sefa project {} --network NETWORK --outdir out; then type {} out/projected_w.npz"
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_BY_SUFFIX = {
    "picture": (".bmp", ".heic", ".webp"),
    "text": (".txt", ".md", ".csv", ".py", ".yaml"),
    "model": (".onnx",),
    "video": (".avi", ".mov", ".mkv", ".webm"),
}
_HEADER = 1 << 16  # bytes of a file that are read


class File(ParamType):
    """A path of a file that is read; a shell completes it."""

    name = "file"

    def __init__(self, role: str = "") -> None:
        self.role = role

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete paths."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir" if isinstance(self, Folder) else "file")]


class Output(File):
    """A path of a file that is written."""


class Folder(File):
    """A path of a folder.

    Args:
        there: whether it must exist; else it is written to, and made where it is missing.
    """

    name = "folder"

    def __init__(self, there: bool = False) -> None:
        super().__init__()
        self.there = there


def check(ctx: click.Context) -> None:
    """Check all files and folders of a command, before it does anything.

    Raises:
        click.ClickException: one is missing, cannot be used, or is of a kind that its option does not take.
    """
    from ..reading.download import is_url

    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        for path in value if isinstance(value, tuple) else [value] if value else []:
            called = param.opts[0] if isinstance(param, click.Option) else ""
            if isinstance(param.type, Folder) and is_url(path):
                raise click.ClickException(f"{path}: is an address; a folder is needed here")
            if isinstance(param.type, Folder):
                check_folder(Path(path), param.type.there)
            elif isinstance(param.type, Output):
                check_folder(Path(path).absolute().parent)
            elif isinstance(param.type, File):
                check_file(path, called, param.type.role)


def check_folder(path: Path, there: bool = False) -> None:
    """Check that a folder is ``there``, or else that it can be written or made; makes nothing.

    Raises:
        click.ClickException: it is not there, is a file, or cannot be written.
    """
    if os.path.lexists(path) and not path.is_dir():
        what = "is a file, and no folder" if path.exists() else "is a link that leads nowhere"
        raise click.ClickException(f"{path}: {what}")
    if there:
        if not path.exists():
            raise click.ClickException(f"{path}: no such folder")
        return
    nearest = next((part for part in (path, *path.absolute().parents) if part.exists()), path)
    if not nearest.is_dir():
        raise click.ClickException(f"{path}: cannot be made, {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise click.ClickException(f"{path}: cannot be written to; choose another place")


def output_path(output: str, suffixes: tuple[str, ...], overwrite: bool) -> Path:
    """The path of ``--output``, checked before any work.

    Raises:
        click.UsageError: it is a folder, has another suffix, or exists and is not to be overwritten.
    """
    path = Path(output)
    if path.is_dir():
        raise click.UsageError(f"--output {path}: is a folder; name a file in it")
    if suffixes and path.suffix not in suffixes:
        raise click.UsageError(f"--output {path}: the name must end in {' or '.join(suffixes)}")
    if path.exists() and not overwrite:
        raise click.UsageError(f"{path}: exists; use --overwrite to replace it")
    return path


def check_file(path: str, called: str, role: str) -> None:
    """Check that a file is there, and of a kind that ``called``, an option or '', takes.

    Raises:
        click.ClickException: it is missing, cannot be read, or is of another kind.
    """
    from ..reading.download import bundled, is_url, parted

    if role in ("network", "side", "any"):
        if is_url(path) or bundled(path):
            return
        path = parted(path)[0]
    with reading(path, click.ClickException):
        kind = kind_of(path)
    needed, taken = ROLES[role]
    if not kind or kind in taken:
        return
    start = f"{called} {path}: ".lstrip()
    if kind == "picture" and role == "latents":
        raise click.ClickException(start + PROJECT.format(shlex.quote(path), called))
    what, taker = _held(path) or KINDS[kind] if kind in ("arrays", "torch", "pickle", "json") else KINDS[kind]
    raise click.ClickException(f"{start}is {what}" + (f" ({taker})" if taker else "") + f"; expected {needed}")


# What a file holds, by the names in it -> what it is, and what takes it.
_HELD = {
    "network": ("a network", "--network takes it"),
    "latents": ("a file of latents", "--projected-w takes it"),
    "directions": (
        "a file of directions of another tool",
        "`sefa import {} --network NETWORK` makes a directions file",
    ),
}


def _held(path: str) -> tuple[str, str] | None:
    """What is in a file of arrays, and what takes it; None where that is not known."""
    from ..reading.array_file import ArrayFileError
    from ..reading.network_record import NetworkFileError
    from ..reading.tensors_file import held_by

    try:
        what, taker = _HELD[held_by(path)]
    except (ArrayFileError, NetworkFileError, OSError, KeyError):
        return None
    return what, taker.format(shlex.quote(path))


def refuse_other_content(path: str, called: str) -> None:
    """Refuse a file that could not be opened as a network if it holds latents or directions.

    Raises:
        click.ClickException: it does; one line with the option that takes it.
    """
    held = None if "://" in path or not os.path.isfile(path) else _held(path)
    if held is not None and held[0] != _HELD["network"][0]:
        start = f"{called} {path}: ".lstrip()
        raise click.ClickException(f"{start}is {held[0]} ({held[1]}); expected {ROLES['network'][0]}") from None


def kind_of(path: str | os.PathLike[str]) -> str:
    """One of ``KINDS``, by the first bytes or the suffix of a file; '' for others.

    Raises:
        OSError: the file cannot be read.
    """
    if os.path.isdir(path):
        return "folder"
    with open_regular(path) as file:
        head = file.read(_HEADER)
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    found = _by_bytes(head, suffix)
    return found or next((kind for kind, suffixes in _BY_SUFFIX.items() if suffix in suffixes), "")


def _by_bytes(head: bytes, suffix: str) -> str:
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    if head[4:8] == b"ftyp":
        return "picture" if head[8:11] in (b"hei", b"avi", b"mif") else "video"
    if head[:6] == b"\x93NUMPY":
        return "arrays"
    if head[:4] == b"PK\x03\x04":
        member = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        return "arrays" if member[1:].endswith(b".npy") else "torch" if suffix != ".npz" else ""
    if head[8:9] == b"{":  # safetensors: the length of a header, then JSON
        return "directions" if b'"sefa_directions"' in head else "network" if b'"sefa_network"' in head else ""
    if head[:1] == b"{" and b'"sefa_recipe"' in head:
        return "recipe"
    if head[:1] in (b"{", b"[") and suffix == ".json":
        return "json"
    return "pickle" if head[:1] == b"\x80" and suffix == ".pkl" else ""
