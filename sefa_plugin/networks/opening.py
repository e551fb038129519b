"""Open a network: the file, fetched if need be, its record, and the hook that fits it. No generator is built."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..hook import (
    Hook,
    HookError,
    Listing,
    NetworkRecord,
    NoHookError,
    StyleLayer,
    check_attribute,
    check_layers,
    find_hook,
    listing_of,
    reason_of,
    remarks_of,
)
from ..reading import download
from ..reading.network_file import read_network
from ..reading.network_record import ForeignNetworkError, NetworkFileError
from ..reading.state_dicts import is_average
from ..system.regular_files import Stamp

if TYPE_CHECKING:
    from ..reading.hub import HubPlace


def _nothing(text: str) -> None:
    """Ignore a line."""


@dataclass(frozen=True)
class OpenNetwork:
    """A record and the hook that fits it: enough to factorise; no generator is built.

    Attributes:
        record: the network, taken apart.
        hook: the hook that fits it, or that of a file whose code was run.
        listing: checked sizes and layers.
        source: origin of the file's source text: ``none``, a toolkit's name, or ``unknown``.
        warnings: one-line warnings for the user (an unknown source text, for example).
        why_no_pictures: '' if the network can be rendered, else one line with the reason why not.
        stamp: of the file when it was opened; None without a file.
        notes: one-line notes on what is right, and may surprise.
    """

    record: NetworkRecord
    hook: Hook
    listing: Listing
    source: str
    warnings: tuple[str, ...]
    why_no_pictures: str
    stamp: Stamp | None = None
    notes: tuple[str, ...] = ()

    def check_unchanged(self) -> None:
        """Check that the file was not modified since it was opened: tensors are read when they are needed.

        Raises:
            NetworkFileError: it was modified.
        """
        if self.stamp is not None and self.stamp.is_changed():
            raise NetworkFileError(f"{self.record.path}: was written to while it was read; run the command again")

    @property
    def sizes(self) -> dict[str, int]:
        """``z_dim, c_dim, w_dim, num_ws, resolution, channels``."""
        return self.listing.sizes

    @property
    def layers(self) -> list[StyleLayer]:
        """The style layers, in the order of execution."""
        return self.listing.layers

    @property
    def mapping(self) -> StyleLayer:
        """The first mapping layer.

        Raises:
            HookError: none is known (possible for networks that run their own code).
        """
        if self.listing.mapping is None:
            raise HookError(f"{self.record.path}: no affine layer that z enters was found; use --space w")
        return self.listing.mapping


def open_network(
    path: str | os.PathLike[str],
    *,
    which: str = "G_ema",
    strict: bool = False,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    trust_pickle: bool = False,
    allow_local: bool = False,
    note: Callable[[str], None] = _nothing,
) -> OpenNetwork:
    """Read a network and find its hook; needs no torch and runs no code of the file (without ``trust_pickle``).

    Args:
        path: a file, an ``http(s)`` address, ``hf://owner/name[@revision][/path]`` on the Hugging Face Hub, or ``demo``
            for the network that ships with this package. In a zip, tar or gzip archive the only network, or that which
            is named after ``#``.
        which: an entry of the file: ``G_ema``, ``G``, ``D``, or any name that its weights have there.
        strict: refuse what is otherwise warned of, and a file that is not exactly what its writer writes, also where
            the network needs no part of it (see ``reading.audit``).
        sha256: the digest that a downloaded file must have.
        progress: called while downloading, see ``download.fetch``.
        trust_pickle: run the file's own code where no hook recognises the network reliably.
        allow_local: see ``download.fetch``.
        note: called with lines on what is taken: the licence tag, a network of an archive or of a checkpoint.

    Raises:
        NetworkFileError, HookError, DownloadError: one line with what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    known_hooks()  # fails before anything is read or fetched
    local = locate(path, sha256=sha256, progress=progress, allow_local=allow_local, note=note)
    try:
        stamp = Stamp(local)
    except (OSError, ValueError):  # reading it raises a better error
        stamp = None
    try:
        opened = _open(local, which, strict, trust_pickle)
    except ForeignNetworkError:
        raise
    except NetworkFileError as error:
        if download.is_url(path) and _on_hub(str(path)) is None:  # the cached copy would be used again
            raise NetworkFileError(f"{error} (to have it fetched anew, delete this copy)") from None
        raise
    record = opened.record
    others = [name for name in record.entries if name not in (record.which, "D")]
    if record.family == "state_dict" and others and is_average(record.which):
        note(f"{record.which} is taken, an average of weights; the file also holds {', '.join(others)} (--which NAME)")
    elif record.family == "state_dict" and which == "G_ema" and not is_average(record.which):
        note(f"{record.which} is taken; nothing in the file is called an average of its weights")
    return replace(opened, stamp=stamp)


def _open(local: str, which: str, strict: bool, trust_pickle: bool) -> OpenNetwork:
    try:
        record = read_network(local, which, _Hooks())
    except ForeignNetworkError as error:
        record = error.record
        if not _only_layers(record):
            if trust_pickle:
                return _run(local, which, strict)
            raise ForeignNetworkError(_named(error, record) + _way_out(record), record) from None
    runs = record.family == "module" and record.format != "safetensors"  # other files hold no code
    try:
        opened = _recognised(record)
        if strict:
            _refuse(local, opened.warnings or _unknown_parts(local))
    except HookError as error:
        if runs and trust_pickle:
            return _run(local, which, strict)
        text = _named(error, record) if isinstance(error, NoHookError) else str(error)
        raise HookError(text + _way_out(record) if runs else text) from None
    if not (runs and trust_pickle and (opened.warnings or opened.why_no_pictures)):
        return opened
    # The hook's layers are kept, so that directions are the same with and without rendering.
    return _run(local, which, strict, known=opened.layers if opened.why_no_pictures else None)


