"""Calls by way of names that lists of dangerous names forget: of the standard library, of NumPy and of torch."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from pickle_writer import Global, call, dumps

from .case import REFUSED, Hostile, legacy, run, shell, source, whole


def _inner(canary: str) -> bytes:
    return whole(run(canary))


_EXEC, _EVAL = Global("builtins", "exec"), Global("builtins", "eval")

# The function and its arguments; the payload runs as soon as Python's unpickler makes the call.
_ARMED: dict[str, Any] = {
    "os-system": lambda c: call("os.system", shell(c)),
    "posix-system": lambda c: call("posix.system", shell(c)),
    "subprocess": lambda c: call("subprocess.check_output", ["touch", c]),
    "eval": lambda c: call("builtins.eval", source(c)),
    "eval-of-python-2": lambda c: call("__builtin__.eval", source(c)),
    "open-to-write": lambda c: call("builtins.open", c, "w"),
    "io-open": lambda c: call("_io.open", c, "w"),
    "copy": lambda c: call("shutil.copyfile", "/dev/null", c),
    "profile": lambda c: call("cProfile.run", source(c), "/dev/null"),
    "timeit": lambda c: call("timeit.timeit", source(c), "pass", Global("time", "perf_counter"), 1),
    "runpy": lambda c: call("runpy._run_code", call("builtins.compile", source(c), "x", "exec"), {}),
    "partial": lambda c: _call(call("functools.partial", _EXEC), source(c)),
    "methodcaller": lambda c: _call(call("operator.methodcaller", "system", shell(c)),
                                    call("builtins.__import__", "os")),
    "attrgetter": lambda c: _call(_call(call("operator.attrgetter", "system"), call("builtins.__import__", "os")),
                                  shell(c)),
    "itemgetter": lambda c: _call(_call(call("operator.itemgetter", "exec"), call("builtins.vars",
                                  call("builtins.__import__", "builtins"))), source(c)),
    "functools-reduce": lambda c: call("functools.reduce", _EVAL, [source(c), {}]),
    "map": lambda c: call("builtins.list", call("builtins.map", _EXEC, [source(c)])),
    "nested": lambda c: call("pickle.loads", _inner(c)),
    "nested-c": lambda c: call("_pickle.loads", _inner(c)),
    "nested-as-text": lambda c: call("pickle.loads", call("_codecs.encode", _inner(c).decode("latin-1"), "latin1")),
    "nested-packed": lambda c: call("pickle.loads", call("zlib.decompress", zlib.compress(_inner(c)))),
    "nested-base64": lambda c: call("pickle.loads", call("base64.b64decode", base64.b64encode(_inner(c)))),
    "function-of-code": lambda c: _call(call("types.FunctionType", call("builtins.compile", source(c), "x", "exec"),
                                             {})),
    "numpy-runstring": lambda c: call("numpy.testing._private.utils.runstring", source(c), {}),
    "numpy-tofile": lambda c: call("numpy.memmap", c, "u1", "w+", 0, (1,)),
    "torch-load-from-bytes": lambda c: call("torch.storage._load_from_bytes", legacy(2, run(c))),
    "torch-exec-wrapper": lambda c: call("torch.jit.unsupported_tensor_ops.execWrapper", source(c), {}, {}),
}  # fmt: skip
# Those that would reach outside, ask a person, or need what tests do not install.
_UNARMED: dict[str, Any] = {
    "pty": lambda c: call("pty.spawn", ["touch", c]),
    "pdb": lambda c: call("pdb.run", source(c)),
    "doctest": lambda c: call("doctest.debug_script", source(c)),
    "code": lambda c: call("code.interact"),
    "asyncio": lambda c: call("asyncio.unix_events._UnixSubprocessTransport._start", None, ["touch", c]),
    "import-module": lambda c: call("importlib.import_module", "antigravity"),
    "webbrowser": lambda c: call("webbrowser.open", f"file://{c}"),
    "urlopen": lambda c: call("urllib.request.urlopen", "http://127.0.0.1:9/"),
    "socket": lambda c: call("socket.create_connection", ("127.0.0.1", 9)),
    "ctypes": lambda c: call("ctypes.CDLL", "libc.so.6"),
    "breakpoint": lambda c: call("builtins.breakpoint"),
    "exit": lambda c: call("os._exit", 0),
    "marshal": lambda c: call("marshal.loads", b"c" * 40),
    "numpy-load": lambda c: call("numpy.load", c, None, True),
    "torch-load": lambda c: call("torch.load", c),
    "torch-hub": lambda c: call("torch.hub.load", "somebody/something", "model"),
    "torch-load-inline": lambda c: call("torch.utils.cpp_extension.load_inline", "x", "int x;"),
    "pip": lambda c: call("pip.main", ["install", "nothing"]),
}


def _call(function: Any, *args: Any) -> Any:
    made = call("builtins.exec", *args)
    made.func = function
    return made


CASES = [
    Hostile(
        f"gadget-{name}",
        "network",
        ".pkl",
        lambda canary, name=name, make=make: dumps({"G_ema": make(canary)}, 2 if "python-2" in name else 4),
        REFUSED,
        armed=armed,
    )
    for armed, gadgets in ((True, _ARMED), (False, _UNARMED))
    for name, make in gadgets.items()
]
