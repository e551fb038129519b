"""Whether a file is exactly what its writer writes: ``sefa info --audit``. No code of the file is run.

The rule is that of the readers (``pickle_machine``, ``pickle_forms``, ``torch_file``), held over the whole file: also
over what no command reads, and over source texts. What breaks it is listed with its place.
"""

from __future__ import annotations

import json
import os
import pickletools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..system.messages import shown
from ..system.regular_files import mapped
from . import tf_networks
from .array_file import ArrayFile, ArrayFileError
from .containers import Parsed, hint, is_tar, parse, without_cycle_collection
from .converted_file import KEY, ConvertedFileError, looks_converted, read
from .module_walk import MAX_SOURCE, source_digest
from .network_file import problems
from .network_record import NetworkFileError
from .pickle_forms import Source, is_known
from .pickle_machine import MAX_FINDINGS, Budget, InertPickleError
from .pickle_values import ValueProblem
from .torch_file import TorchFileError

if TYPE_CHECKING:
    from .tensor_view import Bytes

MAX_TEXT = 64 << 20  # bytes of JSON that are parsed
_DEFINED = re.compile(r"^(?:class|def) (\w+)", re.MULTILINE)
_SHOWN = 40  # findings in an account for people
_SHOWN_OWNERS = 4


class AuditError(Exception):
    """The file is missing or cannot be read; one line."""


