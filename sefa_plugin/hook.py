"""The interface between a toolkit and this plugin: the methods of a hook, and checks of what they return.

A hook recognises the record of a network file, lists its style layers, and builds a generator.
Recognising and listing need no torch, so they are fast; only ``build`` imports it.
``docs/hooks.md`` shows a whole hook.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .reading.network_record import NetworkRecord, chosen_by
from .reading.tensor_view import TensorView
from .system.messages import printable, shown

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ArrayLike",
    "Hook",
    "HookError",
    "Listing",
    "NetworkRecord",
    "NoHookError",
    "StyleLayer",
    "check_attribute",
    "check_layers",
    "find_hook",
    "listing_of",
    "others_of",
    "reason_of",
    "remarks_of",
]

KINDS = ("conv", "torgb", "input", "mapping")
SIZES = ("z_dim", "c_dim", "w_dim", "num_ws", "resolution", "channels")


class HookError(Exception):
    """No hook fits a network, or a hook gave something that breaks the contract.

    Unprintable characters of the message, which may hold names of a file, are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class NoHookError(HookError):
    """No hook fits a network."""


class ArrayLike(Protocol):
    """What ``numpy.asarray`` accepts: a NumPy array, or a tensor that this call reads from its file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @property
    def dtype(self) -> object:
        """Element type; its ``str`` ends in NumPy's name (``float32``)."""


@dataclass(frozen=True, eq=False)
class StyleLayer:
    """One affine transformation of the latent code: ``style = gain * (weight @ w) + bias``.

    Attributes:
        name: dotted name, in the generator that the hook builds, of a module whose ``weight`` this is:
            ``synthesis.b8.conv0.affine``; unique in its network.
        weight: array-like ``[channels, w_dim]`` float, as stored (no gain applied);
            ``numpy.asarray(weight)`` gives the numbers.
        ws_index: the row of ``ws`` that feeds the layer; -1 for a mapping layer.
        kind: ``conv``, ``torgb``, ``input`` (StyleGAN3's rigid motion, not a style) or ``mapping``.
        weight_gain: factor applied to the stored weight at run time.
        style_gain: further factor on the layer's output (1 / sqrt(channels) of a ToRGB).
        size: height in pixels of the layer's output.
        detail: finest detail of its output, as a picture size in pixels (block resolution, or twice StyleGAN3's
            output cutoff); None where layers form no coarse/middle/fine groups.
    """

    name: str
    weight: ArrayLike
    ws_index: int
    kind: str = "conv"
    weight_gain: float = 1.0
    style_gain: float = 1.0
    size: int = 0
    detail: float | None = None

    @property
    def channels(self) -> int:
        """Number of outputs of the layer."""
        return int(self.weight.shape[0])


class Hook(ABC):
    """Support for one toolkit; one instance handles all networks of that toolkit.

    Derive a class, give it a ``name`` and the six methods without a default, and register it (``docs/hooks.md``).
    A hook keeps no state between calls: every method takes the record. It reads the record's tensors as late as
    possible, since a file may be larger than memory.

    For each network, the methods are called in this order:

    1. ``fits`` of each hook, until one returns True;
    2. ``check``, then ``describe``, ``style_layers`` and ``mapping_layer``, then ``remarks`` and ``cannot_render``;
    3. for rendering, ``state``, then ``build``.

    Those of step 2 may be called again and must return the same. For a module in memory, which gets a record too,
    only steps 1 and 2 are taken.

    Attributes:
        name: a short word, unique among the hooks; shown to the user and written to every ``run.json``.
        has_mapping: whether ``mapping_layer`` gives a layer. Where it is False, ``mapping_layer`` is not called, and
            directions can be made in W only.
    """

    name: str
    has_mapping: bool = True

    @abstractmethod
    def fits(self, record: NetworkRecord) -> bool:
        """Whether the network is of this hook's toolkit: by its class, or by names of tensors that only it has.

        Called with the record of every file that is opened, also with records of other toolkits and with incomplete
        ones, so it must be quick, read no tensor's numbers and never raise.
        """

    @abstractmethod
    def check(self, record: NetworkRecord) -> None:
        """Check that ``build`` reproduces this network; called after ``fits`` has returned True.

        Raises:
            HookError: names the first unexpected argument or tensor.
        """

    @abstractmethod
    def describe(self, record: NetworkRecord) -> dict[str, int]:
        """Sizes of the network, each a whole number from 0 on.

        Returns:
            ``z_dim``, ``w_dim``: widths of a latent code and of a row of ws; ``c_dim``: of a label, 0 without classes;
            ``num_ws``: rows of ws; ``resolution``, ``channels``: height in pixels and channels of a picture.
        """

    @abstractmethod
    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """Every affine layer of the synthesis network, in the order of execution.

        Returns:
            At least one; weights ``[channels, w_dim]``, ``ws_index`` from 0 to ``num_ws - 1``, ``kind`` any.
        """

    @abstractmethod
    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """The first affine layer that z enters, of kind ``mapping`` and ``ws_index`` -1.

        Returns:
            Its weight is ``[channels, z_dim]``; further columns, which belong to a label, may follow.
        """

    @abstractmethod
    def build(self, record: NetworkRecord) -> nn.Module:
        """Make the generator on the CPU; its weights are loaded afterwards, by the names of ``state``.

        It may be called twice: first while ``torch.randn`` and ``torch.rand`` return NaN without using memory, and
        again if a tensor that is not part of the state still holds NaN.

        Returns:
            A module with the attributes ``z_dim, c_dim, w_dim, num_ws, img_resolution, img_channels`` (int) and

            * ``mapping(z, c, truncation_psi=1, truncation_cutoff=None) -> ws``: ``z [N, z_dim]``, ``c [N, c_dim]`` or
              None, ``ws [N, num_ws, w_dim]``, float32;
            * ``synthesis(ws, noise_mode="const", force_fp32=False) -> pictures``: ``[N, channels, H, W]`` float32,
              about -1 to 1. Either is an ``nn.Module``.
        """

    def state(self, record: NetworkRecord) -> Mapping[str, ArrayLike] | None:
        """The tensors of the generator that ``build`` makes, by its ``state_dict``'s names; called before ``build``.

        By default those of the record; plain attributes (numbers, text) of the built modules are then compared with
        those of the same names in the file. Override it where the file has other names or layouts.

        Returns:
            Every parameter and buffer, or None where ``build`` loads them itself.

        Raises:
            HookError: a tensor has impossible values.
        """
        return record.tensors

    def cannot_render(self, record: NetworkRecord) -> str:
        """Why the network can only be factorised: one line without the file's name; '' (default) if it can be rendered.

        Where it is not '', ``state`` and ``build`` are never called, and the network's classes may be unknown: then
        this is called before ``check``, with an incomplete record.
        """
        return ""

    def remarks(self, record: NetworkRecord) -> Sequence[str]:
        """Warnings for the user, one line each, about settings that the file does not store; by default none."""
        return ()


