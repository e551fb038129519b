"""The folder of one projected picture: begun, gone on with after an interruption, complete.

``projected_w.npz``, ``target.png``, ``proj.png`` and ``proj.mp4`` are called as NVIDIA's projector calls them;
``side_by_side.png`` shows target and projection, ``projection.json`` holds settings and figures. Until it is complete,
``projection-state.npz`` holds what goes on.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import torch
from msgspec import Struct

from .. import __version__
from ..media.pictures import as_image, side_by_side
from ..media.video import write_video
from ..reading.download import file_digest
from ..reading.json_file import parsed, read_bounded
from ..rendering.frames import to_uint8
from ..system.interrupts import postponed
from ..system.whole_files import whole_file
from .descent import Descent
from .manifold import pictures_of
from .quality import Quality

if TYPE_CHECKING:
    from collections.abc import Generator as Steps
    from collections.abc import Mapping

    from torch import Tensor

    from ..networks.generator import Generator

WS, ABOUT, STATE = "projected_w.npz", "projection.json", "projection-state.npz"
TARGET, MADE, BESIDE, FILM = "target.png", "proj.png", "side_by_side.png", "proj.mp4"
FRAMES, FPS = 60, 20  # of a film
STORED_EVERY = 10.0  # seconds
MOST_BYTES = 64 << 20


class ProjectionError(Exception):
    """A folder that cannot take a projection; the message is one line."""


@dataclass(frozen=True)
class Outcome:
    """What a folder holds.

    Attributes:
        folder: which one.
        sentence: what they mean.
        line: the figures in one line.
        kept: whether it was complete already.
    """

    folder: Path
    sentence: str
    line: str
    kept: bool


class _About(Struct):
    """What is used of ``projection.json``."""

    key: str
    sentence: str = ""
    line: str = ""
    complete: bool = False
    sha256: str = ""


def key_of(target: np.ndarray, settings: Mapping[str, object], digest: str) -> str:
    """What a projection is a function of: its settings, the network, and the pixels of its target."""
    about = json.dumps([settings, digest, __version__], sort_keys=True).encode()
    return hashlib.sha256(about + repr(target.shape).encode() + np.ascontiguousarray(target).data).hexdigest()


def kept(folder: Path, key: str, files: Sequence[str] = ()) -> Outcome | None:
    """The complete projection of a folder with this key, and these files; None where there is none.

    Raises:
        ProjectionError: the folder holds ``projected_w.npz`` of somebody else.
    """
    held = _about(folder)
    if held is None:
        if (folder / WS).exists():
            raise ProjectionError(
                f"{folder / WS}: was not made by this command, and would be replaced; choose another --outdir, or type "
                "--overwrite"
            )
        return None
    with suppress(OSError):
        same = held.complete and held.key == key and held.sha256 == file_digest(folder / WS)
        if same and all((folder / name).exists() for name in files):
            return Outcome(folder, held.sentence, held.line, True)
    return None


def _about(folder: Path) -> _About | None:
    try:
        held: _About = parsed(read_bounded(folder / ABOUT, 1 << 20), _About)
    except (OSError, ValueError):
        return None
    return held


class Projecting:
    """The projection of one picture in its folder.

    Args:
        folder: made where it is missing.
        descent: not begun yet.
        target: uint8 ``[H, W, C]``.
        key: of :func:`key_of`.
        about: for ``projection.json``, as JSON.
        film: whether a film of the way is made.
    """

    def __init__(
        self,
        folder: Path,
        descent: Descent,
        target: np.ndarray,
        key: str,
        about: Mapping[str, object],
        film: bool = False,
    ) -> None:
        self.folder, self.descent, self.target, self.key = folder, descent, target, key
        self._settings, self._film = dict(about), film
        self._way: list[np.ndarray] = []  # ws of the frames of a film
        self._every = max(1, descent.total // FRAMES)
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> int:
        """Go on from what an interrupted command has left; returns the steps that are done already."""
        path = self.folder / STATE
        try:
            if path.stat().st_size > MOST_BYTES:
                return 0
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as held:
                state = {name: held[name] for name in held.files}
            if str(state.pop("key")) != self.key:
                return 0
            way = state.pop("way")
            self.descent.resume(state)
            self._way = list(way)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return 0
        return self.descent.done

    def run(self, advance: Callable[[int], None] = lambda steps: None) -> Steps[Descent, None, None]:
        """Take all steps that are left, and yield after each.

        On an interruption the state, and the best code so far with its pictures, are written.
        """
        stored = time.monotonic()
        try:
            while not self.descent.is_done:
                if self._film and self.descent.done % self._every == 0:
                    self._way.append(self.descent.ws.cpu().numpy())
                self.descent.step()
                advance(1)
                yield self.descent
                if time.monotonic() - stored > STORED_EVERY:
                    self._store()
                    stored = time.monotonic()
            self._store()
        except (KeyboardInterrupt, GeneratorExit):
            with postponed():
                self._store()
                self.write(self.descent.G, self.descent.ws, complete=False)
            raise

    def _store(self) -> None:
        way = np.stack(self._way) if self._way else np.zeros((0, *self.descent.ws.shape), np.float32)
        _save(self.folder / STATE, {**self.descent.state(), "key": np.array(self.key), "way": way})

    def write(
        self, G: Generator, ws: Tensor, complete: bool = True, more: Mapping[str, object] | None = None
    ) -> Outcome:
        """Write the outputs for ws ``[num_ws, w_dim]`` of a generator; ``more`` goes into the record."""
        quality = Quality.of(G, self.descent.manifold, ws, self.descent.target)
        made = to_uint8(pictures_of(G, ws[None]))[0]
        with whole_file(self.folder / TARGET) as part:
            as_image(self.target).save(part)
        with whole_file(self.folder / MADE) as part:
            as_image(made).save(part)
        with whole_file(self.folder / BESIDE) as part:
            as_image(side_by_side([self.target, made], None)).save(part)
        if self._film and complete:
            self._write_film(G, [*self._way, *[ws.cpu().numpy()] * (FPS // 2)])
        _save(self.folder / WS, {"w": ws[None].cpu().numpy().astype(np.float32)})
        content = {
            "key": self.key,
            "complete": complete,
            **self._settings,
            "steps_done": self.descent.done,
            "figures": quality.as_json(),
            "sentence": quality.sentence,
            "line": quality.line(),
            "sha256": file_digest(self.folder / WS),
            **(more or {}),
        }
        with whole_file(self.folder / ABOUT) as part:
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        if complete:
            (self.folder / STATE).unlink(missing_ok=True)
        return Outcome(self.folder, quality.sentence, quality.line(), False)

    def _write_film(self, G: Generator, way: Sequence[np.ndarray]) -> None:
        def frames() -> Iterator[np.ndarray]:
            for ws in way:
                made = to_uint8(pictures_of(G, torch.from_numpy(ws)[None].to(self.descent.ws.device)))[0]
                yield side_by_side([self.target, made])

        write_video(self.folder / FILM, frames(), FPS)


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with whole_file(path) as part, open(part, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # no array has the name of an option of savez
