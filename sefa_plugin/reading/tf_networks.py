"""Networks of NVIDIA's TensorFlow toolkits, read without TensorFlow.

A file holds ``(G, D, Gs)``, each an object of ``dnnlib.tflib.network.Network`` (PGGAN: ``tfutil.Network``) whose
state has a ``version`` (2: PGGAN, 3: StyleGAN, 4: StyleGAN2, 5: StyleGAN2-ADA), the name and source of the
function that built it, that function's ``static_kwargs``, its ``variables`` and, from version 3 on, further
networks as ``components``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..system.messages import quoted, shown
from .module_walk import MAX_SOURCE, ModuleRecord, source_digest
from .network_record import Taken
from .pickle_forms import Object, is_network_of_tensorflow
from .pickle_values import ValueProblem, Values
from .tensor_view import TensorView

if TYPE_CHECKING:
    from typing import TypeGuard

VERSIONS = (2, 3, 4, 5)
_ORDER = ("G", "D", "G_ema")  # G, D and Gs in the file
_MAX_COMPONENTS = 16


@dataclass
class _Found:
    """The parts of a network and its components read so far."""

    tensors: dict[str, TensorView] = field(default_factory=dict)
    modules: dict[str, ModuleRecord] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def _is_network(value: object) -> TypeGuard[Object]:
    return isinstance(value, Object) and is_network_of_tensorflow(value.kind)


def entries(value: object) -> dict[str, Object] | None:
    """Networks by NVIDIA's PyTorch names (``Gs`` is ``G_ema``); None where the file holds none."""
    if _is_network(value):
        return {"G_ema": value}
    parts = value if isinstance(value, (tuple, list)) else ()
    if not parts or len(parts) > len(_ORDER) or not any(map(_is_network, parts)):
        return None
    names = _ORDER if len(parts) == len(_ORDER) else _ORDER[-len(parts) :]
    return {name: part for name, part in zip(names, parts) if _is_network(part)}


def take(value: Object, values: Values) -> Taken:
    """Read one network.

    Names of tensors begin with their component: ``synthesis/4x4/Const/const``. ``modules`` holds the network ('') and
    its components by name, with the building function as class and its arguments as attributes.

    Raises:
        ValueProblem: the network is inconsistent, or of an unknown version.
    """
    found = _Found()
    version = _network(value, "", values, found)
    root = found.modules[""]
    return Taken(
        root.class_name,
        found.tensors,
        init_kwargs=root.attributes,
        modules=found.modules,
        sources=found.sources,
        layout=str(version),
    )


def _network(value: object, name: str, values: Values, found: _Found) -> int:
    """Add a network and its components to ``found``; gives its version."""
    state = value.state if _is_network(value) else None
    where = f"the TensorFlow network {shown(name, 60) or 'Gs'}"
    if state is None:
        raise ValueProblem(f"{where} is not a network")
    version, kwargs = values.plain(state.get("version")), values.plain(state.get("static_kwargs", {}))
    if type(version) is not int or version not in VERSIONS:
        raise ValueProblem(f"{where} is of version {quoted(version)} of the TensorFlow toolkits; {VERSIONS} are known")
    function, source = state.get("build_func_name"), state.get("build_module_src", "")
    if type(function) is not str or type(source) is not str or not isinstance(kwargs, dict):
        raise ValueProblem(f"{where} does not say what built it")
    if len(source) > MAX_SOURCE:
        raise ValueProblem(f"{where} has a source of more than {MAX_SOURCE} letters")
    digest = source_digest(source)
    if digest:
        found.sources[digest] = source
    found.modules[name] = ModuleRecord(shown(function, 80), kwargs, digest)
    prefix = f"{name}/" if name else ""
    for key, item in _variables(state.get("variables"), where):
        if f"{prefix}{key}" in found.tensors:
            raise ValueProblem(f"{where} has variable {shown(key, 80)} twice")
        found.tensors[f"{prefix}{key}"] = _tensor(item, values, f"{prefix}{key}")
    components = state.get("components", {})
    if not isinstance(components, dict) or name and components:
        raise ValueProblem(f"{where} has malformed components")
    if len(components) > _MAX_COMPONENTS:
        raise ValueProblem(f"{where} has {len(components)} components")
    for component, part in components.items():
        if not isinstance(component, str) or "/" in component:
            raise ValueProblem(f"{where} has a component without a name")
        _network(part, component, values, found)
    return version


def _variables(value: object, where: str) -> Iterable[tuple[str, object]]:
    if not isinstance(value, (dict, list, tuple)):
        raise ValueProblem(f"{where} has no variables")
    pairs: Iterable[object] = value.items() if isinstance(value, dict) else value
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ValueProblem(f"{where} has a malformed variable")
        yield pair[0], pair[1]


def _tensor(item: object, values: Values, name: str) -> TensorView:
    """A variable; scalars are pickled as NumPy scalars, not as arrays."""
    value = values.plain(item)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return TensorView("float32", (), (), 0, struct.pack("<f", value))
        except (OverflowError, struct.error):
            raise ValueProblem(f"variable {shown(name, 80)} is too large a number") from None
    if not isinstance(value, TensorView):
        raise ValueProblem(f"variable {shown(name, 80)} is a {type(value).__name__}")
    return value
