"""The stack machine of pickles, which makes inert records of names, calls and references."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..system.messages import shown

if TYPE_CHECKING:
    from .tensor_view import Bytes

    Pairs = list[tuple[object, object]]  # keys and values of a dict, in the order of the file


class InertPickleError(Exception):
    """The stream is not a pickle, is cut short, or exceeds a limit."""


class TruncatedPickle(InertPickleError):
    """The stream ends before the pickle does."""


class Global:
    """A global of the stream, ``module`` and ``name``; never imported."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    @property
    def path(self) -> str:
        """``module.name``, for messages and tables: printable, one line, at most 200 characters."""
        return shown(f"{self.module}.{self.name}")

    def __repr__(self) -> str:
        return f"Global({self.path!r})"


class Call:
    """An object of the stream: the call that would make it, and later changes to it.

    Attributes:
        func: normally a :class:`Global`.
        args: positional arguments.
        kwargs: keyword arguments (only ``NEWOBJ_EX`` gives any).
        state: argument of ``BUILD``, or None.
        items: what was appended or added; ``pairs``: what was set by key.
    """

    __slots__ = ("args", "func", "items", "kwargs", "pairs", "state")

    def __init__(self, func: object, args: tuple[object, ...], kwargs: dict[object, object] | None = None) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs or {}
        self.state: object = None
        self.items: list[object] = []
        self.pairs: Pairs = []

    def __repr__(self) -> str:
        return f"Call({self.func!r}, {len(self.args)} arguments)"


class PersistentId:
    """A reference to something outside the stream (a tensor's storage, in ``torch.save`` files)."""

    __slots__ = ("pid",)

    def __init__(self, pid: object) -> None:
        self.pid = pid


MAX_OPCODES = 1_000_000  # a StyleGAN3 training snapshot has about 60,000
MAX_LINE = 65_536  # bytes of a text-mode argument
MAX_ODD_KEYS = 4_096  # keys other than text and small numbers: hashes of long numbers can be made to collide
MAX_KEY = 4_096  # letters of a key: equal keys are compared letter by letter
MAX_KEY_PARTS = 16  # of a tuple as a key: its hash is not cached
MAX_SETS = 100_000  # an empty one takes one byte in a file and over 200 in memory
MAX_LONG = 512  # bytes of a whole number; torch's magic number has 10
SMALL_BYTES = 4_096  # longer byte strings stay views of the file
MARK = object()
_FORMS = {layout: struct.Struct(layout) for layout in ("<B", "<H", "<I", "<Q", "<i", ">d")}
_MISSING = object()


class Budget:
    """Remaining limits of one file, shared by its pickles.

    Attributes:
        opcodes: instructions.
        sets: sets.
        odd_keys: keys other than text and small numbers.
    """

    def __init__(self) -> None:
        self.opcodes, self.sets, self.odd_keys = MAX_OPCODES, MAX_SETS, MAX_ODD_KEYS


