"""Open a network: the file, fetched if need be, its record, and the hook that fits it. No generator is built."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

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
from ..system.regular_files import Stamp
from .known_hooks import known_hooks


@dataclass(frozen=True)
class OpenNetwork:
    """A record and the hook that fits it: enough to factorise; no generator is built.

    Attributes:
        record: the network, taken apart.
        hook: the hook that fits it, or that of a file which has been run.
        listing: sizes and layers that the hook lists, checked.
        source: where the file's source text is from: ``none``, a toolkit's name, or ``unknown``.
        warnings: one-line remarks for the user (a source text that is not known, say).
        why_no_pictures: '' where the network can be rendered, else one line that says why it can only be factorised.
        stamp: of the file when it was opened; None where there was no file to be stamped.
    """

    record: NetworkRecord
    hook: Hook
    listing: Listing
    source: str
    warnings: tuple[str, ...]
    why_no_pictures: str
    stamp: Stamp | None = None

    def check_unchanged(self) -> None:
        """Make sure that the file was not written to since it was opened: tensors are read when they are needed.

        Raises:
            NetworkFileError: it was.
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
            HookError: none is known (of a network that runs its own code it need not be).
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
) -> OpenNetwork:
    """Read a network and recognise it; nothing of the file is run and no torch is needed.

    Args:
        path: a file, an ``http(s)`` address, or ``demo`` for the network that ships with this package.
        which: ``G_ema``, ``G`` or ``D``.
        strict: refuse a network whose source text is not a known one, instead of warning.
        sha256: the digest that a downloaded file must have.
        progress: called while downloading, see ``download.fetch``.
        trust_pickle: run the file's own code where no hook recognises the network for certain.

    Raises:
        NetworkFileError, HookError, DownloadError: one line that says what is wrong and what to do.
        TrustedFileError: the file's code was run, and failed.
    """
    known_hooks()  # a copy without them says so before anything is read or fetched
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
    # What a hook lists for certain stays, so that directions are the same whether pictures are wanted or not.
    return _run(local, which, known=opened.layers if opened.why_no_pictures else None)


_WAY_OUT = (
    "--trust-pickle runs the code in the file, which can do anything to this computer: "
    "only for files whose maker you trust"
)


def _only_layers(record: NetworkRecord) -> bool:
    """Whether a hook takes the layers of a network and never makes it, so that its unknown classes do not matter."""
    return any(hook.fits(record) and reason_of(record, hook) for hook in known_hooks().all_hooks())


def _named(error: Exception, record: NetworkRecord) -> str:
    """The line of a refusal; of a network that is recognised without a hook it says what that is."""
    from ..hooks.others import identify

    family = identify(record)
    return f"{record.path}: {family}" if family else str(error)


def _recognised(record: NetworkRecord) -> OpenNetwork:
    all_hooks, source_of = known_hooks()
    hook = find_hook(record, all_hooks())
    listing = listing_of(record, hook)
    for layer in [*listing.layers, *([listing.mapping] if listing.mapping else [])]:
        # Beside weights, all that directions need.
        check_attribute(record, layer.name, "weight_gain", layer.weight_gain)
    source, warning = source_of(record, hook.name)
    warnings = ((warning,) if warning else ()) + remarks_of(record, hook)
    return OpenNetwork(record, hook, listing, source, warnings, reason_of(record, hook))


def _run(local: str, which: str, known: list[StyleLayer] | None = None) -> OpenNetwork:
    from .trusted import open_trusted

    record, hook, loaded = open_trusted(local, which)
    listing = listing_of(record, hook)
    if known:
        layers = check_layers(known, listing.sizes["w_dim"], listing.sizes["num_ws"], hook.name)
        listing = listing._replace(layers=layers)
    source = f"the file's own, run with the modules of {loaded.modules_of}"
    return OpenNetwork(record, hook, listing, source, (loaded.remark,) if loaded.remark else (), "")


def locate(
    path: str | os.PathLike[str],
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
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "demo.pkl")
