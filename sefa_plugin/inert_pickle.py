"""A pickle reader that runs nothing: every class, function and call of the stream becomes a plain record.

Python's own unpickler calls what the file names. This one has no way to: it looks nothing up, imports
nothing and calls nothing. ``GLOBAL`` gives a :class:`Global`, ``REDUCE`` a :class:`Call` that notes what
would have been called, ``BUILD`` notes the state. What the records mean is for the caller to say.

All protocols (0-5) are read. Work and memory are bounded by the length of the stream and the limits below.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from .pickle_records import Call, Global, InertPickleError, PersistentId, TruncatedPickle

MAX_OPCODES = 4_000_000  # a StyleGAN3 training snapshot has about 60,000
MAX_LINE = 65_536  # bytes of a text-mode argument
MAX_ODD_KEYS = 4_096  # keys other than text per dict or set: hashes of numbers can be made to collide
SMALL_BYTES = 4_096  # longer byte strings stay views of the file


_MARK = object()
_MISSING = object()


class _Machine:
    """The stack machine of one pickle. ``data`` is a memoryview of bytes; reading starts at ``pos``."""

    def __init__(self, data: memoryview, pos: int, persistent: bool) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data)
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.references: list[PersistentId] = []
        self.odd_keys: dict[int, int] = {}

    # --- the stream -------------------------------------------------------------------------------

    def take(self, count: int) -> memoryview:
        if count < 0 or count > self.end - self.pos:
            raise TruncatedPickle(f"ends early: {count} bytes wanted at byte {self.pos} of {self.end}")
        start = self.pos
        self.pos = start + count
        return self.data[start : self.pos]

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> bytes:
        chunk = bytes(self.data[self.pos : self.pos + MAX_LINE])
        stop = chunk.find(b"\n")
        if stop < 0:
            if self.pos + MAX_LINE >= self.end:
                raise TruncatedPickle(f"ends early: a line that starts at byte {self.pos} has no end")
            raise InertPickleError(f"a line at byte {self.pos} is over {MAX_LINE} bytes long")
        self.pos += stop + 1
        return chunk[:stop]

    def blob(self, layout: str) -> bytes | memoryview:
        view = self.take(self.number(layout))
        return bytes(view) if len(view) <= SMALL_BYTES else view

    def text(self, layout: str, encoding: str = "utf-8") -> str:
        return _decode(self.take(self.number(layout)), encoding)

    # --- the stack --------------------------------------------------------------------------------

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack.pop()

    def pop_mark(self) -> list:
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise InertPickleError(f"a mark is missing at byte {self.pos - 1}")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack[-1]

    def recall(self, index: int) -> None:
        item = self.memo.get(index, _MISSING)
        if item is _MISSING:
            raise InertPickleError(f"recalls entry {index}, which was never stored, at byte {self.pos - 1}")
        self.stack.append(item)

    # --- building ---------------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise InertPickleError(f"names a global by something that is not text at byte {self.pos - 1}")
        return self.globals.setdefault((module, name), Global(module, name))

    def set_items(self, target: Any, flat: list) -> None:
        if len(flat) % 2:
            raise InertPickleError(f"a key without a value at byte {self.pos - 1}")
        pairs = list(zip(flat[::2], flat[1::2]))
        if isinstance(target, Call):
            target.pairs.extend(pairs)
        elif isinstance(target, dict):
            for key, value in pairs:
                self.check_key(target, key)
                target[key] = value
        else:
            raise InertPickleError(f"sets items of a {type(target).__name__} at byte {self.pos - 1}")

    def append(self, target: Any, items: list) -> None:
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise InertPickleError(f"appends to a {type(target).__name__} at byte {self.pos - 1}")

    def add(self, target: Any, items: list) -> None:
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, set):
            for item in items:
                self.check_key(target, item)
                target.add(item)
        else:
            raise InertPickleError(f"adds to a {type(target).__name__} at byte {self.pos - 1}")

    def check_key(self, target: Any, key: Any) -> None:
        """Keys are text, or a few plain numbers: hashing anything deeper could be made to take for ever."""
        if isinstance(key, (str, bytes)):
            return
        flat = key if isinstance(key, tuple) else (key,)
        if not all(item is None or isinstance(item, (str, bytes, int, float, Global, Call)) for item in flat):
            raise InertPickleError(f"a key of type {type(key).__name__} at byte {self.pos - 1}")
        count = self.odd_keys[id(target)] = self.odd_keys.get(id(target), 0) + 1
        if count > MAX_ODD_KEYS:
            raise InertPickleError(f"over {MAX_ODD_KEYS} keys that are not text in one dict")

    def call(self, func: Any, args: Any, kwargs: Any = None) -> Call:
        if not isinstance(args, tuple) or not (kwargs is None or isinstance(kwargs, dict)):
            raise InertPickleError(f"a call with malformed arguments at byte {self.pos - 1}")
        return Call(func, args, kwargs)

    def reference(self, pid: Any) -> PersistentId:
        if not self.persistent:
            raise InertPickleError("refers to data outside the file (a persistent id)")
        self.references.append(PersistentId(pid))
        return self.references[-1]

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> Any:
        data, stack = self.data, self.stack
        for _ in range(MAX_OPCODES):
            if self.pos >= self.end:
                raise TruncatedPickle(f"ends early: no end of the pickle in {self.end} bytes")
            code = data[self.pos]
            self.pos += 1
            if code == 0x2E:  # STOP
                result = self.pop()
                if stack:
                    raise InertPickleError(f"leaves {len(stack)} objects over at byte {self.pos - 1}")
                return result
            act = _OPCODES.get(code)
            if act is None:
                raise InertPickleError(f"no pickle instruction has the code 0x{code:02x} (byte {self.pos - 1})")
            act(self)
        raise InertPickleError(f"has more than {MAX_OPCODES} instructions")


def _decode(raw: Any, encoding: str) -> str:
    try:
        return str(raw, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text that is not {encoding}: {error.reason}") from None


def _plain_line(machine: _Machine) -> str:
    return _decode(machine.line(), "utf-8")


def _decimal(raw: bytes) -> int:
    if len(raw) > 400:  # no honest file needs more digits, and parsing long ones is quadratic
        raise InertPickleError(f"a decimal number of {len(raw)} digits")
    try:
        return int(raw)
    except ValueError:
        raise InertPickleError(f"{raw[:40]!r} is not a whole number") from None


def _int_line(machine: _Machine) -> Any:
    raw = machine.line()
    return {b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else _decimal(raw)


def _float_line(machine: _Machine) -> float:
    raw = machine.line()
    try:
        return float(raw)
    except ValueError:
        raise InertPickleError(f"{raw[:40]!r} is not a number") from None


def _quoted_line(machine: _Machine) -> str:
    raw = machine.line()
    if len(raw) < 2 or raw[0] != raw[-1] or raw[:1] not in (b"'", b'"'):
        raise InertPickleError(f"a text without quotes at byte {machine.pos}")
    try:
        return raw[1:-1].decode("unicode_escape")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text with a broken escape: {error.reason}") from None


def _unicode_line(machine: _Machine) -> str:
    try:
        return machine.line().decode("raw_unicode_escape")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text with a broken escape: {error.reason}") from None


def _long(machine: _Machine, count: int) -> int:
    return int.from_bytes(machine.take(count), "little", signed=True)


def _index(machine: _Machine) -> int:
    return _decimal(machine.line())


def _store(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.top()


def _dict_of(machine: _Machine, flat: list) -> dict:
    result: dict = {}
    machine.set_items(result, flat)
    return result


def _frozenset_of(machine: _Machine, items: list) -> frozenset:
    result: set = set()
    machine.add(result, items)
    return frozenset(result)


def _stack_global(machine: _Machine) -> Global:
    name, module = machine.pop(), machine.pop()
    return machine.name(module, name)


def _line_global(machine: _Machine) -> Global:
    module, name = _plain_line(machine), _plain_line(machine)
    return machine.name(module, name)


def _reduce(machine: _Machine) -> Call:
    args, func = machine.pop(), machine.pop()
    return machine.call(func, args)


def _new_object_ex(machine: _Machine) -> Call:
    kwargs, args, func = machine.pop(), machine.pop(), machine.pop()
    return machine.call(func, args, kwargs)


def _old_object(machine: _Machine) -> Call:
    items = machine.pop_mark()
    if not items:
        raise InertPickleError(f"makes an object of nothing at byte {machine.pos - 1}")
    return machine.call(items[0], tuple(items[1:]))


def _old_instance(machine: _Machine) -> Call:
    named = _line_global(machine)
    return machine.call(named, tuple(machine.pop_mark()))


def _build(machine: _Machine) -> None:
    state, target = machine.pop(), machine.top()
    if not isinstance(target, Call):
        raise InertPickleError(f"sets the state of a {type(target).__name__} at byte {machine.pos - 1}")
    target.state = state


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(), [key, value])


def _set_items(machine: _Machine) -> None:
    flat = machine.pop_mark()
    machine.set_items(machine.top(), flat)


def _append(machine: _Machine) -> None:
    item = machine.pop()
    machine.append(machine.top(), [item])


def _appends(machine: _Machine) -> None:
    items = machine.pop_mark()
    machine.append(machine.top(), items)


def _add_items(machine: _Machine) -> None:
    items = machine.pop_mark()
    machine.add(machine.top(), items)


def _tuple(count: int) -> Callable[[_Machine], tuple]:
    return lambda machine: tuple(reversed([machine.pop() for _ in range(count)]))


def _pop(machine: _Machine) -> None:
    if not machine.stack:
        raise InertPickleError(f"takes from an empty stack at byte {machine.pos - 1}")
    machine.stack.pop()  # a mark, too


def _protocol(machine: _Machine) -> None:
    version = machine.number("<B")
    if version > 5:
        raise InertPickleError(f"pickle protocol {version} is not known (0-5 are)")


def _refused(what: str) -> Callable[[_Machine], None]:
    def act(machine: _Machine) -> None:
        raise InertPickleError(f"uses {what} at byte {machine.pos - 1}, which no network file needs")

    return act


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


# Instruction codes and their meaning: CPython, Lib/pickletools.py (documentation of the format).
_PUSHING: dict[bytes, Callable[[_Machine], Any]] = {
    # scalars
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"I": _int_line,
    b"L": lambda m: _decimal(m.line().rstrip(b"L")),
    b"J": lambda m: m.number("<i"),
    b"K": lambda m: m.number("<B"),
    b"M": lambda m: m.number("<H"),
    b"\x8a": lambda m: _long(m, m.number("<B")),
    b"\x8b": lambda m: _long(m, m.number("<i")),
    b"F": _float_line,
    b"G": lambda m: m.number(">d"),
    # text and bytes; strings of Python 2 are read as latin-1, as toolkits do
    b"S": _quoted_line,
    b"T": lambda m: m.text("<i", "latin-1"),
    b"U": lambda m: m.text("<B", "latin-1"),
    b"V": _unicode_line,
    b"X": lambda m: m.text("<I"),
    b"\x8c": lambda m: m.text("<B"),
    b"\x8d": lambda m: m.text("<Q"),
    b"B": lambda m: m.blob("<I"),
    b"C": lambda m: m.blob("<B"),
    b"\x8e": lambda m: m.blob("<Q"),
    b"\x96": lambda m: m.blob("<Q"),
    # containers
    b"]": lambda m: [],
    b"l": lambda m: m.pop_mark(),
    b")": lambda m: (),
    b"t": lambda m: tuple(m.pop_mark()),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"}": lambda m: {},
    b"d": lambda m: _dict_of(m, m.pop_mark()),
    b"\x8f": lambda m: set(),
    b"\x91": lambda m: _frozenset_of(m, m.pop_mark()),
    # names and calls
    b"c": _line_global,
    b"\x93": _stack_global,
    b"R": _reduce,
    b"\x81": _reduce,  # NEWOBJ: the same record as REDUCE, a class and its arguments
    b"\x92": _new_object_ex,
    b"o": _old_object,
    b"i": _old_instance,
    b"P": lambda m: m.reference(_plain_line(m)),
    b"Q": lambda m: m.reference(m.pop()),
    # stack
    b"(": lambda m: _MARK,
    b"2": lambda m: m.top(),
}
_DOING: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m.take(8),  # FRAME: a hint for buffered readers
    b"0": _pop,
    b"1": lambda m: m.pop_mark(),
    b"b": _build,
    b"s": _set_item,
    b"u": _set_items,
    b"a": _append,
    b"e": _appends,
    b"\x90": _add_items,
    b"p": lambda m: _store(m, _index(m)),
    b"q": lambda m: _store(m, m.number("<B")),
    b"r": lambda m: _store(m, m.number("<I")),
    b"\x94": lambda m: _store(m, len(m.memo)),
    b"g": lambda m: m.recall(_index(m)),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"\x82": _refused("the extension registry"),
    b"\x83": _refused("the extension registry"),
    b"\x84": _refused("the extension registry"),
    b"\x97": _refused("buffers outside the file"),
    b"\x98": _refused("buffers outside the file"),
}
_OPCODES = {ord(code): _push(make) for code, make in _PUSHING.items()}
_OPCODES.update({ord(code): act for code, act in _DOING.items()})


class Loaded(NamedTuple):
    """What :func:`load` gives.

    Attributes:
        value: the object, made of dicts, lists, tuples, sets, scalars, :class:`Global`, :class:`Call`
            and :class:`PersistentId` only.
        end: the position after the pickle, in bytes.
        globals: every name that the stream refers to, each once.
        references: every persistent id, in order.
    """

    value: Any
    end: int
    globals: list[Global]
    references: list[PersistentId]


def load(data: Any, start: int = 0, persistent: bool = False) -> Loaded:
    """Read one pickle without running any of it.

    Args:
        data: bytes, memoryview or mmap that holds the stream. Byte strings over ``SMALL_BYTES`` in the
            result are memoryviews of it, not copies.
        start: where the pickle begins, in bytes.
        persistent: whether references to outside data (persistent ids) may occur.

    Raises:
        InertPickleError: the stream is no pickle or breaks a limit (``TruncatedPickle``: ends early).
    """
    machine = _Machine(memoryview(data).cast("B"), start, persistent)
    value = machine.run()
    return Loaded(value, machine.pos, list(machine.globals.values()), machine.references)
