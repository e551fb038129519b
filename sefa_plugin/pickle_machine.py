"""The stack machine of a pickle: reads a stream and builds plain records, within fixed limits."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from .pickle_records import Call, Global, InertPickleError, PersistentId, TruncatedPickle

MAX_OPCODES = 1_000_000  # a StyleGAN3 training snapshot has about 60,000
MAX_LINE = 65_536  # bytes of a text-mode argument
MAX_ODD_KEYS = 4_096  # keys other than text per dict or set: hashes of numbers can be made to collide
SMALL_BYTES = 4_096  # longer byte strings stay views of the file

MARK = object()
_FORMS = {layout: struct.Struct(layout) for layout in ("<B", "<H", "<I", "<Q", "<i", ">d")}
_MISSING = object()


class Machine:
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
        """The next ``count`` bytes, not copied."""
        if count < 0 or count > self.end - self.pos:
            raise TruncatedPickle(f"ends early: {count} bytes wanted at byte {self.pos} of {self.end}")
        start = self.pos
        self.pos = start + count
        return self.data[start : self.pos]

    def number(self, layout: str) -> int:
        """A number in the layout of ``struct``."""
        form = _FORMS[layout]
        start = self.pos
        if start + form.size > self.end:
            self.take(form.size)  # which says what is missing
        self.pos = start + form.size
        return form.unpack_from(self.data, start)[0]

    def line(self) -> bytes:
        """Bytes up to a line break."""
        chunk = bytes(self.data[self.pos : self.pos + MAX_LINE])
        stop = chunk.find(b"\n")
        if stop < 0:
            if self.pos + MAX_LINE >= self.end:
                raise TruncatedPickle(f"ends early: a line that starts at byte {self.pos} has no end")
            raise InertPickleError(f"a line at byte {self.pos} is over {MAX_LINE} bytes long")
        self.pos += stop + 1
        return chunk[:stop]

    def blob(self, layout: str) -> bytes | memoryview:
        """A byte string after its length; a long one is a view."""
        view = self.take(self.number(layout))
        return bytes(view) if len(view) <= SMALL_BYTES else view

    def text(self, layout: str, encoding: str = "utf-8") -> str:
        """A text after its length."""
        return decode(self.take(self.number(layout)), encoding)

    # --- the stack --------------------------------------------------------------------------------

    def pop(self) -> Any:
        """Take the topmost object."""
        if not self.stack or self.stack[-1] is MARK:
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack.pop()

    def pop_mark(self) -> list:
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

    def top(self) -> Any:
        """The topmost object, left in its place."""
        if not self.stack or self.stack[-1] is MARK:
            raise InertPickleError(f"takes from an empty stack at byte {self.pos - 1}")
        return self.stack[-1]

    def recall(self, index: int) -> None:
        """Push an object that was stored before."""
        item = self.memo.get(index, _MISSING)
        if item is _MISSING:
            raise InertPickleError(f"recalls entry {index}, which was never stored, at byte {self.pos - 1}")
        self.stack.append(item)

    # --- building ---------------------------------------------------------------------------------

    def name(self, module: Any, name: Any) -> Global:
        """Note a name."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise InertPickleError(f"names a global by something that is not text at byte {self.pos - 1}")
        return self.globals.setdefault((module, name), Global(module, name))

    def set_items(self, target: Any, flat: list) -> None:
        """Set keys and values, which alternate, of a dict or of a call that would make one."""
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
        """Append to a list, or to a call that would make one."""
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise InertPickleError(f"appends to a {type(target).__name__} at byte {self.pos - 1}")

    def add(self, target: Any, items: list) -> None:
        """Add to a set, or to a call that would make one."""
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
        """Note a call."""
        if not isinstance(args, tuple) or not (kwargs is None or isinstance(kwargs, dict)):
            raise InertPickleError(f"a call with malformed arguments at byte {self.pos - 1}")
        return Call(func, args, kwargs)

    def reference(self, pid: Any) -> PersistentId:
        """Note a reference to outside data."""
        if not self.persistent:
            raise InertPickleError("refers to data outside the file (a persistent id)")
        self.references.append(PersistentId(pid))
        return self.references[-1]

    # --- the loop ---------------------------------------------------------------------------------

    def run(self, opcodes: Mapping[int, Callable[[Machine], None]]) -> Any:
        """Follow instructions up to STOP and give what is then on the stack."""
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
            act = opcodes.get(code)
            if act is None:
                raise InertPickleError(f"no pickle instruction has the code 0x{code:02x} (byte {self.pos - 1})")
            act(self)
        raise InertPickleError(f"has more than {MAX_OPCODES} instructions")


def decode(raw: Any, encoding: str) -> str:
    """Text of the stream; ``InertPickleError`` where it is not of its encoding."""
    try:
        return str(raw, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise InertPickleError(f"text that is not {encoding}: {error.reason}") from None
