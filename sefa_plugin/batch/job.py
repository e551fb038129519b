"""A job: networks, options and shards, in one small file; the same words and files give the same list everywhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Union

import msgspec

from ..directions.factorization import Factorisation
from ..directions.layers import select_layers
from ..rendering.calibration import probed, seeds_for
from ..runs.folder import SHOWN
from ..runs.record import versions
from ..runs.session import Session
from ..runs.settings import NetworkChoice, Wanted
from ..system.file_names import safe_name
from ..system.interrupts import exit_code
from ..system.whole_files import whole_file

if TYPE_CHECKING:
    from .shard import Attempt, Outcome

FORMAT = 1
PLACE, NAME = ".batch", "job.json"  # in the folder of outputs
LONG = 120.0  # seconds of a shard, about
LONGEST = 300.0  # seconds of a shard; what takes longer is cut by seeds, too
FEWEST = 16  # shards that a small job is cut into, where it has as many directions
# Seconds of a picture of 256 pixels, and of opening a network, on two cores: see docs/performance.md. A table, and
# nothing that a run measures, so that every computer cuts a job in the same way.
SECONDS, SECONDS_OF_STYLEGAN3, OPENING = 0.16, 1.0, 3.0
# Kinds of shards.
PLAN, PICTURES, DIRECTIONS, GRID, SCORES = "plan", "pictures", "directions", "grid", "scores"
COMMAND = "command"


class BatchError(Exception):
    """A job that cannot be made, continued or merged as asked; the message names what stands in the way."""


class Asked(Protocol):
    """What is made of a network: ``renders.Rendered`` or ``scores.Evaluated``."""

    @property
    def choice(self) -> NetworkChoice:
        """How the network is opened."""

    def cut(self, session: Session, cut: Cut) -> None:
        """Add the shards of an open network, each after those that it is made from."""

    def make(self, attempt: Attempt) -> Outcome:
        """Make a shard in the folder of an attempt."""


class Request(msgspec.Struct, frozen=True):
    """A network that a job is asked for.

    Attributes:
        path: as typed.
        words: all its options; () for those of the job.
        name: of its folder; '' for that of the network.
    """

    path: str
    words: tuple[str, ...] = ()
    name: str = ""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network of a job.

    Attributes:
        path, words: see :class:`Request`.
        name: its folder in that of the job.
        digest: of its weights; '' where it could not be opened.
        problem: why not.
    """

    path: str
    words: tuple[str, ...] = ()
    name: str = ""
    digest: str = ""
    problem: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A shard: a block of the directions of one network and of its seeds, or the plan that the others follow.

    Attributes:
        id: hash of all that determines it.
        network: its place in the job.
        part: its folder in that of the network, where there is one for each class.
        kind: ``plan`` (directions, ranges, layouts), ``pictures`` (of a block of seeds, stored for the following),
            ``directions`` (sheets and clips), ``grid`` (the video of all directions), ``scores`` (of a block of
            samples), or ``command`` (all that is left of an evaluation).
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


@dataclass(frozen=True)
class Cut:
    """The shards of one network, which are added one by one.

    Attributes:
        network, digest, words: its place in the job, its digest, and all its options.
        fewest: shards that its directions are cut into, at least, where it has as many.
        blocks: those that were added.
    """

    network: int
    digest: str
    words: Sequence[str]
    fewest: int
    blocks: list[Block] = field(default_factory=list)

    def add(
        self,
        kind: str,
        directions: tuple[int, int] = (0, 0),
        seeds: tuple[int, int] = (0, 0),
        *,
        part: str = "",
        needs: Sequence[str] = (),
        pictures: int = 0,
        seconds: float = 0.0,
        size: float = 0.0,
    ) -> str:
        """Add a shard; returns its id."""
        content = msgspec.json.encode([self.digest, list(self.words), part, kind, *directions, *seeds])
        block = Block(
            id=hashlib.sha256(content).hexdigest()[:20],
            network=self.network,
            part=part,
            kind=kind,
            first=directions[0],
            last=directions[1],
            start=seeds[0],
            stop=seeds[1],
            needs=tuple(needs),
            pictures=pictures,
            seconds=round(seconds, 2),
            size=int(size),
        )
        self.blocks.append(block)
        return block.id


class Job(msgspec.Struct, frozen=True):
    """All shards, network by network; what others are made from stands before them.

    Attributes:
        program: the words that start a plain run of one network.
        words: the options, as typed.
        versions: of everything that pictures depend on.
        requests: as typed.
        networks, blocks: in the order of the merged results; the same network at two paths is there once.
        format: of the file.
    """

    program: tuple[str, ...]
    words: tuple[str, ...]
    versions: dict[str, str]
    requests: tuple[Request, ...]
    networks: tuple[Network, ...]
    blocks: tuple[Block, ...]
    format: int = FORMAT

    def words_of(self, block: Block) -> tuple[str, ...]:
        """The options of a shard's network."""
        return self.networks[block.network].words or self.words

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
        plans = {need for block in chosen.values() for need in block.needs[:1]}
        ids = {one for one, block in chosen.items() if all(need in chosen for need in block.needs[1:])} | plans
        return [block for block in self.blocks if block.id in ids]


