"""From a plan to files: an engine renders the pictures; outputs are written whole, in order, and recorded.

An output that is up to date is kept. Sheets, videos and the grid share their pictures.
"""

from __future__ import annotations

import dataclasses
import errno
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from ..directions.region import Region
from ..media.effect import describe, heat_picture, share_inside
from ..media.frame_store import FrameStore, replay
from ..media.pictures import Size, as_image, fit, on_canvas, png_text, side_by_side, stacked
from ..media.sheet import CELL, write_sheet
from ..media.text import captioned
from ..media.video import write_video
from ..rendering.engine import Engine
from ..rendering.shards import Shard, Shot, View
from ..system.whole_files import whole_file
from .command_line import comment, line
from .folder import Made, Reporter, Silent, claim, named
from .page.contents import Pages, packed
from .plan import Latents, Later, Layout, Output, Plan, PlanError, Planned, Sheet, Still, Text, Video
from .record import About, Manifest

if TYPE_CHECKING:
    from .session import Session

DESCRIBED = 8  # subjects that the description of a sheet is measured on


def render_plan(
    plan: Plan,
    session: Session,
    outdir: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    reporter: Reporter | None = None,
    overwrite: bool = False,
) -> Made:
    """Make the outputs of a plan, with the record and the page of their folder.

    Args:
        plan: made here or elsewhere.
        session: of its network.
        outdir: the folder.
        engine: makes the pictures; None makes them in this process, computed as planned.
        reporter: receives lines, the amount of work, and progress; None prints nothing.
        overwrite: make outputs again even where they are up to date.

    Raises:
        PlanError: the plan is of another network.
        VideoError, FramesError, OSError: an output could not be made; those before it are whole.
    """
    about, reporter, folder = session.about(), reporter or Silent(), Path(outdir)
    if about["digest"] != plan.network["digest"]:
        raise PlanError(f"this plan is of the network {plan.network['name']}, not of {about['name']}")
    claim(folder, about, plan.command)
    manifest = Manifest(folder, plan.command, about)
    manifest.write()
    engine, current = engine or session.engine(plan.arithmetic), is_current(manifest, reporter, overwrite)
    made, kept = Making(plan.view, engine, manifest, reporter, current, Pages(manifest)).make(plan.outputs)
    return Made(folder, tuple(made), kept)


def settled(planned: Sequence[Planned], view: View, engine: Engine) -> tuple[Output, ...]:
    """All outputs of a plan, in their order; ranges that are not known are measured now."""
    outputs: list[Output] = []
    unedited: dict[str, np.ndarray] = {}
    for item in planned:
        if isinstance(item, Later):
            unedited = unedited or dict(zip(view.labels, engine.pictures(view, Shard.of_everyone(view))))
            outputs += item.settle(unedited)
        else:
            outputs.append(item)
    return tuple(sorted(outputs, key=lambda output: output.order))


def is_current(manifest: Manifest, reporter: Reporter, overwrite: bool) -> Callable[[Output], bool]:
    """A function that tests whether an output is up to date, and reports if it is kept or will be replaced."""

    def check(output: Output) -> bool:
        if overwrite:
            return False
        if manifest.is_current(output.name, output.settings):
            if not output.quiet:
                reporter.say(f"{output.name}: is up to date, kept")
            return True
        if not output.quiet and (manifest.outdir / output.name).exists():
            reporter.say(f"{output.name}: was made with other settings, will be replaced")
        return False

    return check


