"""A pickle reader that runs no code: every class, function and call of the stream becomes a plain record.

Unlike Python's unpickler, it imports and calls nothing. ``GLOBAL`` gives a :class:`Global`, ``REDUCE`` a
:class:`Call` with the function and its arguments, and ``BUILD`` stores the state in it.

All protocols (0-5) are read. Work and memory are bounded by the length of the stream and the limits in
``pickle_machine``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .pickle_machine import MARK, MAX_LONG, Budget, Call, Global, InertPickleError, Machine, PersistentId, decode

if TYPE_CHECKING:
    from .tensor_view import Bytes


def _plain_line(machine: Machine) -> str:
    return decode(machine.line(), "utf-8")


def _decimal(raw: bytes) -> int:
    if len(raw) > 400:  # parsing takes quadratic time
        raise InertPickleError(f"a decimal number of {len(raw)} digits")
    try:
        return int(raw)
    except ValueError:
        raise InertPickleError(f"{raw[:40]!r} is not a whole number") from None


def _int_line(machine: Machine) -> int:
    raw = machine.line()
    return {b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else _decimal(raw)


def _float_line(machine: Machine) -> float:
    raw = machine.line()
    try:
        return float(raw)
    except ValueError:
        raise InertPickleError(f"{raw[:40]!r} is not a number") from None


def _quoted_line(machine: Machine) -> str:
    raw = machine.line()
    if len(raw) < 2 or raw[0] != raw[-1] or raw[:1] not in (b"'", b'"'):
        raise InertPickleError(f"a text without quotes at byte {machine.pos}")
    try:
        return raw[1:-1].decode("unicode_escape")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text with a broken escape: {error.reason}") from None


def _unicode_line(machine: Machine) -> str:
    try:  # no limit: in protocol 0 the bytes of a tensor are one line
        return machine.line(machine.end).decode("raw_unicode_escape")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text with a broken escape: {error.reason}") from None


def _long(machine: Machine, count: int) -> int:
    if count > MAX_LONG:
        raise InertPickleError(f"a whole number of {count} bytes")
    return int.from_bytes(machine.take(count), "little", signed=True)


def _index(machine: Machine) -> int:
    return _decimal(machine.line())


def _dict_of(machine: Machine, flat: list[object]) -> dict[object, object]:
    result: dict[object, object] = {}
    machine.set_items(result, flat)
    return result


def _frozenset_of(machine: Machine, items: list[object]) -> frozenset[object]:
    result = machine.new_set()
    machine.add(result, items)
    return frozenset(result)


def _stack_global(machine: Machine) -> Global:
    name, module = machine.pop(), machine.pop()
    return machine.name(module, name)


def _line_global(machine: Machine) -> Global:
    module, name = _plain_line(machine), _plain_line(machine)
    return machine.name(module, name)


def _reduce(machine: Machine) -> Call:
    args, func = machine.pop(), machine.pop()
    return machine.call(func, args)


def _new_object_ex(machine: Machine) -> Call:
    kwargs, args, func = machine.pop(), machine.pop(), machine.pop()
    return machine.call(func, args, kwargs)


def _old_object(machine: Machine) -> Call:
    items = machine.pop_mark()
    if not items:
        raise InertPickleError(f"makes an object of nothing at byte {machine.pos - 1}")
    return machine.call(items[0], tuple(items[1:]))


def _old_instance(machine: Machine) -> Call:
    named = _line_global(machine)
    return machine.call(named, tuple(machine.pop_mark()))


def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.top()
    if not isinstance(target, Call):
        raise InertPickleError(f"sets the state of a {type(target).__name__} at byte {machine.pos - 1}")
    target.state = state


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(), [key, value])


def _set_items(machine: Machine) -> None:
    flat = machine.pop_mark()
    machine.set_items(machine.top(), flat)


def _append(machine: Machine) -> None:
    item = machine.pop()
    machine.append(machine.top(), [item])


def _appends(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.append(machine.top(), items)


def _add_items(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.add(machine.top(), items)


def _tuple(count: int) -> Callable[[Machine], tuple[object, ...]]:
    return lambda machine: tuple(reversed([machine.pop() for _ in range(count)]))


def _pop(machine: Machine) -> None:
    if not machine.stack:
        raise InertPickleError(f"takes from an empty stack at byte {machine.pos - 1}")
    machine.stack.pop()  # possibly a mark


def _protocol(machine: Machine) -> None:
    version = machine.number("<B")
    if version > 5:
        raise InertPickleError(f"pickle protocol {version} is not known (0-5 are)")


def _refused(what: str) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        raise InertPickleError(f"uses {what} at byte {machine.pos - 1}, which no network file needs")

    return act


def _push(make: Callable[[Machine], object]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


# Instruction codes and their meaning: CPython, Lib/pickletools.py (documentation of the format).
_PUSHING: dict[bytes, Callable[[Machine], object]] = {
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
    b"\x8f": lambda m: m.new_set(),
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
    b"(": lambda m: MARK,
    b"2": lambda m: m.top(),
}
_DOING: dict[bytes, Callable[[Machine], object]] = {
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
    b"p": lambda m: m.store(_index(m)),
    b"q": lambda m: m.store(m.number("<B")),
    b"r": lambda m: m.store(m.number("<I")),
    b"\x94": lambda m: m.store(len(m.memo)),
    b"g": lambda m: m.recall(_index(m)),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"\x82": _refused("the extension registry"),
    b"\x83": _refused("the extension registry"),
    b"\x84": _refused("the extension registry"),
    b"\x97": _refused("buffers outside the file"),
    b"\x98": _refused("buffers outside the file"),
}
OPCODES: dict[int, Callable[[Machine], object]] = {ord(code): _push(make) for code, make in _PUSHING.items()}
OPCODES.update({ord(code): act for code, act in _DOING.items()})


class Loaded(NamedTuple):
    """The result of :func:`load`.

    Attributes:
        value: the object, made of dicts, lists, tuples, sets, scalars, :class:`Global`, :class:`Call`
            and :class:`PersistentId` only.
        end: the position after the pickle, in bytes.
        globals: every global of the stream, each once.
        references: every persistent id, in order.
    """

    value: object
    end: int
    globals: list[Global]
    references: list[PersistentId]


def load(data: Bytes, start: int = 0, persistent: bool = False, budget: Budget | None = None) -> Loaded:
    """Read one pickle without running any of it.

    Args:
        data: bytes with the stream. Byte strings over ``SMALL_BYTES`` in the result are memoryviews of it.
        start: where the pickle begins, in bytes.
        persistent: whether references to outside data (persistent ids) may occur.
        budget: the remaining limits, where a file has several pickles.

    Raises:
        InertPickleError: the stream is not a pickle or exceeds a limit (``TruncatedPickle``: ends early).
    """
    machine = Machine(memoryview(data).cast("B"), start, persistent, budget or Budget())
    value = machine.run(OPCODES)
    return Loaded(value, machine.pos, list(machine.globals.values()), machine.references)