def _refuse(local: str, warnings: tuple[str, ...]) -> None:
    """Refuse a network because of --strict.

    Raises:
        HookError: there is something that is otherwise warned of.
    """
    if warnings:
        raise HookError(f"{local}: {warnings[0]} (refused because of --strict)")


def _unknown_parts(local: str) -> tuple[str, ...]:
    """What is not as its writer writes it, anywhere in the file, in one line; () if all is."""
    from ..hooks.known_sources import origin
    from ..reading.audit import audit

    found = audit(local, origin).findings
    more = f", and {len(found) - 1} more" if found[1:] else ""
    return (f"{found[0]}{more}; `sefa info --audit` lists what is not known in the file",) if found else ()


_WAY_OUT = (
    "--trust-pickle runs the code in the file, which can do anything to this computer: "
    "only for files whose maker you trust"
)


def _way_out(record: NetworkRecord) -> str:
    """The last resort, to be appended to a refusal; '' where it is of no use."""
    from ..hooks.others import never_renders

    return "" if record.which == "D" or never_renders(record) else f" ({_WAY_OUT})"


def known_hooks() -> Iterator[Hook]:
    """Every hook, in the order in which they are tried.

    Raises:
        HookError: the package of hooks is missing, as in an incomplete copy of this project.
    """
    try:
        from ..hooks import all_hooks
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("sefa_plugin.hooks"):
            raise
        raise HookError(
            "the folder hooks/ is missing: copy it beside sefa_plugin/, or pip install this project"
        ) from None
    hooks: Iterator[Hook] = all_hooks()
    return hooks


class _Hooks:
    """Networks as the hooks recognise them; see ``network_file.Recognition``."""

    def fits(self, record: NetworkRecord) -> bool:
        """Whether a hook fits."""
        return any(hook.fits(record) for hook in known_hooks())

    def channels(self, record: NetworkRecord) -> int:
        """Channels of its pictures; 0 where no hook fits."""
        hook = next((hook for hook in known_hooks() if hook.fits(record)), None)
        if hook is None:
            return 0
        try:
            hook.check(record)
            return hook.describe(record).get("channels", 1)
        except HookError:  # it is damaged: opening it raises the error again
            return 1


def _only_layers(record: NetworkRecord) -> bool:
    """Whether a hook only lists the network's layers and never builds it, so that unknown classes are allowed."""
    return any(hook.fits(record) and reason_of(record, hook) for hook in known_hooks())


def _named(error: Exception, record: NetworkRecord) -> str:
    """The message of a refusal, with the kind of a recognised but unsupported network."""
    from ..hooks.others import identify

    family = identify(record)
    return f"{record.path}: {family}" if family else str(error)


def _recognised(record: NetworkRecord) -> OpenNetwork:
    from ..hooks.known_sources import source_of
    from ..hooks.stylegan3 import kept_transform

    hook = find_hook(record, known_hooks())
    listing = listing_of(record, hook)
    for layer in [*listing.layers, *([listing.mapping] if listing.mapping else [])]:
        # The only attribute beside weights that directions depend on.
        check_attribute(record, layer.name, "weight_gain", layer.weight_gain)
    source, warning = source_of(record, hook.name)
    warnings = ((warning,) if warning else ()) + remarks_of(record, hook)
    why_no_pictures = reason_of(record, hook)
    return OpenNetwork(record, hook, listing, source, warnings, why_no_pictures, notes=kept_transform(record))


def _run(local: str, which: str, strict: bool, known: list[StyleLayer] | None = None) -> OpenNetwork:
    from .trusted import open_trusted

    record, hook, loaded = open_trusted(local, which)
    listing = listing_of(record, hook)
    if known:
        layers = check_layers(known, listing.sizes["w_dim"], listing.sizes["num_ws"], hook.name)
        listing = listing._replace(layers=layers)
    source = f"the file's own, run with the modules of {loaded.modules_of}"
    warnings = (loaded.remark,) if loaded.remark else ()
    if strict:
        _refuse(local, warnings)
    notes = () if hook.G.styled else hook.G.notes
    return OpenNetwork(record, hook, listing, source, warnings, "", notes=notes)


def locate(
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    allow_local: bool = False,
    note: Callable[[str], None] = _nothing,
) -> str:
    """Give the local file for a path, an address, or ``demo``; of an archive that of its network.

    Raises:
        NetworkFileError, DownloadError: the file has another digest, cannot be fetched, or is an archive without one
            network that is asked for.
    """
    from ..reading.archives import unpacked

    typed, member = download.parted(path)
    local, place = typed, _on_hub(typed)
    if place is not None:
        from ..reading import hub

        local = str(hub.fetch(place, progress, allow_local, note))
    elif download.is_url(typed):
        local = str(download.fetch(typed, sha256, progress, allow_local=allow_local))
    elif local == "demo" and not os.path.isfile(local):
        local = demo_path()
    if not os.path.isfile(local):  # reading it raises a better error
        return local
    if sha256 is not None and (place is not None or not download.is_url(typed)):
        found = download.file_digest(local)
        if found != sha256.lower():
            raise NetworkFileError(f"{local}: has SHA-256 {found}, not the {sha256.lower()} asked for")
    return unpacked(local, member, download.without_secrets(typed), note)


def _on_hub(path: str) -> HubPlace | None:
    """The place on the Hub that a path names; None for any other."""
    if not download.is_url(path):
        return None
    from ..reading import hub

    return hub.place_of(path)


def demo_path() -> str:
    """The network that ships with this package."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "demo.pkl")
