"""Commands as text: words as typed, without secrets and folders of this computer, quoted for the shell at hand."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from .. import __version__
from ..reading.download import is_url, without_secrets
from ..system.messages import without_unprintable

LONGEST = 29_000  # letters of a command, about what Windows starts; longer ones are not stored


# --- paths ----------------------------------------------------------------------------------------


def portable(path: str | os.PathLike[str]) -> str:
    """A path or an address for a command: as typed, an absolute path relative to the current folder.

    ``~/...`` where that would lead through the name of the home folder. Of an address, its shown form.
    """
    text = os.fspath(path)
    if is_url(text):
        return without_secrets(text)
    if not os.path.isabs(text):
        return text
    home, here = os.path.expanduser("~"), os.getcwd()
    if _inside(text, home) and not _inside(here, home):
        return os.path.join("~", os.path.relpath(text, home))
    return _relative(text, here)


def from_outputs(path: str, outdir: Path) -> str:
    """A path or an address for a record: as typed, an absolute path relative to the folder of the outputs."""
    return _relative(path, os.path.abspath(outdir)) if os.path.isabs(path) else without_secrets(path)


def _inside(path: str, folder: str) -> bool:
    return Path(folder) in [Path(path), *Path(path).parents]


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # another drive of Windows
        return path


def portable_words(words: Sequence[str]) -> list[str]:
    """The words of a command; paths and addresses in them are portable, also in ``--option=PATH`` and ``onnx:PATH``."""
    return [_portable_word(word) for word in words]


def _portable_word(word: str) -> str:
    start = re.match(r"(--[\w-]+=)?(onnx:)?", word)
    assert start is not None  # both parts are optional
    return start[0] + portable(word[start.end() :])


# --- words ----------------------------------------------------------------------------------------


def with_options(
    command: Sequence[str], values: Mapping[str, Sequence[str]], without: Collection[str] = ()
) -> list[str]:
    """A command with other values of some options; an option without values is left out.

    Args:
        command: words.
        values: of options that take one, each as often as it has values.
        without: flags that are left out.

    Returns:
        The words; none where there is no command.
    """
    if not command:
        return []
    kept = [
        word for option, held in _options(command) if option not in values and option not in without for word in held
    ]
    for option, some in values.items():
        for value in some:
            kept += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return kept


def values_of(command: Sequence[str], option: str) -> list[str]:
    """The values of an option of ``TAKING``, in their order."""
    return [held[-1].removeprefix(f"{option}=") for name, held in _options(command) if name == option]


def program_of(command: Sequence[str]) -> list[str]:
    """The program, with its subcommand: what stands before the first option."""
    first = 3 if list(command[1:2]) == ["-m"] else 0
    ends = (place for place, word in enumerate(command) if place >= first and word.startswith("-"))
    return list(command[: next(ends, len(command))])


def _options(command: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with all its words; other words alone."""
    start = len(program_of(command))
    yield "", list(command[:start])
    words = iter(command[start:])
    for word in words:
        name, equals, _ = word.partition("=")
        if re.match(r"-K\d", word):
            yield "-K", [word]
        elif not equals and name in TAKING:
            yield name, [word, next(words, "")]
        else:
            yield name, [word]


# Options whose values are read, or replaced in stored commands.
TAKING = (
    *("-K", "--num-directions", "--order", "--layers", "--directions", "--distance", "--outdir"),
    *("--edit", "--across", "--down", "--class"),
)
NOT_AGAIN = ("--overwrite", "--debug", "--quiet", "--single-file")  # flags that a stored command lacks


# --- text -----------------------------------------------------------------------------------------


def line(words: Sequence[str]) -> str:
    """A command as one line for the shell of this system; '' where it is too long or not printable."""
    text = " ".join(map(_for_windows if os.name == "nt" else shlex.quote, words))
    return text if text.isprintable() and len(text) <= LONGEST else ""


def _for_windows(word: str) -> str:
    """A word that cmd and PowerShell pass on unchanged (a comma makes two words in PowerShell)."""
    if re.fullmatch(r"[\w./\\:=+-]+", word):
        return word
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)  # backslashes count double before a quote
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", escaped) + '"'


def place_of(outdir: str) -> str:
    """The folder in which a command was typed, in words, where ``outdir`` is the folder of its outputs from there."""
    if outdir in ("", "."):
        return "the folder of these outputs"
    if os.path.isabs(outdir) or outdir.startswith(("..", "~")):
        return f"the folder from which {outdir} leads to these outputs"
    return f"the folder that holds {outdir}"


def comment(command: str, outdir: str) -> str:
    """A command for the metadata of a file: the command, and on a line of its own where it runs."""
    if not command:
        return ""
    return f"{command}\n# run in {place_of(without_unprintable(outdir))}; sefa_plugin {__version__}"
