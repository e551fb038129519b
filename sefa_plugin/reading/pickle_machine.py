"""The stack machine of pickles, as far as Python's picklers use it.

A pickler writes an object, then what it holds, and never comes back to it. So this machine takes the instructions that
picklers write (C and Python, protocols 0 to 5, Python 2's too), spelled as they spell them: nothing is taken from the
stack and dropped, the memo is filled once and in order, an object is changed only before anything refers to it, a key
comes once, frames and the pickle end together. What a name, a call or a state means is for ``pickle_forms``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..system.messages import shown

if TYPE_CHECKING:
    from .tensor_view import Bytes


class InertPickleError(Exception):
    """The stream is not a pickle, is cut short, or exceeds a limit."""


class TruncatedPickle(InertPickleError):
    """The stream ends before the pickle does."""


class OtherForm(InertPickleError):
    """The stream is a pickle, but not one that a pickler or a toolkit writes."""


class ValueProblem(Exception):
    """A value of a known form that makes no sense, or is too large."""


class Global:
    """A global of the stream, ``module`` and ``name``; never imported."""

    __slots__ = ("module", "name", "place")

    def __init__(self, module: str, name: str, place: int = 0) -> None:
        self.module = module
        self.name = name
        self.place = place

    @property
    def path(self) -> str:
        """``module.name``, for messages and tables: printable, one line, at most 200 characters."""
        return shown(f"{self.module}.{self.name}")

    def __repr__(self) -> str:
        return f"Global({self.path!r})"


MAX_OPCODES = 1_000_000  # a StyleGAN3 training snapshot has about 60,000
MAX_LINE = 65_536  # bytes of a text-mode argument
MAX_ODD_KEYS = 4_096  # keys other than text and small numbers: hashes of long numbers can be made to collide
MAX_KEY = 4_096  # letters of a key: equal keys are compared letter by letter
MAX_KEY_PARTS = 16  # of a tuple as a key: its hash is not cached
MAX_GLOBAL = 1_000  # letters of a global: they are compared in every call
MAX_SETS = 100_000  # an empty one takes one byte in a file and over 200 in memory
MAX_LONG = 512  # bytes of a whole number; torch's magic number has 10
MAX_FINDINGS = 1_000
MAX_DIGITS = 400  # of one in text: parsing takes quadratic time
SMALL_BYTES = 4_096  # longer byte strings stay views of the file
MARK = object()
_FORMS = {layout: struct.Struct(layout) for layout in ("<B", "<H", "<I", "<Q", "<i", ">d")}
_INTEGER = re.compile(rb"0|-?[1-9][0-9]*")
_FLOAT = re.compile(rb"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?|inf)|nan")
_FRAME = 0x95
_UNFRAMED = 1 << 64


class Budget:
    """Remaining limits of one file, shared by its pickles.

    Attributes:
        opcodes: instructions.
        sets: sets.
        odd_keys: keys other than text and small numbers.
        findings: None, or where what writers do not write is noted instead of refused (the audit).
    """

    def __init__(self, findings: list[str] | None = None) -> None:
        self.opcodes, self.sets, self.odd_keys = MAX_OPCODES, MAX_SETS, MAX_ODD_KEYS
        self.findings = findings


class Machine:
    """The stack machine of one pickle. ``data`` is a memoryview of bytes; reading starts at ``pos``.

    Subclasses give the meaning of names, calls, objects, states and references.
    """

    def __init__(self, data: memoryview, pos: int, budget: Budget, prefix: str = "") -> None:
        self.data = data
        self.pos = self.here = pos  # here: of the instruction
        self.end = len(data)
        self.frame_end = _UNFRAMED
        self.budget = budget
        self.prefix = prefix
        self.stack: list[object] = []
        self.memo: list[object] = []
        self.first = 0  # number of the first entry of the memo: 1 in C pickles of Python 2
        self.used: set[int] = set()  # ``id`` of what was recalled; the memo keeps it alive
        self.previous = 0

    @property
    def where(self) -> str:
        """The place of the instruction, in words."""
        return f"{self.prefix}byte {self.here}"

    def odd(self, what: str) -> None:
        """Refuse (in an audit: note) what no writer writes.

        Raises:
            OtherForm: with the place.
        """
        if self.budget.findings is None:
            raise OtherForm(f"{what} at {self.where}, which no writer of such files does")
        if len(self.budget.findings) >= MAX_FINDINGS:
            raise OtherForm(f"does more than {MAX_FINDINGS} things that no writer of such files does")
        self.budget.findings.append(f"{self.where}: {what}")

    def bad(self, what: str) -> InertPickleError:
        """An error with the place."""
        return InertPickleError(f"{what} at {self.where}")

    # --- meaning ----------------------------------------------------------------------------------

    def name(self, module: str, name: str) -> object:
        """What a global stands for."""
        raise NotImplementedError

    def called(self, func: object, args: tuple[object, ...]) -> object:
        """What a call gives (REDUCE)."""
        raise NotImplementedError

    def made(self, kind: object, args: tuple[object, ...]) -> object:
        """A new object (NEWOBJ)."""
        raise NotImplementedError

    def built(self, target: object, state: object) -> None:
        """Set the state of an object (BUILD)."""
        raise NotImplementedError

    def reference(self, pid: object) -> object:
        """What a persistent id stands for."""
        raise NotImplementedError

    # --- the stream -------------------------------------------------------------------------------

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes, not copied."""
        if count < 0 or count > self.end - self.pos:
            raise TruncatedPickle(f"ends early: {count} bytes wanted at byte {self.pos} of {self.end}")
        start = self.pos
        self.pos = start + count
        return self.data[start : self.pos]

    def number(self, layout: str) -> int:
        """The next number, in a layout of ``struct``; ``>d`` gives a float."""
        form = _FORMS[layout]
        start = self.pos
        if start + form.size > self.end:
            self.take(form.size)  # raises
        self.pos = start + form.size
        number: int = form.unpack_from(self.data, start)[0]
        return number

    def line(self, most: int = MAX_LINE) -> bytes:
        """Bytes up to a line break, at most ``most``."""
        reach = min(256, most)  # most lines are short
        while True:
            chunk = bytes(self.data[self.pos : self.pos + reach])
            stop = chunk.find(b"\n")
            if stop >= 0:
                self.pos += stop + 1
                return chunk[:stop]
            if self.pos + reach >= self.end:
                raise TruncatedPickle(f"ends early: a line that starts at byte {self.pos} has no end")
            if reach >= most:
                raise InertPickleError(f"a line at byte {self.pos} is over {most} bytes long")
            reach = min(16 * reach, most)

    def blob(self, layout: str) -> bytes | memoryview:
        """A length-prefixed byte string; a long one is a view."""
        view = self.take(self.number(layout))
        return bytes(view) if len(view) <= SMALL_BYTES else view

    def text(self, layout: str, encoding: str = "utf-8") -> str:
        """A length-prefixed text."""
        return decode(self.take(self.number(layout)), encoding)

    # --- the stack --------------------------------------------------------------------------------

    def pop(self) -> object:
        """Take the topmost object."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.bad("takes from an empty stack")
        return self.stack.pop()

    def pop_mark(self) -> list[object]:
        """Take everything above the topmost mark."""
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and stack[at] is not MARK:
            at -= 1
        if at < 0:
            raise self.bad("a mark is missing")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def top(self) -> object:
        """The topmost object, left in its place."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.bad("takes from an empty stack")
        return self.stack[-1]

    def store(self, index: int) -> None:
        """Store the topmost object, which was just made, as the next entry of the memo."""
        if not self.memo and index == 1:
            self.first = 1
        if index != len(self.memo) + self.first or self.previous not in _STORED:
            raise OtherForm(f"stores entry {index:.10g} of the memo out of turn at {self.where}")
        self.memo.append(self.top())

    def recall(self, index: int) -> None:
        """Push an object that was stored before; it cannot be changed any more."""
        if not 0 <= index - self.first < len(self.memo):
            raise self.bad(f"recalls entry {index:.10g}, which was never stored,")
        item = self.memo[index - self.first]
        self.used.add(id(item))
        self.stack.append(item)

    # --- building ---------------------------------------------------------------------------------

    def target(self, kind: type) -> object:
        """The topmost object, which must be a ``kind`` that may still change."""
        target = self.top()
        if not isinstance(target, kind):
            raise OtherForm(f"changes a {type(target).__name__.lower()} like a {kind.__name__} at {self.where}")
        if id(target) in self.used or not getattr(target, "open", True):
            raise OtherForm(f"changes a {kind.__name__} after something referred to it at {self.where}")
        return target

    def set_items(self, flat: list[object]) -> None:
        """Set alternating keys and values in the topmost dict."""
        target = self.target(dict)
        assert isinstance(target, dict)
        if len(flat) % 2:
            raise self.bad("a key without a value")
        self.fill(target, flat[::2], flat[1::2])

    def fill(self, target: dict[object, object], keys: list[object], values: list[object]) -> None:
        """Set keys, each once, in a dict."""
        for key in keys:
            self.check_key(key)
        wanted = len(target) + len(keys)
        target.update(zip(keys, values))
        if len(target) != wanted:
            raise OtherForm(f"sets a key of a dict twice at {self.where} (among {shown(str(keys[-1]), 40)})")

    def append(self, items: list[object]) -> None:
        """Append to the topmost list."""
        target = self.target(list)
        assert isinstance(target, list)
        target.extend(items)

    def add(self, items: list[object]) -> None:
        """Add to the topmost set."""
        target = self.target(set)
        assert isinstance(target, set)
        target.update(self.distinct(items))

    def distinct(self, items: list[object]) -> list[object]:
        """The items of a set, which must be different."""
        for item in items:
            self.check_key(item)
        if len(set(items)) != len(items):
            raise OtherForm(f"adds something to a set twice at {self.where}")
        return items

    def check_key(self, key: object) -> None:
        """Limit keys that are neither short text nor small numbers, since their hashes could be made to collide."""
        if is_plain_key(key):
            return
        parts = key if isinstance(key, tuple) else (key,)
        good = len(parts) <= MAX_KEY_PARTS
        if not good or not all(is_plain_key(part) or isinstance(part, (int, float, Global)) for part in parts):
            raise self.bad(f"a key of type {type(key).__name__}")
        self.budget.odd_keys -= 1
        if self.budget.odd_keys < 0:
            raise InertPickleError(f"has over {MAX_ODD_KEYS} keys that are neither text nor small numbers")

    def new_set(self) -> set[object]:
        """An empty set."""
        self.budget.sets -= 1
        if self.budget.sets < 0:
            raise InertPickleError(f"has more than {MAX_SETS} sets")
        return set()

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> object:
        """Execute instructions up to STOP and give the object left on the stack."""
        data, stack, end = self.data, self.stack, self.end
        opcodes = _OPCODES[self._protocol()]
        for used in range(self.budget.opcodes):
            if self.pos >= end:
                raise TruncatedPickle(f"ends early: no end of the pickle in {end} bytes")
            self.here = self.pos
            code = data[self.pos]
            self.pos += 1
            if code == 0x2E:  # STOP
                result = self.pop()
                if stack:
                    raise self.bad(f"leaves {len(stack)} objects over")
                if self.frame_end not in (_UNFRAMED, self.pos):
                    raise OtherForm(f"ends inside of a frame, which says that it ends at byte {self.frame_end},")
                self.budget.opcodes -= used + 1
                return result
            act = opcodes.get(code)
            if act is None:
                if code not in _NEVER and not any(code in table for table in _OPCODES):
                    raise self.bad(f"no pickle instruction has the code 0x{code:02x}")
                raise OtherForm(f"uses the instruction 0x{code:02x} at {self.where}, which no pickler writes there")
            act(self)
            if code != _FRAME:
                self.previous = code
            if self.pos >= self.frame_end:
                if self.pos > self.frame_end:
                    raise OtherForm(f"has an instruction that reaches out of its frame at {self.where}")
                self.frame_end = _UNFRAMED
        raise InertPickleError(f"has more than {MAX_OPCODES} instructions")

    def _protocol(self) -> int:
        """The protocol that the pickle begins with; 0 stands for 1, too."""
        if self.pos >= self.end or self.data[self.pos] != 0x80:
            return 0
        self.pos += 1
        version = self.number("<B")
        if not 2 <= version <= 5:
            raise InertPickleError(f"pickle protocol {version} is not known (0-5 are)")
        return version

    def frame(self) -> None:
        """Enter a frame."""
        length = self.number("<Q")
        if self.frame_end != _UNFRAMED:
            raise OtherForm(f"has a frame inside of a frame at {self.where}")
        if length > self.end - self.pos:
            raise TruncatedPickle(f"ends early: a frame of {length:.10g} bytes at {self.where} of {self.end}")
        self.frame_end = self.pos + length


