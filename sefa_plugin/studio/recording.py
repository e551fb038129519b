"""Videos that are rendered in the background, one at a time, while visitors are served first."""

from __future__ import annotations

import io
import secrets
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from msgspec import structs

from ..runs.output_settings import OutputSettings
from ..runs.recipe import NAME, Recipe
from ..runs.recipe_outputs import folder_for, make_recipe
from ..runs.settings import SettingsError
from .gallery import FOLDER
from .lines import video_of
from .network import Network
from .state import Record
from .turns import Patient, Stopped, TooMany, Turns
from .work import Work, stated

MOST = 8  # recordings that wait, and as many that are remembered


@dataclass(eq=False)
class Recording(Work):
    """A video.

    Attributes:
        id: to ask for it.
        words: the command that makes the same file, once its recipe is saved.
        file: what was made: a video, or a folder of PNGs.
    """

    id: str = ""
    words: list[str] = field(default_factory=list)
    file: Path | None = None

    def content(self) -> tuple[bytes, str, str]:
        """The bytes of what was made, their type, and a name for them; a folder becomes a zip.

        Raises:
            SettingsError: it is not done, or its file is gone.
        """
        if self.state != "done" or self.file is None or not self.file.exists():
            raise SettingsError("this video is not there")
        if self.file.is_file():
            kind = {".mp4": "video/mp4", ".gif": "image/gif"}[self.file.suffix]
            return self.file.read_bytes(), kind, self.file.name
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
            for picture in sorted(self.file.iterdir()):
                archive.write(picture, picture.name)
        return held.getvalue(), "application/zip", f"{self.file.name}.zip"


class Recorder:
    """Renders recordings in a thread of its own.

    Args:
        turns: those of visitors, who come first.
        log: called with one line on what failed.
        explain: an error as one line.
        scratch: a folder for recordings that are forgotten with their files; None keeps them beside the kept pictures.
    """

    def __init__(
        self,
        turns: Turns,
        log: Callable[[str], None],
        explain: Callable[[BaseException], str],
        scratch: Path | None = None,
    ) -> None:
        self._turns, self._log, self._explain, self._scratch = turns, log, explain, scratch
        self._thread = ThreadPoolExecutor(1, "studio-record")
        self._all: OrderedDict[str, Recording] = OrderedDict()

    def start(self, network: Network, record: Record, kept: Sequence[Recipe] = ()) -> Recording:
        """Queue a video.

        Args:
            network, record: what is made.
            kept: the recipes of ``record.kept``.

        Raises:
            SettingsError, ValueError, VideoError: it cannot be made with these settings.
            TooMany: others wait already.
        """
        output = OutputSettings.of_kind(
            record.video, frames=record.frames, fps=record.fps, loop=record.loop, easing=record.easing, sheet=False,
            width=record.size,
        )  # fmt: skip
        output.check()
        recipe = network.recipe(record.state, record.seeds if record.kind == "walk" else ())
        through = partial(network.recipe_through, kept) if record.kind == "kept" else lambda: recipe
        if record.kind == "kept":
            if len(kept) < 2:
                raise SettingsError("this video goes from kept picture to kept picture: keep two or more")
            record = structs.replace(record, kind="walk")
        elif record.kind == "walk" and len(set(record.seeds)) < 2:
            raise SettingsError("a walk goes from seed to seed: choose two or more")
        elif record.kind != "walk" and not recipe.edits:
            raise SettingsError("this video goes along directions: move a slider first, or choose a walk")
        for id in [id for id, one in self._all.items() if one.is_over][: -MOST + 1]:
            del self._all[id]
            if self._scratch is not None:
                shutil.rmtree(self._scratch / id, ignore_errors=True)
        if len(self._all) >= 2 * MOST:
            raise TooMany("other videos wait already; cancel one, or wait")
        made = Recording(id=secrets.token_hex(8))
        self._all[made.id] = made
        self._thread.submit(self._render, made, network, through, record, output)
        return made

    def _render(
        self,
        made: Recording,
        network: Network,
        through: Callable[[], Recipe],
        record: Record,
        output: OutputSettings,
    ) -> None:
        with stated(made, "a video failed", self._log, self._explain):
            if made.cancelled.is_set():
                raise Stopped
            made.state = "running"
            self._turns.share_threads()
            self._turns.wait_for_calm(made.cancelled.is_set)
            recipe = through()
            engine = Patient(network.session.engine(), self._turns, made.cancelled.is_set)
            view = network.session.view(recipe.look, recipe.seeds, recipe.ws)
            outdir = folder_for((self._scratch / made.id) if self._scratch else network.folder / FOLDER, recipe)
            if not (outdir / NAME).exists():
                recipe.save(outdir / NAME)
            made.words = video_of(recipe, record, "recipe.json" if self._scratch else str(outdir))
            make_recipe(
                network.session, view, recipe, outdir, made.words, made, animated=(record.kind, output), engine=engine
            )
            made.file, made.state = outdir / output.video_named(record.kind), "done"

    def find(self, id: str) -> Recording:
        """A recording.

        Raises:
            SettingsError: there is none of this id.
        """
        if id not in self._all:
            raise SettingsError("there is no such video")
        return self._all[id]

    def cancel(self, id: str) -> None:
        """Stop a recording before its next picture."""
        made = self.find(id)
        made.cancelled.set()
        if made.state == "waiting":
            made.state = "cancelled"

    def close(self) -> None:
        """Stop all."""
        for made in self._all.values():
            made.cancelled.set()
        self._thread.shutdown(wait=self._scratch is not None, cancel_futures=True)
