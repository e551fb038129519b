"""Names that a pickle may import, by kind: those of network files, harmless ones, and ones that run code.

Accepted names are listed in full. Names that run code are listed by module, only for the explanation: unlisted names
are unknown and treated the same.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..pickle_machine import Global
from ..tensor_view import ELEMENT_TYPES

if TYPE_CHECKING:
    from typing import TypeGuard

EXPECTED, HARMLESS, RUNS, UNKNOWN = "expected", "harmless", "runs code", "unknown"
_STORAGES = {
    f"{kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Char", "Short", "Int", "Long", "Byte")
}
_STORAGES |= {"BoolStorage", "ComplexFloatStorage", "ComplexDoubleStorage", "UntypedStorage", "_UntypedStorage"}
_CORE = {"_reconstruct", "scalar"}
_DICT = {"EasyDict"}
_CONTAINERS = {"set", "frozenset", "dict", "list", "tuple", "bytes", "object"}
_MAKERS = {"_reconstructor", "__newobj__"}  # of protocols 0 to 2; the class is named separately
_EXPECTED = {
    "torch_utils.persistence": {"_reconstruct_persistent_obj"},
    "dnnlib.util": _DICT,
    "dnnlib": _DICT,
    "dnnlib.tflib.network": {"Network"},
    "tfutil": {"Network"},
    "collections": {"OrderedDict"},
    "torch._utils": {
        "_rebuild_tensor",
        "_rebuild_tensor_v2",
        "_rebuild_tensor_v3",
        "_rebuild_parameter",
        "_rebuild_parameter_with_state",
    },
    "torch._tensor": {"_rebuild_from_type_v2"},
    "torch.storage": {"_load_from_bytes", "TypedStorage", "UntypedStorage", "_UntypedStorage"},
    "torch": {*_STORAGES, *ELEMENT_TYPES, "Size", "Tensor", "device", "float", "half", "long", "double", "int"},
    "torch.cuda": _STORAGES,
    "torch.nn.parameter": {"Parameter", "Buffer"},
    "numpy": {*ELEMENT_TYPES, "bool_", "dtype", "ndarray"},
    "numpy.core.multiarray": _CORE,
    "numpy._core.multiarray": _CORE,
    "numpy.core.numeric": {"_frombuffer"},
    "numpy._core.numeric": {"_frombuffer"},
    "builtins": _CONTAINERS,
    "__builtin__": _CONTAINERS,
    "_codecs": {"encode"},
    "copyreg": _MAKERS,
    "copy_reg": _MAKERS,
}
_RUN_ARGUMENTS = {("torch.storage", "_load_from_bytes")}
_DICTS = {("builtins", "dict"), ("__builtin__", "dict"), ("collections", "OrderedDict")}
_SCALARS = {"int", "long", "float", "bool", "str", "unicode", "complex", "bytearray", "slice", "range", "xrange"}
_NN = {
    "activation": "ReLU LeakyReLU PReLU ELU SELU GELU SiLU Sigmoid Tanh Softplus Softmax Hardtanh ReLU6 Mish",
    "batchnorm": "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm",
    "container": "Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "conv": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    "dropout": "Dropout Dropout2d",
    "flatten": "Flatten Unflatten",
    "instancenorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d",
    "linear": "Linear Bilinear Identity",
    "normalization": "LayerNorm GroupNorm LocalResponseNorm RMSNorm",
    "padding": "ZeroPad2d ReflectionPad2d ReplicationPad2d ConstantPad2d",
    "pixelshuffle": "PixelShuffle PixelUnshuffle",
    "pooling": "AvgPool2d MaxPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d",
    "sparse": "Embedding EmbeddingBag",
    "upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}
_PATHS = {"PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath"}
_HARMLESS = {
    "builtins": _SCALARS,
    "__builtin__": _SCALARS,
    "argparse": {"Namespace"},
    "collections": {"defaultdict", "deque", "Counter"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
    "pathlib": _PATHS,
    "numpy.ma.core": {"_mareconstruct", "MaskedArray"},
    "numpy.random._pickle": {"__randomstate_ctor", "__bit_generator_ctor", "__generator_ctor"},
    "numpy.dtypes": {
        f"{kind}DType" for kind in ("Float16", "Float32", "Float64", "Int8", "Int32", "Int64", "UInt8", "Bool")
    },
    **{f"torch.nn.modules.{module}": set(names.split()) for module, names in _NN.items()},
}
_CODE, _PROGRAMS = "runs Python code", "starts programs or reaches into the system"
_FILES, _NETWORK = "reads or writes files", "reaches the network"
_NATIVE, _UNPICKLES, _REACHES = "calls native code", "unpickles or imports further code", "reaches other functions"
_RUNS = {
    _CODE: "builtins __builtin__ code codeop runpy timeit profile cProfile trace pdb bdb doctest unittest test pydoc "
    "idlelib lib2to3 types inspect numpy.testing numpy.f2py numpy.distutils torch.jit torch.utils torch.testing "
    "torch._dynamo torch._inductor torch.fx torch.distributed torch.cuda.memory sympy keras tensorflow IPython",
    _PROGRAMS: "os posix nt subprocess pty commands popen2 _posixsubprocess multiprocessing asyncio concurrent "
    "threading _thread sys signal pip ensurepip venv setuptools distutils webbrowser antigravity platform "
    "resource gc sched _osx_support _aix_support cgitb",
    _FILES: "io _io _pyio shutil tempfile glob fileinput tarfile zipfile sqlite3 dbm shelve mmap fcntl logging "
    "linecache posixpath ntpath pathlib csv configparser numpy.lib numpy.memmap numpy.core.records",
    _NETWORK: "socket _socket ssl http httplib urllib urllib2 urllib3 requests aiohttp ftplib smtplib poplib imaplib "
    "nntplib telnetlib xmlrpc socketserver torch.hub huggingface_hub",
    _NATIVE: "ctypes _ctypes cffi _cffi_backend",
    _UNPICKLES: "pickle _pickle cPickle marshal dill cloudpickle joblib jsonpickle copyreg copy_reg importlib _imp "
    "imp pkgutil zipimport site torch.serialization torch.package torch.multiprocessing numpy.compat",
    _REACHES: "operator _operator functools _functools weakref itertools contextlib",
}
_WHY = {module: why for why, modules in _RUNS.items() for module in modules.split()}
_SINGLE = {
    ("numpy", "load"): _UNPICKLES,
    ("numpy", "save"): _FILES,
    ("numpy", "savez"): _FILES,
    ("numpy", "savetxt"): _FILES,
    ("numpy", "loadtxt"): _FILES,
    ("numpy", "fromfile"): _FILES,
    ("numpy", "memmap"): _FILES,
    ("torch", "load"): _UNPICKLES,
    ("torch", "save"): _FILES,
    ("torch", "compile"): _CODE,
}


def kind_of(module: str, name: str) -> tuple[str, str]:
    """The kind of a name, and for names that run code a short explanation."""
    if "." in name:  # protocol 4 resolves dots through the module's own imports
        return RUNS, "reaches what another module has imported"
    if name in _EXPECTED.get(module, ()) or _in_a_fork(module, name):
        return EXPECTED, ""
    if name in _HARMLESS.get(module, ()):
        return HARMLESS, ""
    if (module, name) in _SINGLE:
        return RUNS, _SINGLE[module, name]
    parts = module.split(".")
    for length in range(min(len(parts), 3), 0, -1):
        why = _WHY.get(".".join(parts[:length]))
        if why:
            return RUNS, why
    return UNKNOWN, ""


def _in_a_fork(module: str, name: str) -> bool:
    """Whether a name is one of NVIDIA's inside a fork's package (``src.torch_utils.persistence``).

    The package is imported first, so it must not be one of Python's or a known one: some run code on import.
    """
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts) or "__main__" in parts:
        return False
    if parts[0] in _WHY or parts[0] in _EXPECTED or parts[0] in getattr(sys, "stdlib_module_names", ()):
        return False
    if name == "_reconstruct_persistent_obj":
        return module.endswith(".torch_utils.persistence")
    return name == "EasyDict" and module.endswith((".dnnlib.util", ".dnnlib"))


def runs_arguments(value: object) -> bool:
    """Whether something is a name of network files whose call runs code from its arguments."""
    if not isinstance(value, Global):
        return False
    known = value.name == "_reconstruct_persistent_obj" or (value.module, value.name) in _RUN_ARGUMENTS
    return known or is_tf_network(value)


def is_tf_network(value: Global) -> bool:
    """Whether a name is the network class of the TensorFlow toolkits, which runs the source in its state."""
    return (value.module, value.name) in (("tfutil", "Network"), ("dnnlib.tflib.network", "Network"))


def is_array(value: object) -> TypeGuard[Global]:
    """Whether a name is NumPy's class of arrays."""
    return isinstance(value, Global) and (value.module, value.name) == ("numpy", "ndarray")


def names_a_dict(value: object) -> bool:
    """Whether a name is a class of dicts that only hold their arguments."""
    if not isinstance(value, Global):
        return False
    return value.name == "EasyDict" or (value.module, value.name) in _DICTS
