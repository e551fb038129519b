"""Directions: a list of records, what a factorisation gives, and the check that they fit a network."""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Optional, TypedDict, TypeVar

import numpy as np

from ..system.messages import spans, without_unprintable
from .clean import Score
from .file import DirectionsFileError, read_directions, write_directions
from .keys import Key
from .layers import TORGB, Label
from .names import NAMERS, Names, Past, check_name, check_note
from .region import Region
from .ties import tied, zero_eigenvalues

if TYPE_CHECKING:
    from typing_extensions import Unpack

SPACES = ("w", "z")
SHARPEN = ("none", "layers", "pictures", "region")
ORDERS = ("strength", "clean")
BROKEN = ("", "low", "high", "both")
FOUND = ("vector", "eigenvalue", "strength", "shares", "inside", "score")  # what finding directions gives for each
PRINTED, IN_TABLE = 5, 10  # directions that are listed: on the last line of text, in a notebook's table
STEPS = 50  # changes that can be taken back
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,149}")  # it becomes part of file names
# Lists of :class:`Directions` that are not named as the attribute of their entries.
_FIELD = {f"{field}s": field for field in ("name", "sigma", "range", "prior", "strength", "note", "score")}
Pair = Optional[tuple[float, float]]


def known_order(order: str) -> str:
    """An order of directions.

    Raises:
        ValueError: there is no such order.
    """
    if order not in ORDERS:
        raise ValueError(f"order {order!r:.20}: choose strength or clean")
    return order


class Source(TypedDict):
    """The network of :class:`Directions`: its name, digest and rows of ws."""

    network: str
    digest: str
    num_ws: int


NO_SOURCE = Source(network="", digest="", num_ws=0)  # of matrices without a network


class _Facts(TypedDict, total=False):
    """Attributes of :class:`Directions` beside entries and layers."""

    label: str
    layer_names: tuple[str, ...]
    space: str
    normalize: bool
    torgb: str
    network: str
    digest: str
    num_ws: int
    calibration: str
    origin: str
    next_eigenvalue: float | None
    sharpen: str
    found_with: str
    region: str
    caveats: tuple[str, ...]
    history: tuple[tuple[Past, ...], ...]


