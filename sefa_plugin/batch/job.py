"""A job: networks, options and shards, in one small file; the same words and files give the same list everywhere."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import msgspec

from ..directions.factorization import Factorisation
from ..directions.layers import select_layers
from ..rendering.calibration import probed, seeds_for
from ..rendering.look import Look
from ..rendering.shards import Shard
from ..runs.folder import SHOWN
from ..runs.output_settings import OutputSettings
from ..runs.record import versions
from ..runs.session import Session
from ..runs.settings import NetworkChoice, Wanted
from ..system.whole_files import whole_file

FORMAT = 1
PLACE, NAME = ".batch", "job.json"  # in the folder of outputs
PLAN, PICTURES, DIRECTIONS, GRID = "plan", "pictures", "directions", "grid"  # kinds of shards
LONG = 120.0  # seconds of a shard, about
LONGEST = 300.0  # seconds of a shard; what takes longer is cut by seeds, too
FEWEST = 16  # shards that a small job is cut into, where it has as many directions
# Seconds of a picture of 256 pixels, and of opening a network, on two cores: see docs/performance.md. A table, and
# nothing that a run measures, so that every computer cuts a job in the same way.
SECONDS, SECONDS_OF_STYLEGAN3, OPENING = 0.16, 1.0, 3.0
SHEET, CLIP, STORED = 120_000, 400_000, 2.0  # bytes for each subject, of a sheet and a clip; of a pixel that is stored
AT_ONCE = 4  # pictures of 256 pixels in a batch
WRITING = 0.1  # seconds of making sheets and clips of stored pictures, of those of rendering them


class BatchError(Exception):
    """A job that cannot be made, continued or merged as asked; the message names what stands in the way."""


@dataclass(frozen=True)
class Asked:
    """What is made of each network.

    Attributes:
        choice: how networks are opened; its path is that of one of them.
        factorisation, wanted, output, distance: see ``runs.each_direction.make_outputs``.
        seeds, projected: subjects; see ``Session.view``.
        looks: by the folder in that of the network, '' for itself: one for each class.
    """

    choice: NetworkChoice
    factorisation: Factorisation
    wanted: Wanted
    output: OutputSettings
    distance: Optional[tuple[float, float]]
    seeds: tuple[int, ...]
    projected: Optional[str]
    looks: dict[str, Look]

    def directions_of(self, session: Session) -> int:
        """How many directions of a network are wanted, at most; nothing is factorised."""
        dim = session.opened.sizes["w_dim" if self.factorisation.space == "w" else "z_dim"]
        count = min(self.wanted.count or dim, dim) if self.wanted.keys is None else len(self.wanted.keys)
        if self.wanted.file is not None or self.factorisation.space == "z":
            return count
        return count * len(select_layers(session.opened.layers, self.factorisation.layers, self.factorisation.torgb))


class Network(msgspec.Struct, frozen=True):
    """A network of a job.

    Attributes:
        path: as typed.
        name: its folder in that of the job.
        digest: of its weights; '' where it could not be opened.
        problem: why not.
    """

    path: str
    name: str
    digest: str = ""
    problem: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A shard: a block of the directions of one network and of its seeds, or the plan that the others follow.

    Attributes:
        id: hash of all that determines it.
        network: its place in the job.
        part: of ``Asked.looks``.
        kind: ``plan`` (directions, ranges, layouts), ``pictures`` (of a block of seeds, stored for the following),
            ``directions`` (sheets and clips), or ``grid`` (the video of all directions).
        first, last: the block, from the first to before the last direction of the plan.
        start, stop: places of the seeds, from the first to before the last; both 0: all seeds.
        needs: ids of the shards that it is made from: the plan first.
        pictures, seconds, size: about how many, how long by the table of costs, and how many bytes.
    """

    id: str
    network: int
    part: str
    kind: str
    first: int = 0
    last: int = 0
    start: int = 0
    stop: int = 0
    needs: tuple[str, ...] = ()
    pictures: int
    seconds: float
    size: int = 0


