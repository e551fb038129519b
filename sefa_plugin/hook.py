"""The contract between a toolkit and this plugin: what a hook gives, and the check of what it gave.

A hook is any object with the attributes of :class:`Hook`. It recognises an inert network record,
lists the layers that a style enters by, and builds a generator. Recognising and listing need no
torch, so that looking at a file stays quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .system.messages import printable, shown

if TYPE_CHECKING:
    from .reading.network_record import NetworkRecord

KINDS = ("conv", "torgb", "input", "mapping")


class HookError(Exception):
    """No hook fits a network, or a hook gave something that breaks the contract.

    The message is printable, whatever names of a file a hook has put into it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class NoHookError(HookError):
    """No hook fits a network."""


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
        size: height in pixels of what the layer puts out.
        detail: the finest detail it can draw, as a picture size in pixels (block resolution, or twice
            StyleGAN3's output cutoff); None where layers form no coarse/middle/fine groups.
    """

    name: str
    weight: Any
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


class Hook(Protocol):
    """What a toolkit's module offers. ``name`` is unique among the registered hooks.

    A hook may also have

    * ``state(record) -> dict`` of arrays by the names of the generator that ``build`` gives, where the file
      has other names or layouts (TensorFlow), or None where ``build`` gives them their values itself; without
      it, the record's own tensors are loaded;
    * ``cannot_render(record) -> str``: '' or a line that says why there is no generator, only layers;
      ``build`` is then never called;
    * ``remarks(record) -> list[str]``: one-line warnings for the user, where the file leaves something open
      that may change pictures.
    """

    name: str

    def fits(self, record: NetworkRecord) -> bool:
        """Tell whether this hook knows the class of network; cheap, and never raises on odd input."""

    def check(self, record: NetworkRecord) -> None:
        """Raise :class:`HookError` naming the first argument or tensor that is not as it must be."""

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        """List every affine of the synthesis network in the order of execution."""

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        """Give the first mapping layer (kind ``mapping``), weight ``[out, z_dim (+ label)]``."""

    def describe(self, record: NetworkRecord) -> dict:
        """Give ``z_dim, w_dim, c_dim, num_ws, resolution, channels`` (integers)."""

    def build(self, record: NetworkRecord) -> Any:
        """Build the generator, an ``nn.Module`` whose weights are still to be loaded, on the CPU."""


def check_layers(layers: Sequence[StyleLayer], w_dim: int, num_ws: int, hook: str) -> list[StyleLayer]:
    """Check what a hook listed; returns it as a list.

    Raises:
        HookError: a weight is not ``[channels, w_dim]``, a name occurs twice, or an index or kind is unknown.
    """
    seen: set[str] = set()
    if not layers:
        raise HookError(f"hook {hook} lists no style layer")
    for layer in layers:
        where = f"hook {hook}, layer {layer.name}"
        if layer.name in seen:
            raise HookError(f"{where}: listed twice")
        seen.add(layer.name)
        if len(layer.weight.shape) != 2 or layer.weight.shape[1] != w_dim:
            raise HookError(f"{where}: weight is {tuple(layer.weight.shape)}, expected (channels, {w_dim})")
        if layer.kind not in KINDS:
            raise HookError(f"{where}: kind {layer.kind!r} is none of {', '.join(KINDS)}")
        if not 0 <= layer.ws_index < num_ws:
            raise HookError(f"{where}: ws index {layer.ws_index} is outside 0-{num_ws - 1}")
    return list(layers)


def check_attribute(record: NetworkRecord, name: str, key: str, ours: Any) -> None:
    """Compare what a module of the file says of itself with what the known toolkits' has; where it says nothing, pass.

    Raises:
        HookError: it says something else.
    """
    held = record.modules.get(name)
    if held is None or key not in held.attributes:
        return
    value = held.attributes[key]
    same = ours == value
    if isinstance(value, (int, float)) and isinstance(ours, (int, float)):
        same = abs(ours - value) <= 1e-6 * max(abs(ours), abs(value))
    if not same:
        raise HookError(
            f"{record.path}: {name or 'the network'} has {key} = {value!r:.40}, where the known "
            f"toolkits have {ours!r:.40}: a modified network, which would be rendered wrong"
        )


def find_hook(record: NetworkRecord, hooks: Iterable[Hook]) -> Hook:
    """Give the first hook that fits ``record``.

    Raises:
        HookError: none does; the message names the class and the hooks that were tried.
    """
    tried = []
    for hook in hooks:
        if hook.fits(record):
            return hook
        tried.append(hook.name)
    if record.which == "D":
        raise NoHookError(f"{record.path}: D is a discriminator, which makes no pictures; choose G_ema with --which")
    raise NoHookError(f"{record.path}: no hook fits {_in_words(record)}; hooks tried: {', '.join(tried) or 'none'}")


def _in_words(record: NetworkRecord) -> str:
    if record.family == "state_dict":
        some = ", ".join(shown(name, 40) for name in list(record.tensors)[:3])
        return f"this state_dict: weights without their network ({len(record.tensors)} tensors: {some}, ...)"
    if record.class_name.startswith(("D_", "Discriminator")):
        return f"a discriminator ({record.class_name}), which makes no pictures"
    if record.family == "tensorflow":
        return f"this TensorFlow network (built by {record.class_name}, version {record.layout})"
    return f"this network (class {record.class_name})"


def built_state(hook: Hook, record: NetworkRecord) -> Mapping[str, Any] | None:
    """Give the tensors of a record by the names of the generator that its hook builds; None if it has them."""
    convert = getattr(hook, "state", None)
    return record.tensors if convert is None else convert(record)


def why_no_pictures(hook: Hook, record: NetworkRecord) -> str:
    """Give '' where a network can be rendered, else one line that says why not."""
    reason = getattr(hook, "cannot_render", None)
    return "" if reason is None else reason(record)


def remarks(hook: Hook, record: NetworkRecord) -> tuple[str, ...]:
    """Give the hook's one-line warnings about what the file leaves open."""
    given = getattr(hook, "remarks", None)
    return () if given is None else tuple(given(record))