def is_plain_key(key: object) -> bool:
    """Whether hashes of such keys cannot be made to collide: short text, a small number, None."""
    if isinstance(key, (str, bytes)):
        return len(key) <= MAX_KEY
    return key is None or (isinstance(key, int) and -(1 << 31) <= key < 1 << 31)


def decode(raw: Bytes, encoding: str) -> str:
    """Text of the stream; ``InertPickleError`` if its encoding is invalid."""
    try:
        return str(raw, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text that is not {encoding}: {error.reason}") from None


# --- instructions ---------------------------------------------------------------------------------


def _decimal(machine: Machine, raw: bytes) -> int:
    if len(raw) > MAX_DIGITS:
        raise machine.bad(f"a decimal number of {len(raw)} digits")
    if not _INTEGER.fullmatch(raw):
        raise machine.bad(f"{raw[:40]!r} is no whole number as a pickler writes it,")
    return int(raw)


def _int_line(machine: Machine) -> int:
    raw = machine.line()
    return {b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else _decimal(machine, raw)


def _long_line(machine: Machine) -> int:
    raw = machine.line()
    return _decimal(machine, raw[:-1] if raw.endswith(b"L") else b"")


def _float_line(machine: Machine) -> float:
    raw = machine.line()
    if not _FLOAT.fullmatch(raw):
        raise machine.bad(f"{raw[:40]!r} is no number as a pickler writes it,")
    return float(raw)


_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
_ESCAPES.update({code: f"\\x{code:02x}" for code in [*range(32), *range(127, 256)] if code not in _ESCAPES})


def _quoted_line(machine: Machine) -> str:
    """A string of Python 2 (``repr`` of it), read as latin-1, as toolkits do."""
    raw = machine.line()
    quote = raw[:1].decode("latin-1")
    text = decode(raw[1:-1], "unicode_escape") if quote in ("'", '"') else ""
    wanted = '"' if "'" in text and '"' not in text else "'"
    escaped = text.translate(_ESCAPES)
    escaped = escaped.replace("'", "\\'") if wanted == "'" else escaped
    if f"{wanted}{escaped}{wanted}".encode("latin-1", "replace") != raw:
        raise machine.bad("a text that is not spelled as a pickler does")
    return text


_RAW_OLD = {ord("\\"): "\\u005c", ord("\n"): "\\u000a"}
_RAW_NEW = {**_RAW_OLD, 0: "\\u0000", ord("\r"): "\\u000d", 0x1A: "\\u001a"}


def _unicode_line(machine: Machine) -> str:
    raw = machine.line(machine.end)  # no limit: in protocol 0 the bytes of a tensor are one line
    text = decode(raw, "raw_unicode_escape")
    if all(text.translate(table).encode("raw_unicode_escape") != raw for table in (_RAW_NEW, _RAW_OLD)):
        raise machine.bad("a text that is not spelled as a pickler does")
    return text


def _long(machine: Machine, count: int) -> int:
    if count > MAX_LONG:
        raise machine.bad(f"a whole number of {count} bytes")
    return int.from_bytes(machine.take(count), "little", signed=True)


def _empty(machine: Machine) -> None:
    if machine.pop_mark():
        raise OtherForm(f"makes a list or a dict of what is on the stack at {machine.where}")


def _list_of_mark(machine: Machine) -> list[object]:
    _empty(machine)
    return []


def _dict_of_mark(machine: Machine) -> dict[object, object]:
    _empty(machine)
    return {}


def _frozenset_of(machine: Machine) -> frozenset[object]:
    machine.new_set()
    return frozenset(machine.distinct(machine.pop_mark()))


def _named(machine: Machine, module: object, name: object) -> object:
    if not isinstance(module, str) or not isinstance(name, str):
        raise machine.bad("names a global by something that is not text")
    if len(module) + len(name) > MAX_GLOBAL:
        raise machine.bad(f"a name of more than {MAX_GLOBAL} letters")
    return machine.name(module, name)


def _stack_global(machine: Machine) -> object:
    name, module = machine.pop(), machine.pop()
    return _named(machine, module, name)


def _line_global(machine: Machine) -> object:
    return _named(machine, decode(machine.line(), "utf-8"), decode(machine.line(), "utf-8"))


def _call(act: Callable[[Machine, object, tuple[object, ...]], object]) -> Callable[[Machine], object]:
    def made(machine: Machine) -> object:
        args, func = machine.pop(), machine.pop()
        if not isinstance(args, tuple):
            raise machine.bad("a call with malformed arguments")
        return act(machine, func, args)

    return made


def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.top()
    machine.built(target, state)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _tuple(count: int) -> Callable[[Machine], tuple[object, ...]]:
    return lambda machine: tuple(reversed([machine.pop() for _ in range(count)]))


def _push(make: Callable[[Machine], object]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


# Instruction codes and their meaning: CPython, Lib/pickletools.py (documentation of the format). Before each, the
# protocols whose picklers write it: 0 stands for 1, too, and includes Python 2's. What is missing, none of them writes
# for such values: POP, POP_MARK, DUP, INST, OBJ, NEWOBJ_EX, PERSID, the extension registry, buffers outside the file.
_PUSHING: dict[bytes, tuple[str, Callable[[Machine], object]]] = {
    # scalars
    b"N": ("02345", lambda m: None),
    b"\x88": ("2345", lambda m: True),
    b"\x89": ("2345", lambda m: False),
    b"I": ("02", _int_line),
    b"L": ("0", _long_line),
    b"J": ("02345", lambda m: m.number("<i")),
    b"K": ("02345", lambda m: m.number("<B")),
    b"M": ("02345", lambda m: m.number("<H")),
    b"\x8a": ("2345", lambda m: _long(m, m.number("<B"))),
    b"\x8b": ("2345", lambda m: _long(m, m.number("<I"))),
    b"F": ("0", _float_line),
    b"G": ("02345", lambda m: m.number(">d")),
    # text and bytes; strings of Python 2 are read as latin-1, as toolkits do
    b"S": ("0", _quoted_line),
    b"T": ("02", lambda m: m.text("<I", "latin-1")),
    b"U": ("02", lambda m: m.text("<B", "latin-1")),
    b"V": ("0", _unicode_line),
    b"X": ("02345", lambda m: m.text("<I")),
    b"\x8c": ("45", lambda m: m.text("<B")),
    b"\x8d": ("45", lambda m: m.text("<Q")),
    b"B": ("345", lambda m: m.blob("<I")),
    b"C": ("345", lambda m: m.blob("<B")),
    b"\x8e": ("45", lambda m: m.blob("<Q")),
    b"\x96": ("5", lambda m: m.blob("<Q")),
    # containers
    b"]": ("02345", lambda m: []),
    b"l": ("0", _list_of_mark),
    b")": ("02345", lambda m: ()),
    b"t": ("02345", lambda m: tuple(m.pop_mark())),
    b"\x85": ("2345", _tuple(1)),
    b"\x86": ("2345", _tuple(2)),
    b"\x87": ("2345", _tuple(3)),
    b"}": ("02345", lambda m: {}),
    b"d": ("0", _dict_of_mark),
    b"\x8f": ("45", lambda m: m.new_set()),
    b"\x91": ("45", _frozenset_of),
    # names and calls
    b"c": ("023", _line_global),
    b"\x93": ("45", _stack_global),
    b"R": ("02345", _call(lambda m, func, args: m.called(func, args))),
    b"\x81": ("2345", _call(lambda m, kind, args: m.made(kind, args))),
    b"Q": ("02345", lambda m: m.reference(m.pop())),
    # stack
    b"(": ("02345", lambda m: MARK),
}
_DOING: dict[bytes, tuple[str, Callable[[Machine], object]]] = {
    b"\x95": ("45", lambda m: m.frame()),
    b"b": ("02345", _build),
    b"s": ("02345", _set_item),
    b"u": ("02345", lambda m: m.set_items(m.pop_mark())),
    b"a": ("02345", lambda m: m.append([m.pop()])),
    b"e": ("02345", lambda m: m.append(m.pop_mark())),
    b"\x90": ("45", lambda m: m.add(m.pop_mark())),
    b"p": ("0", lambda m: m.store(_decimal(m, m.line()))),
    b"q": ("023", lambda m: m.store(m.number("<B"))),
    b"r": ("023", lambda m: m.store(m.number("<I"))),
    b"\x94": ("45", lambda m: m.store(len(m.memo) + m.first)),
    b"g": ("0", lambda m: m.recall(_decimal(m, m.line()))),
    b"h": ("02345", lambda m: m.recall(m.number("<B"))),
    b"j": ("02345", lambda m: m.recall(m.number("<I"))),
}
_NEVER = frozenset(b"012Poi\x80\x82\x83\x84\x92\x97\x98")  # of the format, but in none of such files
_EVERY = {code: (when, _push(make)) for code, (when, make) in _PUSHING.items()} | _DOING
_OPCODES: list[Mapping[int, Callable[[Machine], object]]] = [
    {ord(code): act for code, (when, act) in _EVERY.items() if str(protocol) in when} for protocol in range(6)
]
_STORED = frozenset(b"STUVX\x8c\x8dBC\x8e\x96]lt\x85\x86\x87}d\x8f\x91c\x93R\x81")  # what picklers put into the memo