@dataclass(eq=False)
class Making:
    """Makes the outputs of one folder.

    Attributes:
        view: subjects and look of all of them.
        engine: makes the pictures.
        manifest: the record of the folder.
        reporter: receives lines, the amount of work, and progress.
        current: whether an output is up to date.
        page: writes the page; called with True after each output and with False at the end.
        begins: record each output before it is written (see ``Manifest.begin``).
    """

    view: View
    engine: Engine
    manifest: Manifest
    reporter: Reporter
    current: Callable[[Output], bool]
    page: Callable[[bool], None] = lambda busy: None
    begins: bool = False
    _before: list[np.ndarray] = field(default_factory=list, init=False)
    _native: tuple[int, ...] = field(default=(), init=False)  # shape of the pictures, once there is one
    _named: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def make(self, planned: Sequence[Planned]) -> tuple[list[str], int]:
        """Make the outputs that are not up to date; returns the names of those, and how many were kept.

        Raises:
            VideoError, FramesError, OSError: an output could not be made, or was removed during the run; earlier ones
                are whole.
        """
        queue: list[tuple[tuple[int, int], int, Planned]] = []
        kept, made, place, shown = 0, [], count(), False

        def add(items: Sequence[Planned]) -> None:
            nonlocal kept
            for item in items:
                if isinstance(item, Later) or not self.current(item):
                    heapq.heappush(queue, (item.order, next(place), item))
                else:
                    kept += not item.quiet

        add(planned)
        try:
            if queue:
                self.reporter.expect(self.pictures([item for *_, item in queue]))
                with FrameStore() as store:
                    while queue:
                        *_, item = heapq.heappop(queue)
                        if isinstance(item, Later):
                            add(item.settle(dict(zip(self.view.labels, self._unedited()))))
                            continue
                        self._make(item, store, [other for *_, other in queue if isinstance(other, Output)])
                        made.append(item.name)
                        self.page(True)
                        if isinstance(item.layout, Sheet) and item.layout.described and not shown:
                            shown = True
                            path = self.manifest.outdir / item.name
                            self.reporter.say(f"{path}: the first sheet; index.html grows from now")
        except BaseException:
            with suppress(OSError):  # the page must not announce further outputs
                if self.manifest.outdir.is_dir():
                    self.page(False)
            raise
        self.page(False)
        for name in made:
            if not (self.manifest.outdir / name).exists():
                what = f"{os.strerror(errno.ENOENT)}: it was made, and is gone; run the same command again"
                raise FileNotFoundError(errno.ENOENT, what, str(self.manifest.outdir / name))
        return made, kept

    def pictures(self, items: Sequence[Planned]) -> int:
        """How many pictures the outputs need; shared ones count once."""
        alone, shared = 0, set()
        for item in items:
            if isinstance(item, Later):
                alone += item.pictures
                shared.add("")
                continue
            if isinstance(item.layout, Sheet) and item.layout.described:
                shared.add("")
            for shard in item.layout.shards:
                for row in shard.rows():
                    name = self._name(shard, row)
                    if name is None:
                        alone += len(row)
                    else:
                        shared.add(name)
        return alone + len(shared) * len(self.view)

    # --- pictures ---------------------------------------------------------------------------------

    def _name(self, shard: Shard, row: tuple[Shot, ...]) -> str | None:
        """A key for a row that shows all subjects at one step, '' if unedited; None for any other row."""
        everyone = len(row) == shard.together == len(self.view) and shard.walk is None
        same = everyone and all(shot == (float(who), row[0][1]) for who, shot in enumerate(row))
        return shard.key(row[0][1]) if same else None

    def _names(self, output: Output) -> frozenset[str]:
        """The keys of the rows of a video."""
        if output.name not in self._named:
            shards = output.layout.shards if isinstance(output.layout, Video) else ()
            names = (self._name(shard, row) for shard in shards for row in shard.rows())
            self._named[output.name] = frozenset(name for name in names if name is not None)
        return self._named[output.name]

    def _unedited(self) -> list[np.ndarray]:
        """The unedited pictures of all subjects."""
        if not self._before:
            self._before = list(self.engine.pictures(self.view, Shard.of_everyone(self.view)))
            self._native = self._before[0].shape
            self.reporter.advance(len(self._before))
        return self._before

    def _rows(
        self, shard: Shard, skipped: Callable[[str | None], bool] = lambda name: False
    ) -> Iterator[tuple[str | None, list[np.ndarray]]]:
        """The key and the pictures of each row; no pictures for rows whose key is ``skipped``."""
        rows = [(row, self._name(shard, row)) for row in shard.rows()]
        left_out = [name == "" or skipped(name) for _, name in rows]
        wanted = shard.only([row for (row, _), out in zip(rows, left_out) if not out])
        flat = self.engine.pictures(self.view, wanted)
        for (row, name), out in zip(rows, left_out):
            if out:
                yield name, [] if skipped(name) else self._unedited()
                continue
            pictures = list(islice(flat, len(row)))
            self._native = pictures[0].shape
            self.reporter.advance(len(pictures))
            yield name, pictures

    # --- outputs ----------------------------------------------------------------------------------

    def _make(self, output: Output, store: FrameStore, later: Sequence[Output]) -> None:
        path, measured = self.manifest.outdir / output.name, {}
        layout, about = self._placed(output)
        if self.begins:
            self.manifest.begin(output.name, output.settings)
        with named(path):
            if isinstance(layout, Sheet):
                measured = self._sheet(path, layout, output.distances, store, later)
            elif isinstance(layout, Video):
                self._video(path, layout, store, later)
            elif isinstance(layout, Still):
                _, (picture,) = next(self._rows(layout.shard))
                with whole_file(path) as part:
                    as_image(picture).save(part, pnginfo=png_text(layout.comment))
            elif isinstance(layout, Latents):
                ws = self.engine.latents(self.view, layout.shard)
                with whole_file(path) as part:
                    np.savez(part, w=ws)
            elif isinstance(layout, Text):
                with whole_file(path) as part:
                    part.write_bytes(layout.text.encode("utf-8"))
        computed = {} if isinstance(layout, Text) else asdict(self.engine.arithmetic(self.view))
        about = {**about, **measured}
        self.manifest.add(output.name, output.settings, output.distances, about, computed=computed)

    def _placed(self, output: Output) -> tuple[Layout, About]:
        """The layout and the description of an output, whose commands name the folder."""
        layout, about, place = output.layout, output.about, self.manifest.place
        end = line(["--outdir", place])

        def placed(command: str) -> str:
            return f"{command} {end}" if command and end else ""

        if isinstance(layout, (Sheet, Video, Still)):
            layout = replace(layout, comment=comment(placed(layout.comment), place))
        if "command" in about:
            about = {**about, "command": placed(about["command"]), "outdir": place}
        return layout, about

    def _sheet(
        self, path: Path, layout: Sheet, distances: Sequence[float], store: FrameStore, later: Sequence[Output]
    ) -> About:
        """Write a sheet; returns what is measured, for the record."""
        everyone = len(self.view)
        videos = [(self._names(video), video.layout.size) for video in later if isinstance(video.layout, Video)]
        cells: list[np.ndarray] = []
        for name, pictures in self._rows(layout.shard):
            cells += [fit(picture, CELL * layout.scale) for picture in pictures]
            for size in {size for names, size in videos if name in names}:
                store.put((name, size), side_by_side(pictures, size))
        rows, columns = len(layout.row_labels), len(layout.column_labels)
        if layout.by_columns:
            table = [[cells[column * rows + row] for column in range(columns)] for row in range(rows)]
        else:
            table = [cells[row * columns : (row + 1) * columns] for row in range(rows)]
        text, heat = layout.text, None
        region = Region.parse(layout.region) if layout.region else None
        about: About = {}
        if layout.described:
            before = [fit(picture, CELL) for picture in self._unedited()[:DESCRIBED]]
            ends = (cells[:everyone][:DESCRIBED], cells[-everyone:][:DESCRIBED])
            low, high = ([fit(picture, CELL) for picture in end] for end in ends)
            effect = describe(before, low if distances[0] < 0 else None, high if distances[-1] > 0 else None)
            words = f"Towards +: {', '.join(effect.words)}. " if effect.words else ""
            there = ""
            if region is not None:
                share = share_inside(before, [*low, *high], region.weights(*before[0].shape[:2]))
                there = f"{share:.0%} of the change here is {region.words}. "
            text, heat = f"{words}{there}Changes: {effect.where}. Range: {text}.", heat_picture(effect.heat)
            about = {"words": list(effect.words), "where": effect.where, "numbers": effect.numbers}
            about["kinds"] = effect.kinds
            about["heat"] = packed(effect.heat)
        about["boxes"] = write_sheet(
            path,
            table,
            row_labels=layout.row_labels,
            column_labels=layout.column_labels,
            title=layout.title,
            text=text,
            aside=heat,
            marked=layout.marked,
            scale=layout.scale,
            comment=layout.comment,
            region=None if region is None else region.weights,
        )
        return about

    def _video(self, path: Path, layout: Video, store: FrameStore, later: Sequence[Output]) -> None:
        alone = len(layout.shards) == 1
        size = layout.size if alone else dataclasses.replace(layout.size, canvas="")
        parts = [self._frames(shard, size, store, later) for shard in layout.shards]
        first = [next(part) for part in parts]
        rows = zip(*(chain([frame], part) for frame, part in zip(first, parts)))
        frames: Iterator[np.ndarray] = (
            row[0] if alone else stacked(row, len(self.view), layout.max_width) for row in rows
        )
        if layout.captions:
            frames = (captioned(frame, *texts) for frame, texts in zip(frames, layout.captions))
        if layout.canvas:
            frames = (on_canvas(frame, layout.canvas) for frame in frames)
        high, *_ = size.of(self._native, len(self.view))
        words = f"# pictures enlarged {high / self._native[0]:.3g} times by Lanczos' filter"
        about = "\n".join(filter(None, (layout.comment, words if high > self._native[0] else "")))
        frames = replay(frames, layout.order)
        write_video(path, frames, layout.fps, layout.kind, comment=about, max_bytes=layout.max_bytes)

    def _frames(self, shard: Shard, size: Size, store: FrameStore, later: Sequence[Output]) -> Iterator[np.ndarray]:
        """The distinct frames of a shard; frames in the store are not rendered again."""
        names = (self._name(shard, row) for row in shard.rows())
        held = {name for name in names if (name, size) in store}
        wanted = frozenset[str]().union(*(self._names(output) for output in later))
        for name, pictures in self._rows(shard, lambda name: name in held):
            if not pictures:
                yield store.get((name, size))
                continue
            frame = side_by_side(pictures, size)
            if name in wanted:
                store.put((name, size), frame)
            yield frame
