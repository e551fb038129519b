"""Pickles whose instructions are the trick: every way to a call, and every way past a scanner of calls."""

from __future__ import annotations

from typing import Any

from .case import REFUSED, Content, Hostile, named, run, shell, source, text, whole

CASES: list[Hostile] = []
_NO_NETWORK = "is not a StyleGAN network file"


def _add(name: str, content: bytes | Content, says: str = _NO_NETWORK, **more: Any) -> None:
    CASES.append(Hostile(name, "network", ".pkl", content, f"{says}|{REFUSED}", **more))


def _armed(name: str, body: Content, says: str = _NO_NETWORK, protocol: int = 3) -> None:
    _add(name, lambda canary: whole(body(canary), protocol), says, armed=True)


def _lazily(canary: str) -> bytes:
    """``map(exec, [payload])``, which runs once somebody goes through it."""
    return named("builtins", "map") + named("builtins", "exec") + b"(" + text(source(canary)) + b"l\x86R"


def _registered(function: str, number: bytes, recall: bytes) -> Content:
    """Put a function into the registry of extensions, then call it by its number."""
    entry = named("copyreg", "add_extension") + text("builtins") + text(function) + number + b"\x87R0" + recall
    return lambda canary: entry + text(source(canary)) + b"\x85R"


def _planted(canary: str) -> bytes:
    """Give a harmless class a ``__setstate__``, make an object of it, and set its state."""
    plant = named("argparse", "Namespace") + b"N}" + text("__setstate__") + named("builtins", "exec") + b"s\x86b"
    return plant + b")\x81" + text(source(canary)) + b"b"


def _in_text_mode(canary: str) -> bytes:
    return b"cbuiltins\nexec\n(V" + source(canary).encode("raw_unicode_escape") + b"\ntR"


# Ways to a call.
_armed("reduce", run)
_armed("reduce-in-text-mode", _in_text_mode, protocol=0)
_armed("reduce-without-protocol", run, "not a pickle", protocol=1)
_armed("stack-global", lambda c: text("builtins") + text("exec") + b"\x93" + text(source(c)) + b"\x85R")
_armed(
    "stack-global-from-memo",  # a scanner that looks at the two texts before it finds others
    lambda c: text("exec") + b"\x940" + text("builtins") + b"\x940h\x01h\x00\x93" + text(source(c)) + b"\x85R",
)
_armed(
    "stack-global-after-decoys",
    lambda c: text("builtins") + text("exec") + text("collections") + text("OrderedDict") + b"00\x93"
    + text(source(c)) + b"\x85R",
)  # fmt: skip
_armed("inst", lambda c: b"(" + text(source(c)) + b"ibuiltins\nexec\n")
_armed("obj", lambda c: b"(" + named("builtins", "frozenset") + _lazily(c) + b"o")
_armed("newobj", lambda c: named("builtins", "frozenset") + _lazily(c) + b"\x85\x81")
_armed("newobj-ex", lambda c: named("builtins", "frozenset") + _lazily(c) + b"\x85}\x92")
_armed("setstate-planted", _planted, "sets the state of a Global")
_armed("dotted-name", lambda c: text("posixpath") + text("os.system") + b"\x93" + text(shell(c)) + b"\x85R",
       protocol=4)  # fmt: skip
_armed(
    "dotted-name-in-a-known-module",
    lambda c: text("collections") + text("_sys.modules.__class__") + b"\x930" + run(c),
    protocol=4,
)
_armed("extension-1", _registered("exec", b"K\xf0", b"\x82\xf0"), "extension registry")
_armed("extension-2", _registered("eval", b"M\xf1\x01", b"\x83\xf1\x01"), "extension registry")
_armed(
    "extension-4",
    lambda c: _registered("compile", b"J\xf2\x01\x02\x00", b"\x84\xf2\x01\x02\x00")(c)[:-2] + text("x") + text("exec")
    + b"\x87R0" + run(c),
    "extension registry",
)  # fmt: skip
_armed("copyreg-newobj", lambda c: named("copyreg", "__newobj__") + named("builtins", "frozenset") + _lazily(c)
       + b"\x86R")  # fmt: skip