class Listing(NamedTuple):
    """Checked sizes and layers of a network: enough to factorise it.

    Attributes:
        sizes: by the names of :data:`SIZES`.
        layers: the style layers, in the order of execution.
        mapping: the first mapping layer; None where none is known.
    """

    sizes: dict[str, int]
    layers: list[StyleLayer]
    mapping: StyleLayer | None


def listing_of(record: NetworkRecord, hook: Hook) -> Listing:
    """Get sizes and layers of a network from a hook, and check them.

    Raises:
        HookError: the network does not match the hook's toolkit, or the hook breaks the interface; one line that names
            the hook and the fault.
    """
    hook.check(record)
    sizes = _checked_sizes(hook.describe(record), hook.name)
    layers = check_layers(hook.style_layers(record), sizes["w_dim"], sizes["num_ws"], hook.name)
    mapping = _checked_mapping(hook.mapping_layer(record), sizes["z_dim"], hook.name) if hook.has_mapping else None
    return Listing(sizes, layers, mapping)


def remarks_of(record: NetworkRecord, hook: Hook) -> tuple[str, ...]:
    """Get a hook's remarks on a network; raises ``HookError`` if they are not a list of lines."""
    given = hook.remarks(record)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise HookError(f"hook {hook.name} gives {_a(given)} as remarks, expected a list of lines")
    lines = tuple(given)
    for line in lines:
        if not isinstance(line, str):
            raise HookError(f"hook {hook.name} gives {_a(line)} among its remarks, expected a line of text")
    return lines


def reason_of(record: NetworkRecord, hook: Hook) -> str:
    """Get a hook's reason for not rendering a network, '' if it can; raises ``HookError`` if it is no text."""
    reason = hook.cannot_render(record)
    if not isinstance(reason, str):
        raise HookError(f"hook {hook.name} gives {_a(reason)} as the reason not to render, expected text")
    return reason


def _checked_sizes(sizes: object, hook: str) -> dict[str, int]:
    if not isinstance(sizes, Mapping):
        raise HookError(f"hook {hook} describes a network by {_a(sizes)}, expected a dict")
    missing = [key for key in SIZES if key not in sizes]
    if missing:
        raise HookError(f"hook {hook} describes a network without {', '.join(missing)}")
    for key in SIZES:
        if not _is_whole(sizes[key]) or sizes[key] < 0:
            raise HookError(f"hook {hook} gives {key} as {sizes[key]!r:.40}, expected a whole number from 0 on")
    return {key: operator.index(sizes[key]) for key in SIZES}


def check_layers(layers: Sequence[StyleLayer], w_dim: int, num_ws: int, hook: str) -> list[StyleLayer]:
    """Check the layers that a hook lists; returns them as a list.

    Raises:
        HookError: something is no layer, a weight is not ``[channels, w_dim]``, a name occurs twice, or an index or
            kind is unknown.
    """
    if not isinstance(layers, Iterable):
        raise HookError(f"hook {hook} lists {_a(layers)}, expected a list of StyleLayer")
    layers, seen = list(layers), set()
    if not layers:
        raise HookError(f"hook {hook} lists no style layer")
    for layer in layers:
        where = _check_layer(layer, w_dim, hook)
        if layer.name in seen:
            raise HookError(f"{where}: listed twice")
        seen.add(layer.name)
        if layer.weight.shape[1] != w_dim:
            raise HookError(f"{where}: weight is {tuple(layer.weight.shape)}, expected (channels, {w_dim})")
        if not 0 <= layer.ws_index < num_ws:
            raise HookError(f"{where}: ws index {layer.ws_index} is outside 0-{num_ws - 1}")
    return layers


