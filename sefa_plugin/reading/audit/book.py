"""Records of what unpickling a file would do: names, calls, source texts, oddities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...system.messages import shown
from ..module_walk import source_digest
from ..pickle_machine import Budget, Global, InertPickleError
from .names import kind_of

if TYPE_CHECKING:
    FollowArchive = Callable[[memoryview, "Book", str, int], None]

MAX_NAMES = 10_000
MAX_REMARKS = 20
MAX_SOURCES = 10_000
_MAX_SHOWN_CLASSES = 100


@dataclass
class Name:
    """A name that the file imports.

    Attributes:
        path: ``module.name``, printable.
        kind, why: as ``names.kind_of`` gives them.
        where: the first place.
        calls: number of arguments -> number of such calls.
    """

    path: str
    kind: str
    why: str
    where: str
    calls: Counter[int] = field(default_factory=Counter)


@dataclass
class Source:
    """A source text that the file holds and its toolkit would run.

    Attributes:
        digest: ``module_walk.source_digest``; '' if the text has no code.
        size: in bytes of UTF-8.
        known: origin of the text, '' if unknown.
        where: the first place; ``objects``: number of objects with it; ``classes``: the first of their names.
    """

    digest: str
    size: int
    known: str
    where: str
    objects: int = 0
    classes: list[str] = field(default_factory=list)


class Book:
    """Findings in one file, over all of its pickles.

    Args:
        origin: maps the digest of a source text to its origin, '' if unknown.
        follow_archive: ``archives.follow_archive``, for archives inside of pickles.

    Attributes:
        names: imported names, in the order of the file; ``sources``: source texts.
        reasons: why it does more than a network file, one line each; ``notes``: harmless remarks.
        pickles: number of pickles followed; ``blobs``: number of files of ``torch.save`` inside.
        references: number of persistent ids; ``own_references``: those of the file itself, not of pickles inside of it.
        broken: where and why the file breaks off, or ''.
    """

    def __init__(self, origin: Callable[[str], str], follow_archive: FollowArchive) -> None:
        self._origin, self.follow_archive = origin, follow_archive
        self.names: dict[tuple[str, str], Name] = {}
        self.sources: dict[str, Source] = {}
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self.pickles = self.blobs = self.references = self.own_references = 0
        self.broken = ""
        self.budget = Budget()
        self.left_out = 0
        self._texts: dict[int, tuple[str, str]] = {}
        self._kept: list[str] = []  # texts in _texts, stored so that their ids stay valid
        self.seen: dict[int, object] = {}  # parts already followed, by id

    def empty(self) -> Book:
        """An empty book for a part of the same file, with the same budget; see :meth:`take`."""
        part = Book(self._origin, self.follow_archive)
        part.budget = self.budget
        return part

    def reason(self, text: str) -> None:
        """Record why the file does more than a network file."""
        if len(self.reasons) < MAX_REMARKS:
            self.reasons.append(text)
        else:
            self.left_out += 1

    def take(self, other: Book) -> None:
        """Add the entries of another book."""
        for key, name in other.names.items():
            held = self.names.setdefault(key, name)
            if held is not name:
                held.calls.update(name.calls)
        for digest, source in other.sources.items():
            held_source = self.sources.setdefault(digest, source)
            if held_source is not source:
                held_source.objects += source.objects
        for text in other.reasons:
            self.reason(text)
        self.left_out += other.left_out
        self.notes += other.notes
        self.pickles += other.pickles
        self.blobs += other.blobs
        self.references += other.references
        self.broken = self.broken or other.broken

    def named(self, module: str, name: str, where: str) -> None:
        """Record an imported name."""
        if (module, name) not in self.names:
            if len(self.names) >= MAX_NAMES:
                raise InertPickleError(f"imports more than {MAX_NAMES} names")
            self.names[module, name] = Name(Global(module, name).path, *kind_of(module, name), where)

    def source(self, text: object, class_name: object, where: str) -> None:
        """Record a source text that would be run."""
        if not isinstance(text, str):
            return self.reason(f"an object whose source is no text, at {where}")
        digest, known = self._texts.get(id(text)) or self._look_up(text)
        held = self.sources.get(digest)
        if held is None:
            if len(self.sources) >= MAX_SOURCES:
                raise InertPickleError(f"has more than {MAX_SOURCES} source texts")
            held = self.sources[digest] = Source(digest, len(text.encode("utf-8", "surrogatepass")), known, where)
        held.objects += 1
        label = shown(class_name, 60) if isinstance(class_name, str) else "?"
        if label not in held.classes and len(held.classes) < _MAX_SHOWN_CLASSES:
            held.classes.append(label)

    def _look_up(self, text: str) -> tuple[str, str]:
        digest = source_digest(text)
        found = digest, self._origin(digest) if digest else "no code"
        self._texts[id(text)] = found
        self._kept.append(text)
        return found
