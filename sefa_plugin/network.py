"""From a network file to a generator: the record, the hook that knows it, and the weights put in.

G = load_network("ffhq.pkl")
ws = G.mapping(z, None)
img = G.synthesis(ws, noise_mode="const")
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import download
from .file_stamp import Stamp
from .hook import (
    Hook,
    HookError,
    NoHookError,
    StyleLayer,
    built_state,
    check_attribute,
    check_layers,
    find_hook,
    remarks,
    why_no_pictures,
)
from .network_file import ForeignNetworkError, NetworkFileError, NetworkRecord, read_network
from .tensor_view import in_place


@dataclass(frozen=True)
class NetworkInfo:
    """Where a generator came from; ``G.sefa`` of every generator that :func:`load_network` gives.

    Attributes:
        path, which: the file and its entry.
        hook: name of the hook that built it.
        digest: SHA-256 of the network (``NetworkRecord.digest``).
        layers: its style layers, without weights that the generator holds.
        mapping: its first mapping layer, likewise; None where none is known.
    """

    path: str
    name: str
    which: str
    hook: str
    digest: str
    layers: tuple[StyleLayer, ...]
    mapping: StyleLayer | None


@dataclass(frozen=True)
class OpenNetwork:
    """A record and the hook that knows it: enough to factorise; no generator is built.

    ``warnings`` are one-line remarks for the user (a source text that is not known, say).
    """

    record: NetworkRecord
    hook: Hook
    layers: list[StyleLayer]
    sizes: dict[str, int]
    source: str
    warnings: tuple[str, ...]
    stamp: Stamp | None = None

    def check_unchanged(self) -> None:
        """Make sure that nobody has written to the file since it was opened: tensors are read when they are needed.

        Raises:
            NetworkFileError: somebody has.
        """
        if self.stamp is not None and self.stamp.is_changed():
            raise NetworkFileError(f"{self.record.path}: was written to while it was read; run the command again")

    @property
    def mapping(self) -> StyleLayer:
        """The first mapping layer."""
        return self.hook.mapping_layer(self.record)

    @property
    def has_mapping(self) -> bool:
        """Whether a first mapping layer is known (of a network that runs its own code it need not be)."""
        return getattr(self.hook, "has_mapping", True)

    @property
    def why_no_pictures(self) -> str:
        """'' where the network can be rendered, else one line that says why it can only be factorised."""
        return why_no_pictures(self.hook, self.record)


def open_network(
    path: str | os.PathLike,
    *,
    which: str = "G_ema",
    strict: bool = False,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    trust_pickle: bool = False,
) -> OpenNetwork:
    """Read a network and recognise it; nothing of the file is run and no torch is needed.

    Args:
        path: a file, an ``http(s)`` address, or ``demo`` for the network that ships with this package.
        which: ``G_ema``, ``G`` or ``D``.
        strict: refuse a network whose source text is not a known one, instead of warning.
        sha256: the digest that a downloaded file must have.
        progress: called while downloading, see ``download.fetch``.
        trust_pickle: run the file's own code where the network is not one that is known for certain.

    Raises:
        NetworkFileError, HookError, DownloadError: one line that says what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    _hooks()  # a copy without them says so before anything is read or fetched
    local = locate(path, sha256=sha256, progress=progress)
    try:
        stamp = Stamp(local)
    except (OSError, ValueError):  # the reader says what is wrong with it
        stamp = None
    try:
        opened = _open(local, which, strict, trust_pickle)
    except ForeignNetworkError:
        raise
    except NetworkFileError as error:
        if download.is_url(path):  # the copy is kept, and the next run would take it again
            raise NetworkFileError(f"{error} (to have it fetched anew, delete this copy)") from None
        raise
    return replace(opened, stamp=stamp)