class Job(msgspec.Struct, frozen=True):
    """All shards, network by network; the plan of a network stands before its other shards.

    Attributes:
        program: the words that start a plain run of one network.
        words: the options, as typed.
        versions: of everything that pictures depend on.
        paths: of networks, as typed.
        networks, blocks: in the order of the merged results; the same network at two paths is there once.
        format: of the file.
    """

    program: tuple[str, ...]
    words: tuple[str, ...]
    versions: dict[str, str]
    paths: tuple[str, ...]
    networks: tuple[Network, ...]
    blocks: tuple[Block, ...]
    format: int = FORMAT

    def share(self, place: int, count: int) -> list[Block]:
        """The shards of one of several shares of about equal cost, each of neighbours, with the plans they follow.

        What is made from shards of several shares is in none.
        """
        others = [block for block in self.blocks if block.kind != PLAN]
        total, before, chosen = sum(block.seconds for block in others), 0.0, dict[str, Block]()
        for block in others:
            if int((before + block.seconds / 2) * count / total) == place:
                chosen[block.id] = block
            before += block.seconds
        plans = {block.needs[0] for block in chosen.values()}
        ids = {one for one, block in chosen.items() if all(need in chosen for need in block.needs[1:])} | plans
        return [block for block in self.blocks if block.id in ids]


