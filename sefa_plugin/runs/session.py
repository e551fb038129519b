"""A session: an open network, with its directions and scenes for given settings.

    session = Session.open(NetworkChoice("ffhq.pkl"))
    (found,) = session.directions(Factorisation(layers="middle"), Wanted(count=5))
    view = session.view(Look(trunc=0.7), seeds=[0, 1, 2])
    scene = session.scene(view)

Nothing is printed: errors are raised, warnings are passed to a callable. A session may be used from several threads:
its generator is built once, and renders for one scene at a time.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ..directions.directions import Directions
from ..directions.factorization import Factorisation, factorize_network
from ..directions.kept import KeptDirections, adopting, files_of, known_files, sets_in
from ..directions.layers import LayerGroup, select_layers
from ..directions.sharp import POOL
from ..directions.sharpening import check_order, known_groups, nothing, pictures_of, pictures_of_scores, with_scores
from ..networks.opening import OpenNetwork, open_network
from ..reading.download import without_secrets
from ..rendering.look import Look, check_label
from ..system.messages import warn as warn_caller
from .settings import NetworkChoice, SettingsError, Wanted, settings_checked

if TYPE_CHECKING:
    import numpy as np

    from ..networks.generator import Generator
    from ..rendering.arithmetic import Arithmetic
    from ..rendering.engine import Engine
    from ..rendering.local import Local
    from ..rendering.ranges import Ranges
    from ..rendering.scene import Scene
    from ..rendering.shards import View
    from .folder import Reporter


class SessionError(Exception):
    """A network that cannot be rendered, or a warning under ``strict``."""


def _refuse(text: str) -> None:
    """Raise an error instead of a warning."""
    raise SessionError(f"{text} (refused because of --strict)")


@dataclass(eq=False)
class Session:
    """An open network; its generator is built for the first picture.

    Attributes:
        opened: the record, its hook, style layers and sizes.
        choice: how it was opened.
        warn: called with each warning, one line.
        note: called with a line on what will take long.
    """

    opened: OpenNetwork
    choice: NetworkChoice
    warn: Callable[[str], None] = warn_caller
    note: Callable[[str], None] = lambda text: None
    _generator: Generator | None = field(default=None, init=False)
    _building: Lock = field(default_factory=Lock, init=False)

    @classmethod
    def open(
        cls,
        choice: NetworkChoice,
        *,
        warn: Callable[[str], None] = warn_caller,
        progress: Callable[[int, int], None] | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> Session:
        """Open a network; no code of its file is run, unless ``choice.trust_pickle`` is set.

        Args:
            choice: which network.
            warn: called with each warning, one line, now and later; by default Python's ``warnings``.
            progress: called while downloading, with the bytes received and those expected (0: not known).
            note: called with a line on what is taken, or will take long.

        Raises:
            NetworkFileError, HookError, DownloadError: it cannot be opened; the message is one line.
            TrustedFileError: the file's code was run, and failed.
        """
        opened = open_network(
            choice.path,
            which=choice.which,
            strict=choice.strict,
            sha256=choice.sha256,
            progress=progress,
            trust_pickle=choice.trust_pickle,
            allow_local=choice.allow_local,
            note=note,
        )
        for text in (*opened.warnings, *opened.notes):
            warn(text)
        return cls(opened, choice, _refuse if choice.strict else warn, note)

    @property
    def name(self) -> str:
        """Name of the network's file, without its suffix."""
        return self.opened.record.name

    @property
    def sizes(self) -> dict[str, int]:
        """``num_ws``, ``w_dim`` and ``z_dim``."""
        return {key: self.opened.sizes[key] for key in ("num_ws", "w_dim", "z_dim")}

    def about(self) -> dict[str, str]:
        """The entry of ``run.json`` for the network: path as typed, without secrets; name, class, hook, digest."""
        record = self.opened.record
        return {
            "path": without_secrets(os.fspath(self.choice.path)),
            "name": record.name,
            "which": record.which,
            "class": record.class_name,
            "hook": self.opened.hook.name,
            "digest": record.digest(),
        }

    def require_pictures(self) -> None:
        """Check that the network can be rendered.

        Raises:
            SessionError: it can only be factorised.
        """
        reason = self.opened.why_no_pictures
        if reason:
            raise SessionError(f"{self.opened.record.path}: {reason} (`sefa factorize` works)")

    # --- directions -------------------------------------------------------------------------------

    def directions(
        self,
        factorisation: Factorisation = Factorisation(),  # noqa: B008 - frozen
        wanted: Wanted = Wanted(),  # noqa: B008 - frozen
        folder: str | os.PathLike[str] | None = None,
        *,
        known_only: bool = False,
        reporter: Reporter | None = None,
    ) -> list[KeptDirections]:
        """Factorise the network, or read a directions file.

        Args:
            factorisation: of which layers, and how; unused where ``wanted`` has a file.
            wanted: which directions.
            folder: of their directions files, whose names and ranges are used, and to which later ranges are added;
                None: no file is read or written.
            known_only: use only existing files of the folder that hold the same directions.
            reporter: receives the amount of work and progress where pictures have to be rendered.

        Returns:
            A set of directions for each group of layers.

        Raises:
            SettingsError: layers or directions that the network does not have.
            DirectionsFileError: the file cannot be read, or belongs to another network.
            HookError, NetworkFileError: the network's weights cannot be used.
            OSError: a file in the folder cannot be read.
        """
        folder = None if folder is None else Path(folder)
        if wanted.file is not None:
            groups = [KeptDirections(self._of_file(wanted.file), wanted.file, warn=self.warn)]
        else:
            with settings_checked():
                if wanted.keys is None:
                    check_order(wanted.order, factorisation.sharpen)
            groups = self._factorised(factorisation, wanted, folder, known_only, reporter)
        with settings_checked():
            if wanted.edit_layers is not None:
                rows = self.edit_rows(wanted.edit_layers)
                groups = [self._edited_at(group, rows, folder) for group in groups]
            if wanted.order == "clean" and wanted.keys is None:
                for group in groups:
                    scored = self.scored(group.directions, folder, reporter)
                    if scored is not group.directions and wanted.file is not None:
                        group.update(scored)  # the others are saved as a whole
                    group.directions = scored
        try:
            check_keys(groups, wanted)
        except SettingsError as error:
            raise SettingsError(f"{error}{self._elsewhere(groups, wanted, folder)}") from None
        return groups

    def edit_rows(self, spec: str) -> LayerGroup:
        """The one group of layers, ``coarse`` or ``0-3,5``, whose rows of ws edits change.

        Raises:
            SettingsError: the specification cannot be read, or gives several groups.
        """
        with settings_checked():
            groups = select_layers(self.opened.layers, spec)
        if len(groups) != 1:
            raise SettingsError(f"--edit-layers {spec!r} gives {len(groups)} groups; type one, like coarse or 0-3,5")
        return groups[0]

    def _elsewhere(self, groups: Sequence[KeptDirections], wanted: Wanted, folder: Path | None) -> str:
        """Where a name that no group has is found in the folder, and what to type; '' where it is not."""
        names = {name for group in groups for name in group.directions.names}
        for key in wanted.keys or ():
            if not isinstance(key, str) or key in names:
                continue
            for file, held in sets_in(folder).items() if folder is not None else ():
                if key in held.names:
                    which = f"direction {held.index(key)} of {held.label} is called so"
                    return f"; {which}: --directions-file {shlex.quote(str(file))}"
        return ""

    def _of_file(self, path: Path) -> Directions:
        held = Directions.load(path)
        text = held.check_fits(network=self.name, digest=self.opened.record.lineage, **self.sizes)
        if text:
            self.warn(text)
        return held

    def _factorised(
        self,
        factorisation: Factorisation,
        wanted: Wanted,
        folder: Path | None,
        known_only: bool,
        reporter: Reporter | None,
    ) -> list[KeptDirections]:
        sharp = factorisation.sharpen != "none"
        if sharp:
            self.require_pictures()
            if folder is not None and (kept := self._kept_sharp(factorisation, folder)):
                return kept
        dim = POOL if sharp else self.opened.sizes["w_dim" if factorisation.space == "w" else "z_dim"]
        asked = dim if wanted.count is None else wanted.count
        with settings_checked():
            count = min(max(asked, _needed(wanted.keys or (), dim)), dim)
            if asked > dim and wanted.keys is None:
                self.warn(f"-K {asked}: this space has {dim} directions, all are taken")
            found = self.found(factorisation, count, folder, reporter)
        if folder is None:
            return [KeptDirections(held, warn=self.warn) for held in found]
        found = self._named_by_parent(found)
        files = (known_files if known_only else files_of)(found, folder, self.warn)
        return [
            KeptDirections(held if path is None else adopting(held, path), path, warn=self.warn)
            for held, path in zip(found, files)
        ]

    def _named_by_parent(self, found: list[Directions]) -> list[Directions]:
        """Directions of a tuned network, with the names and ranges that they have in the folder of its parent."""
        from .folder import folder_of_digest

        parent = self.opened.record.parent
        place = folder_of_digest(parent) if parent else None
        held = sets_in(place, self.warn).values() if place else ()
        return [next((one.adopting(other) for other in held if one.same_as(other)), one) for one in found]

    def found(
        self,
        factorisation: Factorisation,
        count: int | None,
        folder: Path | None = None,
        reporter: Reporter | None = None,
    ) -> list[Directions]:
        """The directions of the network, found now; see ``factorization.factorize_network``."""
        how, advance = factorisation, nothing if reporter is None else reporter.advance
        rendered = pictures_of(how, self.opened.sizes["w_dim"])
        if reporter is not None and rendered:
            reporter.expect(rendered * len(select_layers(self.opened.layers, how.layers)))
        return factorize_network(self.opened, how, count, lambda: self.generator(Look()), advance, folder)

    def _kept_sharp(self, factorisation: Factorisation, folder: Path) -> list[KeptDirections]:
        """Sharp directions that a folder holds already, since finding them takes time; [] if one set is missing."""
        files = {held: path for path, held in sets_in(folder, self.warn).items()}
        opened = self.opened
        with settings_checked():
            found = known_groups(files, opened.layers, factorisation, opened.record.lineage, opened.sizes["w_dim"])
        return [KeptDirections(held, files[held], warn=self.warn) for held in found]

    def scored(self, held: Directions, folder: Path | None, reporter: Reporter | None = None) -> Directions:
        """Sharp directions with how clean they are, see ``clean``; as they are where that is known.

        Raises:
            ValueError: these are no sharp directions.
            SessionError: the network can only be factorised.
        """
        if not (pictures := pictures_of_scores(held)):
            return held
        self.require_pictures()
        if reporter is not None:
            reporter.expect(pictures)
        return with_scores(held, self.generator(Look()), nothing if reporter is None else reporter.advance, folder)

    def _edited_at(self, group: KeptDirections, rows: LayerGroup, folder: Path | None) -> KeptDirections:
        """The directions with edits at other rows, kept in a file of their own; names of theirs are lent to it."""
        held = group.directions
        moved = held.edited_at(rows.ws_indices, rows.label)
        if moved is held:
            return group
        path = None if folder is None else files_of([moved], folder)[0]
        if path is not None:
            moved = adopting(moved, path)
        return KeptDirections(moved.with_names_of(held), path, lender=held, warn=self.warn)

    # --- pictures ---------------------------------------------------------------------------------

    def view(
        self, look: Look, seeds: Sequence[int] = (), projected: str | os.PathLike[str] | np.ndarray | None = None
    ) -> View:
        """Seeds, projected ws, or both, with one look; no generator is built.

        Args:
            look: truncation, noise, class and so on; a class is left out if the network has none.
            seeds: drawn as the toolkits do.
            projected: a file of projected ws, or the ws themselves ``[N, num_ws, w_dim]``; these come first.

        Raises:
            SettingsError: the look does not fit the network, or there are no subjects.
            SessionError: the network can only be factorised.
            LatentsError: the file of ws cannot be used.
        """
        from ..rendering.latent_files import load_projected_w
        from ..rendering.shards import View

        self.require_pictures()
        sizes = self.opened.sizes
        look = self.checked(look)
        if sizes["c_dim"] and seeds:
            with settings_checked():
                check_label(look.label, sizes["c_dim"])
        ws_file = ""
        with settings_checked():
            if isinstance(projected, (str, os.PathLike)):
                ws_file = os.fspath(projected)
                projected = load_projected_w(projected, sizes["num_ws"], sizes["w_dim"], self.note)
            elif projected is not None and projected.shape[1:] != (sizes["num_ws"], sizes["w_dim"]):
                wanted = f"[N, {sizes['num_ws']}, {sizes['w_dim']}]"
                raise SettingsError(f"projected ws {list(projected.shape)}: this network needs {wanted}")
            return View(look, tuple(seeds), projected, ws_file=ws_file)

    def scene(self, view: View) -> Scene:
        """A scene of this process, with the latents of its subjects; builds the generator.

        Raises:
            SettingsError, SessionError, HookError: as :meth:`generator`.
        """
        with settings_checked():
            return self.engine().scene(view)

    def engine(self, planned: Arithmetic | None = None) -> Local:
        """The engine of this process, whose generator is built with the first picture.

        Args:
            planned: the arithmetic of the plan that is rendered, if any.
        """
        from ..rendering.local import Local

        return Local(self.generator, planned, self.warn)

    def ranges(
        self,
        view: View,
        engine: Engine,
        fixed: tuple[float, float] | None = None,
        advance: Callable[[int], None] = lambda pictures: None,
    ) -> Ranges:
        """The ranges of directions of this network; see :class:`Ranges`."""
        from ..rendering.calibration import seeds_for
        from ..rendering.ranges import Ranges

        sizes = self.opened.sizes
        stylegan3 = any(layer.kind == "input" for layer in self.opened.layers)
        own = sizes["c_dim"] > 0 and view.look.label is None
        return Ranges(view, engine, seeds_for(sizes["resolution"], stylegan3), fixed, advance, own)

    def generator(self, look: Look) -> Generator:
        """The generator, built once; warns of parts of the look that it does not have.

        Raises:
            SettingsError: this computer has no such device, or the device lacks the look's precision.
            SessionError: the network can only be factorised.
            HookError: weights hold NaN or infinity.
        """
        self.require_pictures()
        device = device_of(self.choice.device)
        if look.bf16 and device != "cpu":
            raise SettingsError("--precision bf16 is for CPUs; leave --precision out, or use --device cpu")
        with self._building:
            if self._generator is None:
                self._generator = self._build(device)
        G = self._generator
        if (*look.translate, look.rotate) != (0, 0, 0) and not hasattr(
            getattr(G.synthesis, "input", None), "transform"
        ):
            self.warn("--translate and --rotate are ignored: only StyleGAN3 has an input that moves")
        if any(look.camera) and not hasattr(G, "camera"):
            self.warn("--camera is ignored: only networks of EG3D have a camera")
        return G

    def checked(self, look: Look) -> Look:
        """The look; a class is removed, with a warning, where the network has none.

        Raises:
            SettingsError: the network has no such class, or fewer rows of ws.
        """
        sizes = self.opened.sizes
        if look.label is not None and not sizes["c_dim"]:
            if not isinstance(look.label, int):
                raise SettingsError("--label: this network is unconditional, its mapping takes no label; leave it out")
            self.warn("--class is ignored: this network has no classes")
            look = replace(look, label=None)
        if look.label is not None:
            with settings_checked():
                check_label(look.label, sizes["c_dim"])
        if look.background is not None and sizes["channels"] != 4:
            self.warn("--background is ignored: this network's pictures are not transparent")
            look = replace(look, background=None)
        if look.trunc_cutoff is not None and look.trunc_cutoff > sizes["num_ws"]:
            raise SettingsError(f"--trunc-cutoff {look.trunc_cutoff}: this network has {sizes['num_ws']} rows of ws")
        return look

    def _build(self, device: str) -> Generator:
        from ..networks.building import build_network
        from ..rendering.arithmetic import note_on_filters
        from ..system import processor

        if device == "cpu":
            processor.keep_freed_memory()
        G = build_network(self.opened, device)
        for note in (processor.limited, note_on_filters(G)):
            if note:
                self.note(note)
        return G


