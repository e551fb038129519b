"""Simulation of Python's unpickler, instruction by instruction, without importing or calling anything.

Where the reader of networks refuses a file and Python's unpickler continues, so does this one, after recording it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..pickle_file import OPCODES
from ..pickle_machine import (
    MAX_LINE,
    Call,
    Global,
    InertPickleError,
    Machine,
    PersistentId,
    TruncatedPickle,
    is_plain_key,
)
from ..torch_file import LEGACY_MAGIC
from .book import Book
from .names import EXPECTED, HARMLESS, is_array, is_tf_network, kind_of, names_a_dict, runs_arguments

MAX_DEPTH = 8
_MORE_PICKLES = 16  # after the first, which most programs never read
_MAX_KEYS = 100  # of a dict that describes a network; it may be read once per instruction
_NOTHING = Global("?", "?")  # for names that are not text


class AuditMachine(Machine):
    """A stack machine that accepts what Python's unpickler accepts, and records it in a :class:`Book`."""

    def __init__(self, data: memoryview, start: int, book: Book, prefix: str, depth: int) -> None:
        super().__init__(data, start, True, book.budget)
        self.book, self.prefix, self.depth = book, prefix, depth
        self.here = start
        self.uncalled = 0  # pushed names that run code from their arguments, minus those called

    @property
    def where(self) -> str:
        """The position of the instruction, in words."""
        return f"{self.prefix}byte {self.here}"

    def remark(self, error: Exception) -> None:
        """Record something that the reader of networks refuses and an unpickler may accept."""
        self.book.reason(f"{self.prefix}{error}, which no network file does")

    # --- what is noted ----------------------------------------------------------------------------

    def name(self, module: object, name: object) -> Global:
        """Record a name."""
        try:
            made = super().name(module, name)
        except InertPickleError as error:
            self.remark(error)
            return _NOTHING
        self.book.named(made.module, made.name, self.where)
        self.uncalled += runs_arguments(made)
        return made

    def recall(self, index: int) -> None:
        """Push an object that was stored before."""
        super().recall(index)
        self.uncalled += runs_arguments(self.stack[-1])

    def call(self, func: object, args: object, kwargs: object = None) -> Call:
        """Record a call, and code among its arguments."""
        if not isinstance(args, tuple) or not (kwargs is None or isinstance(kwargs, dict)):
            self.book.reason(f"a call with arguments made by the file itself, at {self.where}")
            args, kwargs = (), None
        made = Call(func, args, kwargs)
        if not isinstance(func, Global):
            self.book.reason(f"calls what the file itself has made, at {self.where}")
        elif func is not _NOTHING:
            self.uncalled -= runs_arguments(func)
            self.book.names[func.module, func.name].calls[len(args) + len(kwargs or ())] += 1
            self._look_into(func, args, kwargs or {})
        return made

    def check_uncalled(self) -> None:
        """Record names that run code from their arguments and were not called but passed on.

        Torch, NumPy and pickles themselves (``append`` of an object) call functions among their arguments, and the
        arguments of those calls are unknown here.
        """
        if self.uncalled:
            self.book.reason(
                f"hands on a function that runs code, instead of calling it, in the pickle that ends at {self.where}"
            )

    def _look_into(self, func: Global, args: tuple[object, ...], kwargs: dict[object, object]) -> None:
        """Record code, further pickles and oddities among the arguments of a call."""
        kind, _ = kind_of(func.module, func.name)
        if func.name == "_reconstruct_persistent_obj":
            meta = contents(args[0]) if len(args) == 1 else None
            if meta is None or not isinstance(meta.get("class_name"), str):
                self.book.reason(f"a persistent object of no known form, at {self.where}")
            else:
                self.book.source(meta.get("module_src"), meta.get("class_name"), self.where)
        elif (func.module, func.name) == ("_codecs", "encode"):
            if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
                self.book.reason(f"calls _codecs.encode with something else than text and latin1, at {self.where}")
        elif (func.module, func.name) == ("torch.storage", "_load_from_bytes"):
            inner = binary(args[0]) if len(args) == 1 else None
            if inner is None:
                self.book.reason(f"a file of torch.save inside that is no bytes, at {self.where}")
            else:
                self.book.blobs += 1
                self._inner(inner, args[0])
        elif is_array(func) and (len(args) > 2 or kwargs):
            self.book.reason(f"makes an array over bytes, which of objects are addresses in memory, at {self.where}")
        elif func.module in ("copyreg", "copy_reg") and args and is_array(args[0]):
            self._look_into(args[0], args[1:], kwargs)
        elif func.name == "_rebuild_from_type_v2" and not (
            args and isinstance(args[0], Global) and args[0].module == "torch._utils"
        ):
            self.book.reason(f"has torch call something else than what makes tensors, at {self.where}")
        elif kind not in (EXPECTED, HARMLESS):
            for arg in args[:16]:
                inner = binary(arg)
                if inner is not None and looks_pickled(inner):
                    self._inner(inner, arg)

    def _inner(self, data: bytes | memoryview, held: object) -> None:
        """Follow the pickles in the bytes of ``held``."""
        if id(held) not in self.book.seen:  # shared ones once
            self.book.seen[id(held)] = held
            follow_any(memoryview(data).cast("B"), self.book, f"{self.where} > ", self.depth + 1)

    def reference(self, pid: object) -> PersistentId:
        """Record a reference to outside data."""
        self.book.references += 1
        self.book.own_references += self.depth == 0
        return super().reference(pid)

    # --- what Python's unpickler accepts ----------------------------------------------------------

    def line(self, most: int = MAX_LINE) -> bytes:
        """Bytes up to a line break, or the end of the file without its last byte, as in ``pickle.py``."""
        try:
            return super().line(most)
        except TruncatedPickle:
            rest = bytes(self.data[self.pos :])[:-1]
            self.pos = self.end
            return rest

    def store(self, index: int) -> None:
        """Store the topmost object, also under a number of more than 32 bits."""
        if not 0 <= index < 1 << 32:
            self.book.reason(f"stores an entry under the number {index:.3g}, at {self.where}")
        if 0 <= index < 1 << 60:
            self.memo[index] = self.top()

    def set_items(self, target: object, flat: list[object]) -> None:
        """Set keys and values; skips refused keys."""
        try:
            super().set_items(target, flat)
        except InertPickleError as error:
            self.remark(error)
            if isinstance(target, dict):
                pairs = zip(flat[::2], flat[1::2])
                target.update((key, value) for key, value in pairs if is_plain_key(key))

    def append(self, target: object, items: list[object]) -> None:
        """Append."""
        try:
            super().append(target, items)
        except InertPickleError as error:
            self.remark(error)

    def add(self, target: object, items: list[object]) -> None:
        """Add to a set."""
        try:
            super().add(target, items)
        except InertPickleError as error:
            self.remark(error)

    def run(self, opcodes: Mapping[int, Callable[[AuditMachine], object]]) -> object:
        """Follow instructions up to STOP, or to an error of Python's unpickler."""
        data, end = self.data, self.end
        while True:
            self.budget.opcodes -= 1
            if self.budget.opcodes < 0:
                raise InertPickleError("has more instructions than are followed; what comes after is not known")
            self.here = self.pos
            if self.here >= end:
                raise TruncatedPickle(f"ends early: no end of the pickle in {end} bytes")
            code = data[self.here]
            self.pos += 1
            if code == 0x2E:  # STOP
                result = self.pop()
                if self.stack:
                    self.book.reason(f"leaves {len(self.stack)} objects over, at {self.where}")
                return result
            act = opcodes.get(code)
            if act is None:
                raise InertPickleError(f"no pickle instruction has the code 0x{code:02x} (byte {self.here})")
            act(self)