_armed("copyreg-reconstructor", lambda c: named("copyreg", "_reconstructor") + named("builtins", "frozenset") * 2
       + _lazily(c) + b"\x87R")  # fmt: skip
_armed("call-of-a-call", lambda c: named("builtins", "getattr") + named("builtins", "__import__") + text("os")
       + b"\x85R" + text("system") + b"\x86R" + text(shell(c)) + b"\x85R")  # fmt: skip
_armed("appends-to-a-call", lambda c: named("collections", "deque") + b")R(" + run(c) + b"e")
_armed("item-of-a-call", lambda c: named("collections", "OrderedDict") + b")R" + text("G_ema") + run(c) + b"s",
       "not a network|an object of builtins.exec")  # fmt: skip
_armed("state-of-a-call", lambda c: named("argparse", "Namespace") + b")\x81}" + text("x") + run(c) + b"sb")

# Ways past a scanner: the call comes first, and what makes the scanner stop comes after it.
_armed("broken-tail", lambda c: run(c) + b"\xff", "no pickle instruction has the code 0xff")
_armed("underflow-tail", lambda c: run(c) + b"00000", "takes from an empty stack")
_armed("state-of-none-tail", lambda c: run(c) + b"0N}b", "sets the state of a NoneType")
_armed("unstored-memo-tail", lambda c: run(c) + b"hc", "recalls entry 99")
_armed("missing-mark-tail", lambda c: run(c) + b"t", "a mark is missing")
_armed("unhashable-tail", lambda c: run(c) + b"0}]Ns", "a key of type list")
_armed("odd-items-tail", lambda c: run(c) + b"0}(Nu", "a key without a value")
_armed("left-over-tail", lambda c: run(c) + b"NN", "leaves 2 objects over")
_armed("invalid-utf-8-tail", lambda c: run(c) + b"0X\x02\x00\x00\x00\xff\xfe", "text that is not utf-8")
_armed("long-line-tail", lambda c: run(c) + b"0I" + b"1" * 100_000 + b"\n", "over 65536 bytes long")
_armed("many-digits-tail", lambda c: run(c) + b"0I" + b"1" * 5_000 + b"\n", "a decimal number of 5000 digits")
_armed("unended-tail", lambda c: run(c) + b"0V" + b"1" * 100, "truncated")
_armed("huge-length-tail", lambda c: run(c) + b"0\x8d" + b"\xff" * 8, "truncated")
_armed("huge-bytes-tail", lambda c: run(c) + b"0B\xff\xff\xff\x7f", "truncated")
_armed("negative-length-tail", lambda c: run(c) + b"0\x8b\xff\xff\xff\xff", "truncated")
_armed("huge-frame-tail", lambda c: run(c) + b"\x95" + b"\xff" * 8 + b"0N")
_armed("late-protocol", lambda c: run(c) + b"0\x80\x05N", protocol=2)
_armed("surrogates-in-names", lambda c: run(c) + b"0X\x03\x00\x00\x00\xed\xa0\x80X\x06\x00\x00\x00system\x93)R")
_armed("escapes-in-names", lambda c: run(c) + b"0cos\x1b]0;owned\x07\nsy\x1b[2Jstem\n)R")
_armed("newlines-in-names", lambda c: run(c) + b"0" + text("os\nError: all is well\n") + text("x\r\n") + b"\x93)R")
_add("cut-tail", lambda c: whole(run(c))[:-1], "truncated", armed=True)
_add("second-pickle", lambda c: whole(b"N") + whole(run(c)), armed=True)
_add("unknown-protocol", lambda c: whole(run(c), 6), "protocol 6 is not known")

# References to what is outside the file.
_add("persistent-id", whole(text("a") + b"Q"), "a persistent id")
_add("persistent-id-in-text-mode", whole(b"Pos.system\n"), "a persistent id")
_add("buffer-outside", whole(b"\x97\x98", 5), "buffers outside the file")