def make_job(
    requests: Sequence[Request],
    asked: Callable[[str, Sequence[str]], Asked],
    program: Sequence[str],
    words: Sequence[str],
    warn: Callable[[str], None],
) -> Job:
    """List the shards of a job; networks are opened, and nothing is rendered or factorised.

    Args:
        requests: in any order; the same network twice with the same options counts once.
        asked: what is made of a network, by its path and its options.
        program, words: see :class:`Job`.
        warn: called with one line for each network that is left out, or cannot be opened.
    """
    networks: list[Network] = []
    blocks: list[Block] = []
    seen: dict[tuple[str, tuple[str, ...], str], str] = {}
    requests = tuple(dict.fromkeys(requests))
    names, fewest = {request.name for request in requests}, -(-FEWEST // len(requests))
    for request in requests:
        path, options = request.path, request.words or words
        try:
            one = asked(path, options)
            session = Session.open(one.choice, warn=lambda text: None)
            session.require_pictures()
            cut = Cut(len(networks), session.about()["digest"], options, fewest)
            one.cut(session, cut)
        except Exception as error:  # of any reader: the others are made all the same
            if exit_code(error):  # it came of a signal
                raise
            problem = " ".join(str(error).split())[:300].removeprefix(f"{path}: ")
            warn(f"{path}: left out: {problem}")
            networks.append(Network(path=path, words=request.words, problem=problem))
            continue
        same = (cut.digest, request.words, request.name)
        if same in seen:
            warn(f"{path}: left out: it is the same network as {seen[same]}")
            continue
        seen[same], name = path, request.name or _free(session.name, cut.digest, names)
        names.add(name)
        blocks += cut.blocks
        networks.append(Network(path=path, words=request.words, name=name, digest=cut.digest))
    return Job(tuple(program), tuple(words), versions(), requests, tuple(networks), tuple(blocks))


def _free(name: str, digest: str, names: set[str]) -> str:
    """A name that is not taken: with a digest where it is, then with a number, too."""
    longer = f"{name}-{digest[:SHOWN]}"
    numbered = (f"{longer}-{number}" for number in count(2))
    return next(one for one in chain([name, longer], numbered) if one not in names)


def directions_of(session: Session, factorisation: Factorisation, wanted: Wanted) -> int:
    """How many directions of a network are wanted, at most; nothing is factorised."""
    dim = session.opened.sizes["w_dim" if factorisation.space == "w" else "z_dim"]
    number = min(wanted.count or dim, dim) if wanted.keys is None else len(wanted.keys)
    if wanted.file is not None or factorisation.space == "z":
        return number
    return number * len(select_layers(session.opened.layers, factorisation.layers, factorisation.torgb))


def seconds_of_a_picture(session: Session) -> float:
    """By the table of costs."""
    return session.opened.sizes["resolution"] ** 2 / 256**2 * (SECONDS_OF_STYLEGAN3 if _is_slow(session) else SECONDS)


def probes_of(session: Session) -> int:
    """About how many pictures it takes to measure the range of a direction."""
    return 2 * len(probed(len(seeds_for(session.opened.sizes["resolution"], _is_slow(session)))))


def _is_slow(session: Session) -> bool:
    return any(layer.kind == "input" for layer in session.opened.layers)  # StyleGAN3


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


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks of a list.

    Attributes:
        network: a file, a folder or a pattern.
        options: of its own, which replace those of the job.
        name: of its folder; '' for that of the network.
    """

    network: str
    options: Union[str, list[str]] = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.name and (self.name != safe_name(self.name) or self.name.startswith(".")):
            raise ValueError(f"{self.name!r} cannot be the name of a folder")


def read_list(path: str) -> list[Entry]:
    """Read a list of networks, each a path or an :class:`Entry`.

    Raises:
        BatchError: the file is none.
        OSError: it cannot be read.
    """
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=list[Union[str, Entry]])
    except msgspec.MsgspecError as error:
        raise BatchError(
            f'{path}: is no list of networks, like ["a.pkl", {{"network": "b.pkl", "options": "--seeds 0-3", '
            f'"name": "b2"}}]: {str(error)[:150]}'
        ) from None
    if not found:
        raise BatchError(f"{path}: holds no network")
    return [Entry(one) if isinstance(one, str) else one for one in found]


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


def check_same(
    job: Job, folder: Path, requests: Sequence[Request], program: Sequence[str], words: Sequence[str]
) -> None:
    """Check that a folder's job is of these files and options; programs may be called in other ways.

    Raises:
        BatchError: it is another one.
    """
    free = "choose another --outdir, or leave files and options out to continue that one"
    if job.program[-2:] != tuple(program[-2:]) and "evaluate" in (*job.program, *program):
        raise BatchError(f"{folder}: holds a job of {' '.join(job.program)}; {free}")
    if list(job.words) != list(words):
        raise BatchError(f"{folder}: holds a job with other options ({' '.join(job.words) or 'none'}); {free}")
    other = {request.path for request in set(job.requests).symmetric_difference(requests)}
    if other:
        raise BatchError(f"{folder}: holds a job of other networks ({min(other)} is in one of them only); {free}")