def _open(local: str, which: str, strict: bool, trust_pickle: bool) -> OpenNetwork:
    try:
        record = read_network(local, which)
    except ForeignNetworkError as error:
        record = error.record
        if not _only_layers(record):
            if trust_pickle:
                return _run(local, which)
            raise ForeignNetworkError(_named(error, record) + f" ({_WAY_OUT})", record) from None
    runs = record.family == "module" and record.format != "safetensors"  # others hold no code
    try:
        opened = _recognised(record)
        if opened.warnings and strict:
            raise HookError(f"{local}: {opened.warnings[0]} (refused because of --strict)")
    except HookError as error:
        if runs and trust_pickle:
            return _run(local, which)
        text = _named(error, record) if isinstance(error, NoHookError) else str(error)
        raise HookError(f"{text} ({_WAY_OUT})" if runs else text) from None
    if not (runs and trust_pickle and (opened.warnings or opened.why_no_pictures)):
        return opened
    # What a hook knows for certain stays, so that directions are the same whether pictures are asked for or not.
    return _run(local, which, known=opened.layers if opened.why_no_pictures else None)


_WAY_OUT = (
    "--trust-pickle runs the code in the file, which can do anything to this computer: "
    "only for files whose maker you trust"
)


def _hooks() -> tuple[Any, Any]:
    try:
        from .hooks import all_hooks
        from .hooks.known_sources import judge
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(f"{__package__}.hooks"):
            raise
        raise HookError(
            "the folder hooks/ is missing: copy it beside sefa_plugin/, or pip install this project"
        ) from None
    return all_hooks, judge


def _only_layers(record: NetworkRecord) -> bool:
    """Whether a hook takes the layers of a network and never makes it, so that its unknown classes do not matter."""
    all_hooks, _ = _hooks()
    able = (hook for hook in all_hooks() if hasattr(hook, "cannot_render"))
    return any(hook.fits(record) and why_no_pictures(hook, record) for hook in able)


def _named(error: Exception, record: NetworkRecord) -> str:
    """The line of a refusal; of a network that is known by sight it says what that is."""
    from .hooks.others import identify

    family = identify(record)
    return f"{record.path}: {family}" if family else str(error)


def _recognised(record: NetworkRecord) -> OpenNetwork:
    all_hooks, judge = _hooks()
    hook = find_hook(record, all_hooks())
    hook.check(record)
    sizes = hook.describe(record)
    layers = check_layers(hook.style_layers(record), sizes["w_dim"], sizes["num_ws"], hook.name)
    for layer in [*layers, hook.mapping_layer(record)]:  # all that directions depend on, beside the weights
        check_attribute(record, layer.name, "weight_gain", layer.weight_gain)
    source, warning = judge(record, hook.name)
    warnings = ((warning,) if warning else ()) + remarks(hook, record)
    return OpenNetwork(record, hook, layers, sizes, source, warnings)


def _run(local: str, which: str, known: list[StyleLayer] | None = None) -> OpenNetwork:
    from .embedded_file import open_trusted

    record, hook, loaded = open_trusted(local, which)
    sizes = hook.describe(record)
    layers = check_layers(known or hook.style_layers(record), sizes["w_dim"], sizes["num_ws"], hook.name)
    source = f"the file's own, run with the modules of {loaded.modules_of}"
    return OpenNetwork(record, hook, layers, sizes, source, (loaded.remark,) if loaded.remark else ())