@dataclass(frozen=True, eq=False)
class Direction:
    """One editing direction, and what is known of it.

    Attributes:
        vector: float32 ``[dim]``, of unit length; ``dim`` is ``w_dim``, or ``z_dim`` in Z. Of a direction that changes
            each layer in a way of its own, which only imported ones do, ``[len(layers), dim]``, and the squares of the
            lengths of its rows are 1 on average.
        eigenvalue: how strongly the chosen layers respond; 0 where it is not known (of imported directions).
        name: '' where it has none; see ``names.check_name``.
        named_by: who gave the name: ``person`` (also where it is not said) or ``auto`` (re-scoring); '' without a name.
        purity: of a name of ``auto``, the share of all measured change that it stands for, 0 to 1; else None.
        sigma: standard deviation of w along it, None where it was not measured.
        range: ``(low, high)``, the distances at which pictures have visibly changed (``calibration``), None where that
            was not measured.
        broken: the sides of its range that end where pictures break: '', low, high or both.
        prior: the part of its measurement that later measurements start from (``calibration.Range.prior``), None
            where there is none.
        strength: of sharp directions, the squared change of all styles for a step of one standard deviation of w, which
            their order follows; of local ones, that of the picture inside their region; else None.
        shares: of sharp directions, what each of the set's layers adds to ``strength``, as shares of 1; else ().
        inside: of local directions, the share of the change of the picture that is inside their region; else None.
        score: of sharp directions, how clean it is; None where changes of pictures were not measured.
        starred, note: set by a person; see ``names.check_note``.

    Raises:
        ValueError: this cannot be a name or a note, or measured numbers are not finite or contradict each other.
    """

    vector: np.ndarray
    eigenvalue: float
    name: str = ""
    named_by: str = ""
    purity: float | None = None
    sigma: float | None = None
    range: Pair = None
    broken: str = ""
    prior: Pair = None
    strength: float | None = None
    shares: tuple[float, ...] = ()
    inside: float | None = None
    score: Score | None = None
    starred: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        check_note(self.note)
        if self.named_by not in NAMERS or not (self.purity is None or 0 <= self.purity <= 1):
            raise ValueError(
                f"a name was given by {self.named_by!r:.20} with the purity {self.purity}, which cannot be"
            )
        by = (self.named_by or "person") if self.name else ""  # older files do not say who gave a name
        object.__setattr__(self, "named_by", by)
        object.__setattr__(self, "purity", self.purity if by == "auto" else None)
        object.__setattr__(self, "vector", np.asarray(self.vector, dtype=np.float32))
        numbers = [number for pair in (self.range, self.prior) if pair is not None for number in pair]
        numbers += [] if self.sigma is None else [self.sigma]
        odd = self.range is not None and not (self.range[0] <= 0 <= self.range[1] and self.range[0] < self.range[1])
        odd = odd or (self.prior is not None and (self.prior[0] <= 0 or self.prior[1] < 0))
        if odd or self.broken not in BROKEN or not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"a direction has the range {self.range}, broken {self.broken!r:.20}, sigma {self.sigma} and the "
                f"prior {self.prior}, which cannot be"
            )

    def measured(self, sigma: float, low: float, high: float, broken: str = "", prior: Pair = None) -> Direction:
        """With a measured range."""
        return replace(self, sigma=sigma, range=(low, high), broken=broken, prior=prior)

    @property
    def changes_alike(self) -> str:
        """How alike all pictures change, in words; '' where that is not known."""
        return "" if self.score is None else f"{self.score.alike:.0%} of its change is the same in all pictures"

    @property
    def without_range(self) -> Direction:
        """Without its range; sigma, which is of w alone, stays."""
        return replace(self, range=None, broken="", prior=None)


T = TypeVar("T")


class _OfEach(Generic[T]):
    """An attribute of :class:`Directions`: that of each entry, as a tuple."""

    def __init__(self, of: Callable[[Direction], T]) -> None:
        self.of = of

    def __get__(self, held: Directions, kind: object = None) -> tuple[T, ...]:
        return tuple(map(self.of, held.entries))