@dataclass
class SourceText:
    """A source text of the file: its digest ('' without code), origin ('' if unknown), and whose it is."""

    digest: str
    origin: str
    size: int
    where: str
    owners: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Audit:
    """The audit of one file.

    Attributes:
        path, size: of the file (size in bytes).
        format: what the file is, in words.
        writer: who writes such files.
        sources: the source texts that it holds, which its toolkit would run.
        findings: what is not as the writer writes it, with places; () if all is.
    """

    path: str
    size: int
    format: str
    writer: str
    sources: tuple[SourceText, ...]
    findings: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One line."""
        if not self.findings:
            return f"exactly the form that {self.writer} writes"
        more = len(self.findings) - 1
        return f"not what {self.writer} writes: {self.findings[0]}" + (f"; and {more} more" if more else "")


def audit(path: str | os.PathLike[str], origin: Callable[[str], str]) -> Audit:
    """Audit a file of any format, intact or broken.

    Args:
        path: the file.
        origin: maps the digest of a source text to its origin, '' if unknown (``hooks.known_sources.origin``).

    Raises:
        AuditError: it cannot be read at all.
    """
    shown_path = os.fspath(path)
    data = mapped(shown_path, AuditError)
    if is_tar(head := bytes(data[:512])):
        found = ("it is a tar archive, too, which torch.load unpickles",)
        return Audit(shown_path, len(data), "a tar archive", "a toolkit", (), found)
    if head[:6] == b"\x93NUMPY" or head[:4] == b"PK\x03\x04" and _is_npz(shown_path):
        return Audit(shown_path, len(data), "NumPy's arrays", "NumPy", (), tuple(_array_findings(shown_path)))
    if looks_converted(data):
        return Audit(shown_path, len(data), "safetensors", "safetensors", (), tuple(_safetensors(shown_path, data)))
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return Audit(shown_path, len(data), "JSON", "JSON", (), tuple(_json(bytes(data[: MAX_TEXT + 1]))))
    findings: list[str] = []
    file = None
    with without_cycle_collection():
        try:
            file = parse(shown_path, data, Budget(findings))
        except NetworkFileError as error:
            findings.append(str(error).removeprefix(f"{shown_path}: "))
        except (InertPickleError, TorchFileError, ValueProblem) as error:
            findings.append(hint(error))
        sources = _sources(file.loaded.sources if file else (), origin, findings)
        if file:
            findings += [*_of_parts(file, sources), *problems(shown_path, file)]
    kind = _format(file, head)
    lines = dict.fromkeys(shown(text, 300) for text in findings)  # each once
    return Audit(shown_path, len(data), kind, _writer(file, sources), tuple(sources), tuple(lines))


def _sources(found: Iterable[Source], origin: Callable[[str], str], findings: list[str]) -> list[SourceText]:
    """Each source text once; adds to ``findings`` what is said to be of a text and is not defined there."""
    held: dict[int, SourceText] = {}  # by ``id`` of texts that the file's value keeps
    defined: dict[int, set[str]] = {}
    by_digest: dict[str, SourceText] = {}
    for text, owner, where in found:
        if id(text) not in held:
            digest = source_digest(text) if len(text) <= MAX_SOURCE else "too long"
            size = len(text.encode("utf-8", "surrogatepass"))
            made = SourceText(digest, "" if not digest else origin(digest), size, where)
            held[id(text)] = by_digest.setdefault(digest, made)
            defined[id(text)] = set(_DEFINED.findall(text))
        if held[id(text)].origin and owner not in defined[id(text)] and len(findings) < MAX_FINDINGS:
            findings.append(f"{where}: {shown(owner, 60)}, which its source text does not define")
        owners = held[id(text)].owners
        if len(owners) <= _SHOWN_OWNERS and shown(owner, 60) not in owners:
            owners.append(shown(owner, 60))
    return list(by_digest.values())


def _of_parts(file: Parsed, sources: list[SourceText]) -> list[str]:
    """Names, source texts and tensors that are not as their writers write them."""
    found = [f"byte {name.place}: the name {name.path}" for name in file.loaded.globals if not is_known(name)]
    for source in sources:
        if source.digest and not source.origin:
            found.append(
                f"{source.where}: a source text that is not known ({source.digest[:16]}) of {source.owners[0]}"
            )
    for place, tensor in enumerate(file.loaded.tensors):
        try:
            file.values.tensor(tensor)
        except ValueProblem as error:
            found.append(f"tensor {place}: {error}")
    return found


def _format(file: Parsed | None, head: bytes) -> str:
    protocol = f"protocol {head[1]}" if head[:1] == b"\x80" and len(head) > 1 else "protocol 0 or 1"
    if file is None:
        return "a broken file, or one of another kind"
    return f"a pickle ({protocol})" if file.format == "pickle" else "a file of torch.save"


def _writer(file: Parsed | None, sources: list[SourceText]) -> str:
    """Who writes such files."""
    origins = sorted({source.origin for source in sources if source.origin})
    if origins:
        return ", ".join(origins)
    if file is None:
        return "a toolkit"
    if tf_networks.entries(file.loaded.value) is not None:
        return "a TensorFlow toolkit of NVIDIA"
    if sources:
        return "a PyTorch toolkit of NVIDIA"
    return "torch.save" if file.format == "torch" else "Python's pickle for numbers, texts and arrays"


# --- files without code -----------------------------------------------------------------------------


def _is_npz(path: str) -> bool:
    try:
        return bool(ArrayFile(path).names)
    except ArrayFileError:
        return False


def _array_findings(path: str) -> Iterable[str]:
    try:
        file = ArrayFile(path)
        for name in file.others:
            yield f"a member {shown(name, 60)}, which numpy.savez does not write"
        for name in file.names:
            if file.holds_objects(name):
                yield f"{shown(name, 40) or 'the array'} holds objects, which numpy.load(allow_pickle=True) unpickles"
    except ArrayFileError as error:
        yield str(error)


def _safetensors(path: str, data: Bytes) -> Iterable[str]:
    from safetensors import SafetensorError, safe_open

    try:
        for code, _, place in pickletools.genops(bytes(data[:MAX_TEXT])):
            if code.name in ("GLOBAL", "STACK_GLOBAL", "INST"):
                yield f"byte {place}: it is a pickle, too, which names something"
                break
    except Exception:  # whatever the parsers of what is no pickle raise
        pass
    try:
        with safe_open(path, framework="np") as file:
            ours = KEY in (file.metadata() or {})
        if ours:
            read(path)
    except ConvertedFileError as error:
        yield str(error)
    except (SafetensorError, TypeError, AttributeError) as error:
        yield f"a broken header ({shown(str(error), 120)})"


def _json(data: bytes) -> Iterable[str]:
    try:
        if len(data) > MAX_TEXT:
            raise ValueError("larger than is read")
        json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        yield f"broken JSON ({shown(str(error), 120)})"


# --- accounts ---------------------------------------------------------------------------------------


def lines(found: Audit) -> list[str]:
    """Printable lines, the verdict last."""
    account = [f"{shown(found.path, 300)}: {found.format}, {found.size:,} bytes; nothing of it was run"]
    for source in found.sources:
        known = source.origin or ("NOT KNOWN" if source.digest else "no code, comments only")
        owners = ", ".join(source.owners[:_SHOWN_OWNERS]) + (", ..." if len(source.owners) > _SHOWN_OWNERS else "")
        account.append(f"  source text {source.digest[:16] or '-' * 16}, {source.size:,} bytes, {known}: of {owners}")
    account += [f"  {text}" for text in found.findings[:_SHOWN]]
    if len(found.findings) > _SHOWN:
        account.append(f"  and {len(found.findings) - _SHOWN} more")
    return [*account, f"Verdict: {shown(found.verdict, 500)}"]


def as_json(found: Audit) -> dict[str, object]:
    """The audit as plain values."""
    return {
        "path": found.path,
        "size": found.size,
        "format": found.format,
        "writer": found.writer,
        "sources": [vars(source) for source in found.sources],
        "findings": list(found.findings),
        "verdict": found.verdict,
        "exact": not found.findings,
    }