def locate(
    path: str | os.PathLike,
    *,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Give the local file for a path, an address, or ``demo``.

    Raises:
        NetworkFileError, DownloadError: the file has another digest, or cannot be fetched.
    """
    if download.is_url(path):
        return str(download.fetch(str(path), sha256, progress))
    local = os.fspath(path)
    if local == "demo" and not os.path.isfile(local):
        local = demo_path()
    if sha256 is not None and os.path.isfile(local):
        found = download.file_digest(local)
        if found != sha256.lower():
            raise NetworkFileError(f"{local}: has SHA-256 {found}, not the {sha256.lower()} asked for")
    return local


def demo_path() -> str:
    """The network that ships with this package."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "demo.pkl")


def load_network(
    path: str | os.PathLike,
    *,
    which: str = "G_ema",
    device: Any = "cpu",
    trust_pickle: bool = False,
    strict: bool = False,
) -> Any:
    """Load a generator from a file, an address, or ``demo``; nothing of the file is run unless it is trusted.

    Args:
        path, which, strict: see :func:`open_network`.
        device: where the generator goes, as torch names it.
        trust_pickle: run the file's own code where the network is not one that is known for certain; that
            code can do anything to this computer.

    Returns:
        An ``nn.Module`` in evaluation mode with the interface of NVIDIA's generators:
        ``G.mapping(z [N, z_dim], c, truncation_psi, truncation_cutoff) -> ws [N, num_ws, w_dim]``,
        ``G.synthesis(ws, noise_mode, force_fp32) -> img [N, C, H, W]``, about -1 to 1, and ``G(z, c, ...)``.

    Raises:
        NetworkFileError, HookError, DownloadError: one line that says what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    return build_network(open_network(path, which=which, strict=strict, trust_pickle=trust_pickle), device)


def build_network(opened: OpenNetwork, device: Any = "cpu") -> Any:
    """Build the generator of an opened network; see :func:`load_network`.

    Raises:
        HookError: weights hold NaN or infinity, or the built generator disagrees with the file.
    """
    from concurrent.futures import ThreadPoolExecutor

    record = opened.record
    if opened.why_no_pictures:
        raise HookError(f"{record.path}: {opened.why_no_pictures}")
    opened.check_unchanged()  # before tensors are touched: what was cut off a mapped file must not be
    with ThreadPoolExecutor(1) as aside:
        digest = aside.submit(record.digest)  # takes as long as the rest, and lets the interpreter run
        held = built_state(opened.hook, record)
        G = opened.hook.build(record) if held is None else _filled(opened, held)
    opened.check_unchanged()
    if held is record.tensors:
        _compare_attributes(G, record)
    G.init_args, G.init_kwargs = record.init_args, copy.deepcopy(dict(record.init_kwargs))
    G.sefa = NetworkInfo(
        path=record.path,
        name=record.name,
        which=record.which,
        hook=opened.hook.name,
        digest=digest.result(),
        layers=tuple(_without_weight(G, layer) for layer in opened.layers),
        mapping=_without_weight(G, opened.mapping) if opened.has_mapping else None,
    )
    return G.eval().requires_grad_(False).to(device)


def _filled(opened: OpenNetwork, held: Mapping[str, Any]) -> Any:
    """The generator with the tensors of the file."""
    import torch

    from .filling import filled

    record = opened.record
    state = {name: torch.tensor(finite(record.path, name, tensor)) for name, tensor in held.items()}
    try:
        return filled(lambda: opened.hook.build(record), state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise HookError(f"{record.path}: hook {opened.hook.name} built another network: {reason}") from None


def finite(path: str, name: str, tensor: Any) -> Any:
    """The elements of a tensor of a file as a NumPy array, which is not to be written to.

    Raises:
        HookError: it holds NaN or infinity, or numbers that are infinite in float32.
    """
    import numpy as np

    array = in_place(tensor)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise HookError(f"{path}: tensor {name} holds NaN or infinity: the training diverged?")
    if array.dtype == np.float64 and np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise HookError(f"{path}: tensor {name} holds {np.abs(array).max():.3g}, more than float32 can: damaged?")
    return array


# Attributes that training and the toolkit's own fast paths use; they do not change a picture.
_HARMLESS = {"training", "w_avg_beta", "magnitude_ema_beta", "use_fp16", "channels_last", "num_fp16_res"}


def _compare_attributes(G: Any, record: NetworkRecord) -> None:
    """Compare what the file's modules say of themselves (gains, clamps, kinds) with the built ones.

    A fork may change a gain and nothing else; where it is kept as an attribute, it shows here.
    """
    for name, module in G.named_modules():
        for key, ours in module.__dict__.items():
            plain = ours is None or isinstance(ours, (bool, int, float, str))  # None: no clamp
            if plain and not key.startswith("_") and key not in _HARMLESS:
                check_attribute(record, name, key, ours)


def style_layers(G: Any) -> list[StyleLayer]:
    """List the style layers of a generator, with its present weights.

    Args:
        G: a generator that :func:`load_network` gave, or any module in memory with ``mapping`` and ``synthesis``
            (see ``live.adopt``); of that the layers are found by watching it run.

    Raises:
        HookError: ``G`` is neither.
    """
    G = generator_of(G)
    return [_with_weight(G, layer) for layer in G.sefa.layers]


def mapping_layer(G: Any) -> StyleLayer:
    """Give the first mapping layer of such a generator, with its present weight.

    Raises:
        HookError: ``G`` is something else, or none is known of it.
    """
    G = generator_of(G)
    layer = G.sefa.mapping
    if layer is None:
        raise HookError("no affine layer that z enters was found in this network; use space w")
    return _with_weight(G, layer)


def network_info(G: Any) -> NetworkInfo:
    """Where a generator came from, its digest and its layers; see :func:`generator_of`."""
    return generator_of(G).sefa


def generator_of(G: Any) -> Any:
    """Give a generator with a :class:`NetworkInfo` as ``sefa``: ``G`` itself, or our interface around it.

    Raises:
        HookError: ``G`` is no generator, or one that cannot be used (``live.LiveError``).
    """
    from .live import adopt, unwrapped

    inside = unwrapped(G)
    if isinstance(getattr(inside, "sefa", None), NetworkInfo):
        return inside
    made = adopt(inside)
    record, (layers, first) = made.record(), made.look()
    hook, layers, first = _as_its_hook_lists(record, layers) or ("live", layers, first)
    made.sefa = NetworkInfo(record.path, record.name, "", hook, record.digest(), tuple(layers), first)
    return made


def _as_its_hook_lists(
    record: NetworkRecord, seen: list[StyleLayer]
) -> tuple[str, list[StyleLayer], StyleLayer] | None:
    """What a hook lists of a network in memory, if one knows it, so that it is what its file gives.

    Only where watching the network has shown each of these layers, with this matrix: else None.
    """
    import numpy as np

    all_hooks, _ = _hooks()
    try:
        hook = find_hook(record, all_hooks())
        hook.check(record)
        sizes = hook.describe(record)
        layers = check_layers(hook.style_layers(record), sizes["w_dim"], sizes["num_ws"], hook.name)
        mapping = hook.mapping_layer(record)
    except HookError:
        return None
    found = {(layer.name, layer.ws_index): np.asarray(layer.weight) * layer.weight_gain for layer in seen}
    for layer in layers:
        matrix = np.asarray(layer.weight) * layer.weight_gain
        shown = found.get((layer.name, layer.ws_index))
        if shown is None or shown.shape != matrix.shape or abs(shown - matrix).max() > 1e-2 * abs(matrix).max():
            return None
    return hook.name, layers, mapping


def _without_weight(G: Any, layer: StyleLayer) -> StyleLayer:
    """A layer whose weight is to be read from the generator; one that was measured keeps it."""
    try:
        held = getattr(G.get_submodule(layer.name), "weight", None)
    except AttributeError:  # a further row of a module that serves several
        return layer
    return replace(layer, weight=None) if held is not None and tuple(held.shape) == tuple(layer.weight.shape) else layer


def _with_weight(G: Any, layer: StyleLayer) -> StyleLayer:
    if layer.weight is not None:
        return layer
    weight = G.get_submodule(layer.name).weight
    return replace(layer, weight=weight.detach().float().cpu().numpy())