def _checked_mapping(layer: StyleLayer, z_dim: int, hook: str) -> StyleLayer:
    where = _check_layer(layer, z_dim, hook)
    if layer.kind != "mapping":
        raise HookError(f"{where}: kind {layer.kind!r}, expected 'mapping'")
    if layer.weight.shape[1] < z_dim:
        raise HookError(f"{where}: weight is {tuple(layer.weight.shape)}, expected (channels, {z_dim} or more)")
    return layer


def _check_layer(layer: StyleLayer, width: int, hook: str) -> str:
    """Check the types of a layer; returns how a message names it."""
    if not isinstance(layer, StyleLayer):
        raise HookError(f"hook {hook} lists {_a(layer)}, expected a StyleLayer")
    if not isinstance(layer.name, str) or not layer.name:
        raise HookError(f"hook {hook} lists a layer with the name {layer.name!r:.40}, expected text")
    where = f"hook {hook}, layer {layer.name}"
    shape = getattr(layer.weight, "shape", None)
    if shape is None:
        raise HookError(f"{where}: weight is {_a(layer.weight)}, expected an array")
    if len(shape) != 2:
        raise HookError(f"{where}: weight is {tuple(shape)}, expected (channels, {width})")
    if layer.kind not in KINDS:
        raise HookError(f"{where}: kind {layer.kind!r} is none of {', '.join(KINDS)}")
    for key in ("ws_index", "size"):
        if not _is_whole(getattr(layer, key)):
            raise HookError(f"{where}: {key} is {getattr(layer, key)!r:.40}, expected a whole number")
    detail = 0.0 if layer.detail is None else layer.detail
    for key, number in (("weight_gain", layer.weight_gain), ("style_gain", layer.style_gain), ("detail", detail)):
        if not isinstance(number, (int, float)) or not math.isfinite(number):
            raise HookError(f"{where}: {key} is {number!r:.40}, expected a number")
    return where


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number of any kind (Python's, NumPy's)."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _a(value: object) -> str:
    """The name of a value's type, with its article."""
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def check_attribute(record: NetworkRecord, name: str, key: str, ours: object) -> None:
    """Compare a module's attribute in the file with the known toolkits' value; a missing attribute passes.

    Raises:
        HookError: they differ.
    """
    if name not in record.modules or key not in record.modules[name].attributes:
        return
    value = record.modules[name].attributes[key]
    if not _alike(ours, value):
        raise HookError(
            f"{record.path}: {name or 'the network'} has {key} = {value!r:.40}, where the known "
            f"toolkits have {ours!r:.40}: a modified network, which would be rendered wrong"
        )


def _alike(ours: object, value: object) -> bool:
    """Whether an attribute has a value, but for rounding; lists may be arrays in the file."""
    if isinstance(ours, (int, float)) and isinstance(value, (int, float)):
        return math.isclose(ours, value, rel_tol=1e-6)
    if not isinstance(ours, (list, tuple)):
        return ours == value
    if isinstance(value, TensorView) and value.shape == (len(ours),):
        value = value.numpy().tolist()
    return isinstance(value, (list, tuple)) and len(value) == len(ours) and all(map(_alike, ours, value))


def find_hook(record: NetworkRecord, hooks: Iterable[Hook]) -> Hook:
    """Give the first hook that fits ``record``.

    Raises:
        NoHookError: none does; the message names the class and the hooks that were tried.
    """
    tried = []
    for hook in hooks:
        if hook.fits(record):
            return hook
        tried.append(hook.name)
    if record.which == "D":
        raise NoHookError(f"{record.path}: D is a discriminator, which makes no pictures{others_of(record)}")
    raise NoHookError(f"{record.path}: no hook fits {_in_words(record)}; hooks tried: {', '.join(tried) or 'none'}")


def others_of(record: NetworkRecord) -> str:
    """How to choose another network of the same file, to be appended to a message; '' where there is none."""
    names = [name for name in dict.fromkeys(("G_ema", *record.entries)) if name in record.entries]
    names = [name for name in names if name not in ("D", record.which)]
    return f"; {chosen_by(names)}" if names else ""


def _in_words(record: NetworkRecord) -> str:
    if record.family == "state_dict":
        some = ", ".join(shown(name, 40) for name in list(record.tensors)[:3])
        return f"this state_dict: weights without their network ({len(record.tensors)} tensors: {some}, ...)"
    if record.class_name.startswith(("D_", "Discriminator")):
        return f"a discriminator ({record.class_name}), which makes no pictures"
    if record.family == "tensorflow":
        return f"this TensorFlow network (built by {record.class_name}, version {record.layout})"
    return f"this network (class {record.class_name})"