def make_job(
    paths: Sequence[str],
    asked: Callable[[str], Asked],
    program: Sequence[str],
    words: Sequence[str],
    warn: Callable[[str], None],
) -> Job:
    """List the shards of a job; networks are opened, and nothing is rendered or factorised.

    Args:
        paths: of networks, in any order; the same network twice counts once.
        asked: what is made of a network, by its path.
        program, words: see :class:`Job`.
        warn: called with one line for each network that is left out, or cannot be opened.
    """
    networks: list[Network] = []
    found: list[tuple[int, Asked, int, dict[str, int], bool]] = []
    names: set[str] = set()
    paths = tuple(dict.fromkeys(paths))
    for path in paths:
        one = asked(path)
        try:
            session = Session.open(one.choice, warn=lambda text: None)
            session.require_pictures()
            count = one.directions_of(session)
        except Exception as error:  # of any reader: the others are made all the same
            problem = " ".join(str(error).split())[:300]
            warn(f"{path}: left out: {problem}")
            networks.append(Network(path, "", problem=problem))
            continue
        digest = session.about()["digest"]
        twin = next((other for other in networks if other.digest == digest), None)
        if twin is not None:
            warn(f"{path}: left out: it is the same network as {twin.path}")
            continue
        name = session.name if session.name not in names else f"{session.name}-{digest[:SHOWN]}"
        names.add(name)
        found.append((len(networks), one, count, session.opened.sizes, _is_stylegan3(session)))
        networks.append(Network(path, name, digest))
    fewest = -(-FEWEST // len(paths))
    blocks = [block for item in found for block in _cut(*item, networks[item[0]].digest, words, fewest)]
    return Job(tuple(program), tuple(words), versions(), paths, tuple(networks), tuple(blocks))


def _is_stylegan3(session: Session) -> bool:
    return any(layer.kind == "input" for layer in session.opened.layers)


def _cut(
    place: int,
    asked: Asked,
    directions: int,
    sizes: dict[str, int],
    stylegan3: bool,
    digest: str,
    words: Sequence[str],
    fewest: int,
) -> list[Block]:
    """The shards of one network: its plan, blocks of its directions, and the grid."""
    side = sizes["resolution"] ** 2 / 256**2
    seconds = side * (SECONDS_OF_STYLEGAN3 if stylegan3 else SECONDS)
    subjects, output, clip = max(1, len(asked.seeds)), asked.output, asked.output.video != "none"
    low, high = asked.distance or (-0.97, 1.05)  # as uneven as measured ranges are
    frames = {*output.timeline(low, high).distances} if clip else set()
    each = len((frames | {*output.columns(low, high, asked.distance is None)}) - {0.0}) * subjects
    probes = 2 * len(probed(len(seeds_for(sizes["resolution"], stylegan3)))) if asked.distance is None else 0
    large = (SHEET * min(1.0, side) + clip * CLIP * side) * subjects
    count = min(directions, max(fewest, math.ceil(directions * each * seconds / LONG)))
    grid = directions * len(frames) * subjects if output.grid and clip else 0
    # Pictures of a block of seeds are stored where a direction, or the grid, would take too long. Directions of Z move
    # all seeds through the mapping at once, which rounds by their number.
    stored = max(each, grid) * seconds > LONGEST and not asked.projected
    stored = stored and asked.wanted.file is None and asked.factorisation.space == "w"
    together = Shard((), together=subjects).batch(max(1, int(AT_ONCE / side)))  # a batch is not cut
    parts = min(subjects // together, math.ceil(directions * each * seconds / count / LONG)) if stored else 0
    made: list[Block] = []

    def add(part: str, kind: str, span: Sequence[int], pictures: int, cost: float, size: float, *needs: str) -> str:
        content = msgspec.json.encode([digest, list(words), part, kind, *span])
        name = hashlib.sha256(content).hexdigest()[:20]
        first, last, start, stop = span
        made.append(
            Block(
                id=name,
                network=place,
                part=part,
                kind=kind,
                first=first,
                last=last,
                start=start,
                stop=stop,
                needs=needs,
                pictures=pictures,
                seconds=round(cost, 2),
                size=int(size),
            )
        )
        return name

    for part in asked.looks:
        pictures, kept = directions * probes, list[str]()
        plan = add(part, PLAN, (0, 0, 0, 0), pictures, OPENING + pictures * seconds, 0)
        for first, last in blocks_of(directions, count):
            own = []
            for start, stop in blocks_of(subjects // together, parts) if stored else ():
                pictures = ((last - first) * each // subjects + 1) * (stop - start) * together
                span, size = (
                    (first, last, start * together, stop * together),
                    pictures * STORED * sizes["resolution"] ** 2,
                )
                own.append(add(part, PICTURES, span, pictures, pictures * seconds, size, plan))
            kept += own
            pictures = (last - first) * each + subjects
            cost, size = pictures * seconds * (WRITING if stored else 1), (last - first) * large
            add(part, DIRECTIONS, (first, last, 0, 0), 0 if stored else pictures, cost, size, plan, *own)
        if grid:
            cost, size = grid * seconds * (WRITING if stored else 1), directions * CLIP * side
            add(part, GRID, (0, 0, 0, 0), 0 if stored else grid, cost, size, plan, *kept)
    return made


def blocks_of(items: int, count: int) -> list[tuple[int, int]]:
    """Cut some items into blocks of about equal size: the first of each, and that of the next."""
    return [(items * step // count, items * (step + 1) // count) for step in range(count)]


def save(job: Job, folder: Path, new: bool = True) -> None:
    """Write a job to its folder; a ``new`` one unless another process was first.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        with whole_file(folder / PLACE / NAME, new) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(job), indent=1))
    except FileExistsError:
        return


def load(folder: str | os.PathLike[str]) -> Job:
    """The job of a folder.

    Raises:
        BatchError: there is none, or it is of another version.
        OSError: it cannot be read.
    """
    path = Path(folder) / PLACE / NAME
    try:
        job = msgspec.json.decode(path.read_bytes(), type=Job)
    except FileNotFoundError:
        raise BatchError(f"{folder}: holds no job; make one: sefa batch FILE... --outdir {folder}") from None
    except msgspec.MsgspecError as error:
        raise BatchError(f"{path}: is no job of this version ({str(error)[:100]})") from None
    if job.format != FORMAT:
        raise BatchError(f"{path}: has the format {job.format}, this version reads {FORMAT}")
    return job


def check_versions(job: Job) -> None:
    """Check that this process makes the pictures that the job's other processes make.

    Raises:
        BatchError: a package has another version here.
    """
    here = versions()
    for name, version in job.versions.items():
        if name != "python" and here.get(name) != version:
            raise BatchError(
                f"this job was made with {name} {version}, here is {here.get(name)}: pictures would differ; "
                "use that version, or another --outdir"
            )


def check_same(job: Job, folder: Path, paths: Sequence[str], words: Sequence[str]) -> None:
    """Check that a folder's job is of these files and options.

    Raises:
        BatchError: it is another one.
    """
    free = "choose another --outdir, or leave files and options out to continue that one"
    if list(job.words) != list(words):
        raise BatchError(f"{folder}: holds a job with other options ({' '.join(job.words) or 'none'}); {free}")
    other = set(job.paths).symmetric_difference(paths)
    if other:
        raise BatchError(f"{folder}: holds a job of other networks ({min(other)} is in one of them only); {free}")