def device_of(name: str) -> str:
    """The device that ``auto`` stands for, or the one that is named.

    Raises:
        SettingsError: this computer, or this torch, does not have it.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    mps = getattr(torch.backends, "mps", None)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": mps is not None and mps.is_available()}
    if not there.get(name):
        raise SettingsError(f"--device {name}: this torch finds no such device on this computer; type --device cpu")
    return name


def has(directions: Directions, key: int | str) -> bool:
    """Whether a number or name is one of these directions; numbers below 0 only if all directions were found."""
    if isinstance(key, str):
        return key in directions.names
    return key < len(directions) and (key >= 0 or len(directions) == directions.whole)


def check_keys(groups: Sequence[KeptDirections], wanted: Wanted) -> None:
    """Check that every direction wanted by number or name is in one of the sets.

    Raises:
        SettingsError: one is in none.
    """
    with settings_checked():
        for key in wanted.keys or ():
            if not any(has(group.directions, key) for group in groups):
                groups[0].directions.index(key)


def indices_of(directions: Directions, wanted: Wanted) -> list[int]:
    """The numbers of the wanted directions, each once."""
    count = len(directions) if wanted.count is None else min(wanted.count, len(directions))
    keys = directions.in_order(wanted.order)[:count] if wanted.keys is None else wanted.keys
    return list(dict.fromkeys(directions.index(key) for key in keys if has(directions, key)))


def _needed(keys: Sequence[int | str], dim: int) -> int:
    """How many directions must be found to include these numbers."""
    places = [(key if key >= 0 else dim + key, key) for key in keys if isinstance(key, int)]
    for place, key in places:
        if not 0 <= place < dim:
            raise SettingsError(f"direction {key} asked for, this network has 0-{dim - 1} (-1 is the last)")
    # Numbers that count from the end need all directions.
    return dim if any(key < 0 for _, key in places) else max(places, default=(0, 0))[0] + 1