@dataclass(frozen=True, eq=False)
class Directions:
    """Editing directions of one network.

    Attributes:
        entries: at least one, strongest first; of imported directions in the order of their file.
        layers: ws indices that an edit changes (all of them in Z).
        label: name of the selection, ``all`` or ``coarse`` or ``0-1_5``; letters, digits and ``_.-``. Where edits
            change other rows than those of the factorised layers: ``all@coarse``.
        layer_names: the modules whose weights were factorised.
        space: ``w`` or ``z``.
        normalize, torgb: options of the factorisation.
        network, digest: name and digest of the network, '' where it is not known.
        num_ws: rows of ws of that network.
        calibration: under which settings ranges were measured, as text to compare; '' if never.
        origin: whose file they were imported from, in words; '' of those that were factorised here.
        next_eigenvalue: that of the strongest direction that was left out, None where there is none or it is not known.
        sharpen: ``none``, ``layers`` or ``pictures``: how directions were sharpened, see ``sharp``; of local directions
            ``region``.
        found_with: of sharp directions, the settings that decide them, in words; else ''.
        region: of local directions, where they change the picture, see ``region.Region``; else ''.
        caveats: what to know of the set, a line each.
        history: what a person's changes of names, stars and notes have replaced, the last one at the end.
        vectors: those of all entries, float32 ``[k, dim]`` or ``[k, len(layers), dim]``.

    Raises:
        ValueError: these do not agree with each other.
    """

    entries: tuple[Direction, ...]
    layers: tuple[int, ...]
    label: str = "all"
    layer_names: tuple[str, ...] = ()
    space: str = "w"
    normalize: bool = True
    torgb: str = "last"
    network: str = ""
    digest: str = ""
    num_ws: int = 0
    calibration: str = ""
    origin: str = ""
    next_eigenvalue: float | None = None
    sharpen: str = "none"
    found_with: str = ""
    region: str = ""
    caveats: tuple[str, ...] = ()
    history: tuple[tuple[Past, ...], ...] = ()
    vectors: np.ndarray = field(init=False)

    @classmethod
    def of(
        cls,
        vectors: np.ndarray,
        eigenvalues: np.ndarray,
        layers: Sequence[int],
        *,
        names: Sequence[str] = (),
        named_by: Sequence[str] = (),
        purity: Sequence[float | None] = (),
        sigmas: Sequence[float | None] = (),
        ranges: Sequence[Pair] = (),
        broken: Sequence[str] = (),
        priors: Sequence[Pair] = (),
        strengths: Sequence[float | None] = (),
        shares: Sequence[Sequence[float]] = (),
        inside: Sequence[float | None] = (),
        scores: Sequence[Score | None] = (),
        starred: Sequence[bool] = (),
        notes: Sequence[str] = (),
        **facts: Unpack[_Facts],
    ) -> Directions:
        """Directions from arrays and lists, each with one entry for each direction, or empty.

        Args:
            vectors: ``[k, dim]``, or ``[k, len(layers), dim]``.
            eigenvalues: ``[k]``.
            layers: ws indices.
            names, named_by, purity, sigmas, ranges, broken, priors, strengths, shares, inside, scores, starred,
                notes: see :class:`Direction`.
            facts: the other attributes.

        Raises:
            ValueError: the lengths do not agree, or an entry is not valid.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        values = np.ascontiguousarray(eigenvalues, dtype=np.float64)
        if vectors.ndim not in (2, 3) or 0 in vectors.shape or values.shape != vectors.shape[:1]:
            raise ValueError(f"directions {list(vectors.shape)} and eigenvalues {list(values.shape)} do not agree")
        count = len(vectors)
        columns: dict[str, Sequence[Any]] = {"names": names, "named_by": named_by, "purity": purity, "sigmas": sigmas}
        columns |= {"ranges": ranges, "broken": broken, "priors": priors, "strengths": strengths, "shares": shares}
        columns |= {"inside": inside, "scores": scores, "starred": starred, "notes": notes}
        for what, column in columns.items():
            if len(column) not in (0, count):
                raise ValueError(f"{len(column)} {what} for {count} directions")
        given = {_FIELD.get(what, what): column for what, column in columns.items() if len(column)}
        entries = (
            Direction(vectors[at], float(values[at]), **{key: column[at] for key, column in given.items()})
            for at in range(count)
        )
        return cls(tuple(entries), tuple(layers), **facts)

    def __post_init__(self) -> None:
        shapes = {entry.vector.shape for entry in self.entries}
        if len(shapes) != 1 or len(*shapes) not in (1, 2) or 0 in next(iter(shapes)):
            raise ValueError(f"directions of shapes {str(sorted(shapes)):.60} are no set")
        vectors = np.stack([entry.vector for entry in self.entries])
        following = self.next_eigenvalue if self.next_eigenvalue is not None else 0.0
        if not (np.isfinite(vectors).all() and np.isfinite(self.eigenvalues).all() and math.isfinite(following)):
            raise ValueError("directions hold NaN or infinity")
        if self.space not in SPACES or self.torgb not in TORGB or self.sharpen not in SHARPEN:
            known = f"space {self.space!r:.20}, torgb {self.torgb!r:.20} or sharpen {self.sharpen!r:.20}"
            raise ValueError(f"{known} is not a known one")
        if not _LABEL.fullmatch(self.label):
            raise ValueError(f"label {self.label!r:.40}: only letters, digits and _.-@ can be used")
        layers = tuple(self.layers)
        if (self.space == "w" and not layers) or list(layers) != sorted(set(layers)) or min(layers, default=0) < 0:
            raise ValueError(f"layers {str(list(layers)):.40} are not ascending ws indices")
        if vectors.ndim == 3 and (self.space == "z" or vectors.shape[1] != len(layers)):
            raise ValueError(f"directions with {vectors.shape[1]} rows each, one for a layer, cannot change others")
        if len(self.origin) > 100 or not self.origin.isprintable():
            raise ValueError("the origin of the directions is no short line")
        if not all(0 <= past.place < len(vectors) for step in self.history for past in step):
            raise ValueError("the history of names is of other directions")
        # A file name may hold anything; ours goes into messages and metadata.
        for name, value in (("vectors", vectors), ("layers", layers), ("network", without_unprintable(self.network))):
            object.__setattr__(self, name, value)

    @property
    def eigenvalues(self) -> np.ndarray:
        """Of all entries, float64 ``[k]``."""
        return np.array([entry.eigenvalue for entry in self.entries])

    names = _OfEach(lambda entry: entry.name)
    named_by = _OfEach(lambda entry: entry.named_by)
    purity = _OfEach(lambda entry: entry.purity)
    sigmas = _OfEach(lambda entry: entry.sigma)
    ranges = _OfEach(lambda entry: entry.range)
    broken = _OfEach(lambda entry: entry.broken)
    priors = _OfEach(lambda entry: entry.prior)
    strengths = _OfEach(lambda entry: entry.strength)
    shares = _OfEach(lambda entry: entry.shares)
    inside = _OfEach(lambda entry: entry.inside)
    scores = _OfEach(lambda entry: entry.score)
    starred = _OfEach(lambda entry: entry.starred)
    notes = _OfEach(lambda entry: entry.note)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<{self._title}, {Label.of(self.label).words}>"

    def __str__(self) -> str:
        changed = f"rows {spans(self.layers)} of ws" if self.space == "w" else "of the mapping network"
        listed = []
        for at in range(len(self))[:PRINTED]:
            number, name, strength, *_ = self._cells(at)
            listed.append(" ".join(filter(None, (number, name, strength and f"({strength})"))))
        return "\n".join(
            (
                self._title,
                f"changes: {Label.of(self.label).words} ({changed})",
                f"space: {self.space}, {self.dim} components",
                f"method: {self.method}",
                f"first: {', '.join(listed)}{', ...' if len(self) > PRINTED else ''}",
            )
        )

    def _repr_html_(self) -> str:
        """The first directions as a table, for notebooks."""
        about = html.escape(f"{self._title}, {Label.of(self.label).words}; {self.method}")
        head = "".join(f"<th>{title}</th>" for title in ("", "name", "strength", "range", "sigma"))
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in self._cells(at))}</tr>"
            for at in range(len(self))[:IN_TABLE]
        )
        more = f"<p>and {len(self) - IN_TABLE} more</p>" if len(self) > IN_TABLE else ""
        return f"<p>{about}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"

    @property
    def _title(self) -> str:
        count = "1 direction" if len(self) == 1 else f"{len(self)} directions"
        return f"{count} of {self.network or 'an unnamed network'}"

    def _cells(self, index: int) -> tuple[str, str, str, str, str]:
        """Number, name, strength, range and sigma of a direction as text; '' for what is not known."""
        entry = self.entries[index]
        strength = entry.eigenvalue if entry.strength is None else entry.strength
        ends = "" if entry.range is None else f"{entry.range[0]:+g} to {entry.range[1]:+g}"
        sigma = "" if entry.sigma is None else f"{entry.sigma:.3g}"
        return f"{index}", entry.name, "" if self.origin and not strength else f"{strength:.4g}", ends, sigma

    @property
    def method(self) -> str:
        """How they were found, in words."""
        if self.origin:
            return f"imported from {self.origin}"
        if self.region:
            return f"local, {Region.parse(self.region).words}"
        if self.sharpen != "none":
            return f"SeFa, sharpened by {self.sharpen}"
        rows = "" if self.normalize else ", rows of weights not normalised"
        return f"SeFa, closed form{rows}{'' if self.torgb == 'last' else f', ToRGBs: {self.torgb}'}"

    @property
    def dim(self) -> int:
        """Components of the space that they lie in."""
        return int(self.vectors.shape[-1])

    @property
    def whole(self) -> int:
        """How many there are of the set that these are the first of: ``dim``, or the pool of sharp directions."""
        return self.dim if self.sharpen == "none" else len(self)

    @property
    def per_row(self) -> bool:
        """Whether each layer is changed in a way of its own."""
        return self.vectors.ndim == 3

    def index(self, key: Key) -> int:
        """Give the number of a direction from its number or name; -1 is the weakest of all there are.

        Raises:
            ValueError: there is none such; the message gives the range or the names. Or the number counts from
                the weakest, and that one is not here.
        """
        if isinstance(key, str) and key in self.names and key:
            return self.names.index(key)
        whole = self.whole
        if isinstance(key, (int, np.integer)) and -whole <= key < len(self):
            if key >= 0 or len(self) == whole:
                return int(key) % whole
            raise ValueError(
                f"direction {key} counts from the weakest of {whole}, here are only {len(self)}; "
                "`sefa factorize` without -K finds all"
            )
        named = [name for name in self.names if name]
        known = f"; named: {', '.join(named)}" if named else ""
        if isinstance(key, str):
            why = "which is none of these" if named else f"but no direction of {self.label} has a name"
            raise ValueError(f"direction {key} asked for, {why}{known}")
        raise ValueError(f"direction {key} asked for, there are {len(self)} (0-{len(self) - 1}){known}")

    def chosen(self, keys: Sequence[Key]) -> Directions:
        """Only some directions, in the order asked for, with all that is known of each.

        Raises:
            ValueError: there is none such.
        """
        entries = tuple(self.entries[self.index(key)] for key in keys)
        return replace(self, entries=entries, next_eigenvalue=None, history=())

    def acts_in(self, index: int) -> str:
        """Where a sharp or local direction acts, in words; '' where that is not known.

        The fewest layers with half of its effect; of a local one the share of it inside the region.
        """
        entry = self.entries[index]
        if entry.inside is not None:
            return f"{entry.inside:.0%} of its change is {Region.parse(self.region).words}"
        shares = np.array(entry.shares)
        if not len(shares):
            return ""
        order = np.argsort(-shares, kind="stable")
        count = int(np.searchsorted(np.cumsum(shares[order]), 0.5 * shares.sum())) + 1
        rows = sorted(self.layers[at] for at in order[:count])
        return f"acts in layer{'s' * (count > 1)} {spans(rows)} ({shares[order[:count]].sum():.0%})"

    @property
    def has_order(self) -> bool:
        """Whether the order of clean ones is known."""
        return None not in self.scores

    def in_order(self, order: str) -> list[int]:
        """Their numbers in an order: of ``strength``, as they are, or ``clean`` ones first (see ``clean``).

        Raises:
            ValueError: another order, or that of clean ones is not known.
        """
        if known_order(order) == "strength":
            return list(range(len(self)))
        places = {index: score.place for index, score in enumerate(self.scores) if score is not None}
        if len(places) < len(self):
            raise ValueError("the order of clean ones is not known: it is found with sharp directions, order='clean'")
        return sorted(places, key=places.__getitem__)

    def first(self, count: int | None) -> Directions:
        """The first ``count``, or all.

        Raises:
            ValueError: there are not so many.
        """
        return self if count is None else self.chosen(range(count))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file: tensors ``directions`` and ``eigenvalues``, the rest as metadata.

        Raises:
            OSError: the file cannot be written.
        """
        write_directions(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Directions:
        """Read a directions file.

        Raises:
            DirectionsFileError: one line that says what is wrong.
        """
        return read_directions(path, cls)

    def check_fits(self, *, network: str, w_dim: int, z_dim: int, num_ws: int, digest: str = "") -> str:
        """Check that the directions can be used with a network; gives a warning, '' if there is none.

        Raises:
            DirectionsFileError: sizes do not agree.
        """
        dim = w_dim if self.space == "w" else z_dim
        if self.dim != dim:
            raise DirectionsFileError(
                f"directions of {self.network or 'another network'} have {self.dim} components, "
                f"{network} needs {dim}: they belong to another network"
            )
        if self.num_ws and self.num_ws != num_ws:
            raise DirectionsFileError(
                f"directions of {self.network or 'another network'} are for {self.num_ws} layers (num_ws), "
                f"{network} has {num_ws}: they belong to another network"
            )
        if self.layers and max(self.layers) >= num_ws:
            raise DirectionsFileError(f"directions change layer {max(self.layers)}, {network} has 0-{num_ws - 1}")
        if digest and self.digest and digest != self.digest:
            return f"these directions were found in {self.network or 'another network'}, not in {network}"
        return ""

    def same_as(self, other: Directions) -> bool:
        """Whether both are the same factorisation of the same network, of any length, whatever their labels.

        Directions with equal eigenvalues, or with one of 0, are not compared: they depend on the computer.
        """
        fields = ("digest", "space", "normalize", "torgb", "layers", "sharpen", "found_with")
        if any(getattr(self, field) != getattr(other, field) for field in fields):
            return False
        mine, theirs = self.vectors[: len(other)], other.vectors[: len(self)]
        if mine.shape != theirs.shape:
            return False
        defined = np.ones(len(mine), dtype=bool)
        if not self.origin:
            vague = [*zero_eigenvalues(self), *(index for run in tied(self)[0] for index in run)]
            defined[[index for index in vague if index < len(mine)]] = False
        # Sharp directions follow from codes, which another processor rounds otherwise.
        return np.allclose(mine[defined], theirs[defined], atol=1e-5 if self.sharpen == "none" else 1e-2)

    def adopting(self, other: Directions) -> Directions:
        """With the names and measurements, and where it is longer the directions, of an earlier result."""
        if len(other) >= len(self):
            scored = zip(other.entries, self.entries) if self.has_order and not other.has_order else ()
            seen = {at: replace(theirs, score=mine.score) for at, (theirs, mine) in enumerate(scored)}
            return replace(other.with_entries(seen), label=self.label)
        adopted = [
            replace(theirs, **{key: getattr(mine, key) for key in FOUND})
            for mine, theirs in zip(self.entries, other.entries)
        ]
        rest = [Direction(mine.vector, mine.eigenvalue) for mine in self.entries[len(other) :]]
        return replace(self, entries=(*adopted, *rest), calibration=other.calibration, history=other.history)

    def edited_at(self, rows: Sequence[int], label: str) -> Directions:
        """The same directions with their names, added to other rows of ws.

        Ranges, stars and notes, which are of the old rows, are left out.

        Args:
            rows: ws indices, ascending.
            label: what these rows are called, ``coarse`` or ``4-7``.

        Raises:
            ValueError: these are directions of Z, or change each layer in a way of its own.
        """
        if self.space != "w":
            raise ValueError("directions of Z change z, which has no layers to choose; use --space w")
        if tuple(rows) == self.layers:
            return self
        if self.per_row:
            raise ValueError("these directions change each of their layers in a way of its own, and no other ones")
        label = f"{self.label.partition('@')[0]}@{label}"
        entries = tuple(
            replace(entry.without_range, starred=False, note="", shares=(), inside=None, score=None)
            for entry in self.entries
        )
        return replace(self, entries=entries, layers=tuple(rows), label=label, calibration="", history=())

    def without_ranges(self, calibration: str = "") -> Directions:
        """Without the ranges, which hold for other settings than those of ``calibration``."""
        return replace(self, entries=tuple(entry.without_range for entry in self.entries), calibration=calibration)

    def with_entries(self, changed: Mapping[int, Direction]) -> Directions:
        """With other entries at some places."""
        return replace(self, entries=tuple(changed.get(at, entry) for at, entry in enumerate(self.entries)))

    def named(self, index: int, name: str) -> Directions:
        """With another name for one direction, given by a person.

        Raises:
            ValueError: there is no such direction, a person has given the name to another, or it cannot be one.
        """
        return self.typed(index, name=name)

    def typed(
        self, index: int, name: str | None = None, starred: bool | None = None, note: str | None = None
    ) -> Directions:
        """With what a person sets for one direction; None leaves it. :meth:`undone` takes it back.

        Raises:
            ValueError: as :meth:`named`, or the text cannot be a note.
        """
        index = self.index(index)
        renamed = self if name is None else self._renamed(self._names.by_person(index, name))
        entry = renamed.entries[index]
        starred, note = entry.starred if starred is None else starred, entry.note if note is None else note
        return self._stepped(renamed.with_entries({index: replace(entry, starred=starred, note=note)}))

    def with_stars(self, starred: Mapping[int, bool]) -> Directions:
        """With the stars that a person sets, and takes away, in one step.

        Raises:
            ValueError: there is no such direction.
        """
        held = {self.index(key): star for key, star in starred.items()}
        return self._stepped(
            self.with_entries({index: replace(self.entries[index], starred=star) for index, star in held.items()})
        )

    def in_one_step(self, made: Directions) -> Directions:
        """``made`` of these by several :meth:`typed`, as one change, which :meth:`undone` takes back as a whole."""
        return self._stepped(replace(made, history=self.history))

    def _stepped(self, made: Directions) -> Directions:
        """``made`` as one more change by a person; the same directions where nothing has changed."""
        step = tuple(past for past, now in zip(self._past, made._past) if past != now)
        return replace(made, history=(*self.history, step)[-STEPS:]) if step else self

    def undone(self) -> Directions:
        """With the last change of a person taken back.

        Raises:
            ValueError: there is none.
        """
        if not self.history:
            raise ValueError("no name, star or note was changed here: there is nothing to take back")
        *before, last = self.history
        held = {
            index: replace(self.entries[index], name=name, named_by=by, purity=share, starred=starred, note=note)
            for index, name, by, share, starred, note in last
        }
        made = replace(self.with_entries(held), history=tuple(before))
        return made._renamed(made._names.unique([place for place, by in enumerate(made.named_by) if by == "person"]))

    def with_names_of(self, other: Directions) -> Directions:
        """With the names that another set has for the same directions; its own where that has none, or if typed here.

        Names without a :attr:`history` were lent by such a set before.
        """
        typed = {past.place for step in self.history for past in step if self.entries[past.place].name}
        return self._renamed(self._names.taking(other._names, typed))

    def with_auto_names(self, found: Mapping[int, tuple[str, float]], measured: Iterable[int]) -> Directions:
        """With names that re-scoring gives: ``(name, purity)`` by direction; see ``Names.automatic``.

        Raises:
            ValueError: there is no such direction, or one of these cannot be a name.
        """
        found = {self.index(key): value for key, value in found.items()}
        return self._renamed(self._names.automatic(found, map(self.index, measured)))

    def with_range(
        self, index: int, sigma: float, low: float, high: float, broken: str = "", prior: Pair = None
    ) -> Directions:
        """With the measured range of one direction."""
        return self.with_entries({index: self.entries[index].measured(sigma, low, high, broken, prior)})

    @property
    def _past(self) -> tuple[Past, ...]:
        return tuple(
            Past(index, entry.name, entry.named_by, entry.purity, entry.starred, entry.note)
            for index, entry in enumerate(self.entries)
        )

    @property
    def _names(self) -> Names:
        return Names(self.names, self.named_by, self.purity)

    def _renamed(self, given: Names) -> Directions:
        renamed = (
            replace(entry, name=name, named_by=by, purity=share) for entry, name, by, share in zip(self.entries, *given)
        )
        return replace(self, entries=tuple(renamed))