def contents(value: object) -> dict[str, object] | None:
    """The contents of a dict, also one made by a call (an ``EasyDict``); None for anything else.

    None also for dicts of uncertain contents: with further arguments, a state (attributes of an ``EasyDict`` are its
    items), or keys made by calls.
    """
    held = value
    if isinstance(value, Call):
        if not names_a_dict(value.func) or value.kwargs or value.state or value.items or len(value.args) > 1:
            return None
        given = value.args[0] if value.args else {}
        if not isinstance(given, dict) or len(given) + len(value.pairs) > _MAX_KEYS:
            return None
        held = {**given, **dict(value.pairs)}
    if isinstance(held, dict) and len(held) <= _MAX_KEYS and all(isinstance(key, str) for key in held):
        return held
    return None


def binary(value: object) -> bytes | memoryview | None:
    """The bytes of a value, in any encoding of any protocol; None for anything else."""
    if (
        isinstance(value, Call)
        and isinstance(value.func, Global)
        and value.func.path == "_codecs.encode"
        and value.args
    ):
        value = value.args[0]
    if isinstance(value, str):
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:
            return None
    return value if isinstance(value, (bytes, memoryview)) else None


def looks_pickled(data: bytes | memoryview) -> bool:
    """Whether bytes begin as a pickle of protocol 2 or later does, or as an archive."""
    head = bytes(data[:4])
    return (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")) or head == b"PK\x03\x04"


# --- instructions that differ from those of the reader of networks ----------------------------------


def _build(machine: AuditMachine) -> None:
    state, target = machine.pop(), machine.top()
    if not isinstance(target, Call):
        what = target.path if isinstance(target, Global) else f"a {type(target).__name__}"
        return machine.book.reason(f"sets attributes of {what}, at {machine.where}")
    target.state = state
    if isinstance(target.func, Global) and is_tf_network(target.func):
        held = contents(state)
        if held is None:
            return machine.book.reason(f"a network of no known form, at {machine.where}")
        machine.book.source(held.get("build_module_src"), held.get("build_func_name"), machine.where)


def _again(machine: AuditMachine) -> None:
    machine.stack.append(machine.top())
    machine.uncalled += runs_arguments(machine.top())


def _extension(layout: str) -> Callable[[AuditMachine], None]:
    def act(machine: AuditMachine) -> None:
        code = machine.number(layout)
        machine.book.reason(f"uses number {code} of copyreg's extension registry, at {machine.where}")
        machine.stack.append(_NOTHING)

    return act


def _buffer(machine: AuditMachine) -> None:
    machine.book.reason(f"uses a buffer outside the file, at {machine.where}")
    machine.stack.append(None)


def _leniently(
    act: Callable[[AuditMachine], object], skip: Callable[[AuditMachine], object]
) -> Callable[[AuditMachine], None]:
    """The instruction ``act``; a number that it refuses as too long is skipped and recorded."""

    def lenient(machine: AuditMachine) -> None:
        start = machine.pos
        try:
            act(machine)
        except TruncatedPickle:
            raise
        except InertPickleError as error:
            machine.pos = start
            skip(machine)
            machine.remark(error)
            machine.stack.append(0)

    return lenient


def _skip_line(machine: AuditMachine) -> None:
    while True:  # Python has no limit
        chunk = bytes(machine.data[machine.pos : machine.pos + 65_536])
        stop = chunk.find(b"\n")
        machine.take(len(chunk) if stop < 0 else stop + 1)
        if stop >= 0 or not chunk:
            return


_OPCODES: dict[int, Callable[[AuditMachine], object]] = {
    **OPCODES,
    ord("b"): _build,
    ord("2"): _again,
    0x82: _extension("<B"),
    0x83: _extension("<H"),
    0x84: _extension("<i"),
    0x97: _buffer,
    0x98: lambda machine: None,
    0x8B: _leniently(OPCODES[0x8B], lambda m: m.take(max(0, m.number("<i")))),
    **{ord(code): _leniently(OPCODES[ord(code)], _skip_line) for code in "ILFSV"},
}


# --- from bytes to pickles --------------------------------------------------------------------------


class Followed(NamedTuple):
    """A whole pickle: its inert value, and the position after it."""

    value: object
    end: int


def follow(data: memoryview, start: int, book: Book, prefix: str = "", depth: int = 0) -> Followed | None:
    """Follow one pickle; None if it is broken, with the reason in ``book.broken``."""
    machine = AuditMachine(data, start, book, prefix, depth)
    book.pickles += 1
    try:
        result = machine.run(_OPCODES)
        machine.check_uncalled()
        return Followed(result, machine.pos)
    except InertPickleError as error:
        text = f"the pickle that begins at {prefix}byte {start} {error}"
    except RecursionError:
        text = f"the pickle that begins at {prefix}byte {start} is nested too deeply, at {machine.where}"
    book.broken = book.broken or text
    return None


class Row(NamedTuple):
    """Consecutive pickles: whether they are a file of ``torch.save``, and their end, None if one is broken."""

    legacy: bool
    end: int | None


def follow_any(data: memoryview, book: Book, prefix: str, depth: int) -> None:
    """Follow bytes inside a pickle: a file of ``torch.save`` in either layout, or a pickle."""
    if depth > MAX_DEPTH:
        return book.reason(f"pickles inside each other, over {MAX_DEPTH} deep, at {prefix.rstrip(' >')}")
    if bytes(data[:4]) == b"PK\x03\x04":
        return book.follow_archive(data, book, prefix, depth)
    follow_row(data, book, prefix, depth)


def follow_row(data: memoryview, book: Book, prefix: str = "", depth: int = 0) -> Row:
    """Follow a pickle, or the five consecutive ones of torch's older layout."""
    found = follow(data, 0, book, prefix, depth)
    legacy = found is not None and type(found.value) is int and found.value == LEGACY_MAGIC
    if legacy:
        for _ in range(4):  # protocol, machine, object, storage keys
            found = follow(data, found.end, book, prefix, depth) if found is not None else None
    elif depth and found is not None and isinstance(found.value, Call):  # its result may equal torch's magic number
        follow_more(data, found.end, book, prefix, depth)
    return Row(legacy, None if found is None else found.end)


def follow_more(data: memoryview, end: int, book: Book, prefix: str = "", depth: int = 0) -> None:
    """Follow pickles after the first, which a program that loads twice would run."""
    for _ in range(_MORE_PICKLES):
        aside = book.empty()
        aside.seen = book.seen
        found = follow(data, end, aside, prefix, depth) if end < len(data) else None
        if found is None and not aside.names:
            return
        book.take(aside)
        if found is None:
            return
        end = found.end