class Machine:
    """The stack machine of one pickle. ``data`` is a memoryview of bytes; reading starts at ``pos``."""

    def __init__(self, data: memoryview, pos: int, persistent: bool, budget: Budget) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data)
        self.persistent = persistent
        self.budget = budget
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.references: list[PersistentId] = []

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
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack.pop()

    def pop_mark(self) -> list[object]:
        """Take everything above the topmost mark."""
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and stack[at] is not MARK:
            at -= 1
        if at < 0:
            raise InertPickleError(f"a mark is missing at byte {self.pos - 1}")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def top(self) -> object:
        """The topmost object, left in its place."""
        if not self.stack or self.stack[-1] is MARK:
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack[-1]

    def store(self, index: int) -> None:
        """Store the topmost object under a number of at most 32 bits (longer ones could have equal hashes)."""
        if not 0 <= index < 1 << 32:
            raise InertPickleError(f"stores an entry under a number of more than 32 bits at byte {self.pos - 1}")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Push an object that was stored before."""
        item = self.memo.get(index, _MISSING)
        if item is _MISSING:
            raise InertPickleError(f"recalls entry {index}, which was never stored, at byte {self.pos - 1}")
        self.stack.append(item)

    # --- building ---------------------------------------------------------------------------------

    def name(self, module: object, name: object) -> Global:
        """The record of a global."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise InertPickleError(f"names a global by something that is not text at byte {self.pos - 1}")
        return self.globals.setdefault((module, name), Global(module, name))

    def set_items(self, target: object, flat: list[object]) -> None:
        """Set alternating keys and values in a dict, or in a call that would make one."""
        if len(flat) % 2:
            raise InertPickleError(f"a key without a value at byte {self.pos - 1}")
        pairs = list(zip(flat[::2], flat[1::2]))
        if not isinstance(target, (Call, dict)):
            raise InertPickleError(f"sets items of a {type(target).__name__} at byte {self.pos - 1}")
        for key, _ in pairs:
            self.check_key(key)
        if isinstance(target, Call):
            target.pairs.extend(pairs)
        else:
            target.update(pairs)

    def append(self, target: object, items: list[object]) -> None:
        """Append to a list, or to a call that would make one."""
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise InertPickleError(f"appends to a {type(target).__name__} at byte {self.pos - 1}")

    def add(self, target: object, items: list[object]) -> None:
        """Add to a set, or to a call that would make one."""
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, set):
            for item in items:
                self.check_key(item)
                target.add(item)
        else:
            raise InertPickleError(f"adds to a {type(target).__name__} at byte {self.pos - 1}")

    def check_key(self, key: object) -> None:
        """Limit keys that are neither short text nor small numbers, since their hashes could be made to collide."""
        if is_plain_key(key):
            return
        parts = key if isinstance(key, tuple) else (key,)
        good = len(parts) <= MAX_KEY_PARTS
        if not good or not all(is_plain_key(part) or isinstance(part, _ODD) for part in parts):
            raise InertPickleError(f"a key of type {type(key).__name__} at byte {self.pos - 1}")
        self.budget.odd_keys -= 1
        if self.budget.odd_keys < 0:
            raise InertPickleError(f"has over {MAX_ODD_KEYS} keys that are neither text nor small numbers")

    def new_set(self) -> set[object]:
        """An empty set."""
        self.budget.sets -= 1
        if self.budget.sets < 0:
            raise InertPickleError(f"has more than {MAX_SETS} sets")
        return set()

    def call(self, func: object, args: object, kwargs: object = None) -> Call:
        """The record of a call."""
        if not isinstance(args, tuple) or not (kwargs is None or isinstance(kwargs, dict)):
            raise InertPickleError(f"a call with malformed arguments at byte {self.pos - 1}")
        return Call(func, args, kwargs)

    def reference(self, pid: object) -> PersistentId:
        """Record a reference to outside data."""
        if not self.persistent:
            raise InertPickleError("refers to data outside the file (a persistent id)")
        self.references.append(PersistentId(pid))
        return self.references[-1]

    # --- the loop ---------------------------------------------------------------------------------

    def run(self, opcodes: Mapping[int, Callable[[Machine], object]]) -> object:
        """Execute instructions up to STOP and give the object left on the stack."""
        data, stack = self.data, self.stack
        for used in range(self.budget.opcodes):
            if self.pos >= self.end:
                raise TruncatedPickle(f"ends early: no end of the pickle in {self.end} bytes")
            code = data[self.pos]
            self.pos += 1
            if code == 0x2E:  # STOP
                result = self.pop()
                if stack:
                    raise InertPickleError(f"leaves {len(stack)} objects over at byte {self.pos - 1}")
                self.budget.opcodes -= used + 1
                return result
            act = opcodes.get(code)
            if act is None:
                raise InertPickleError(f"no pickle instruction has the code 0x{code:02x} (byte {self.pos - 1})")
            act(self)
        raise InertPickleError(f"has more than {MAX_OPCODES} instructions")


_ODD = (int, float, Global, Call)


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
