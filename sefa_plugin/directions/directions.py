"""Directions: what a factorisation gives, and the check that it fits a network."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from .file import DirectionsFileError, read_directions, write_directions
from .keys import Key
from .layers import TORGB
from .names import Names

SPACES = ("w", "z")
BROKEN = ("", "low", "high", "both")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,149}")  # it becomes part of file names
Entry = TypeVar("Entry")


@dataclass(frozen=True, eq=False)
class Directions:
    """Editing directions of one network.

    Attributes:
        vectors: float32 ``[k, dim]``, unit rows; ``dim`` is ``w_dim``, or ``z_dim`` in Z. Directions that change
            each layer in a way of its own, which only imported ones do, are ``[k, len(layers), dim]``, and the
            squares of the lengths of a direction's rows are 1 on average.
        eigenvalues: float64 ``[k]``, descending: how strongly the chosen layers respond. Of imported directions
            in the order of their file, and 0 where it is not known.
        layers: ws indices that an edit changes (all of them in Z).
        label: name of the selection, ``all`` or ``coarse`` or ``0-1_5``; letters, digits and ``_.-``. Where edits
            change other rows than those of the factorised layers: ``all@coarse``.
        layer_names: the modules whose weights were factorised.
        space: ``w`` or ``z``.
        normalize, torgb: options of the factorisation.
        network, digest: name and digest of the network, '' where it is not known.
        num_ws: rows of ws of that network.
        names: a name for each direction, '' where it has none; no commas, not a number or a range.
        named_by: who gave each name: ``person``, ``auto`` (re-scoring), '' where there is none. Names without an entry
            count as given by a person.
        purity: for each name of ``auto`` the share of all measured change that the name stands for, 0 to 1; else None.
        sigmas: for each the standard deviation of w along it, None where it was not measured.
        ranges: for each ``(low, high)``, the distances at which pictures have visibly changed
            (``calibration``), None where that was not measured.
        broken: for each the sides of its range that end where pictures break: '', low, high or both.
        lessons: for each the part of its measurement that later measurements start from
            (``calibration.Range.prior``), None where there is none. Files keep it under this name.
        next_eigenvalue: that of the strongest direction that was left out, None where there is none or it is not known.
        origin: whose file they were imported from, in words; '' of those that were factorised here.
        calibration: under which settings ranges were measured, as text to compare; '' if never.

    Raises:
        ValueError: these do not agree with each other.
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray
    layers: tuple[int, ...]
    label: str = "all"
    layer_names: tuple[str, ...] = ()
    space: str = "w"
    normalize: bool = True
    torgb: str = "last"
    network: str = ""
    digest: str = ""
    num_ws: int = 0
    names: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    purity: tuple[float | None, ...] = ()
    sigmas: tuple[float | None, ...] = ()
    ranges: tuple[tuple[float, float] | None, ...] = ()
    broken: tuple[str, ...] = ()
    lessons: tuple[tuple[float, float] | None, ...] = ()
    calibration: str = ""
    origin: str = ""
    next_eigenvalue: float | None = None

    def __post_init__(self) -> None:
        vectors = np.ascontiguousarray(self.vectors, dtype=np.float32)
        values = np.ascontiguousarray(self.eigenvalues, dtype=np.float64)
        if vectors.ndim not in (2, 3) or 0 in vectors.shape or values.shape != vectors.shape[:1]:
            raise ValueError(f"directions {list(vectors.shape)} and eigenvalues {list(values.shape)} do not agree")
        following = self.next_eigenvalue if self.next_eigenvalue is not None else 0.0
        if not (np.isfinite(vectors).all() and np.isfinite(values).all() and math.isfinite(following)):
            raise ValueError("directions hold NaN or infinity")
        if self.space not in SPACES or self.torgb not in TORGB:
            raise ValueError(f"space {self.space!r:.20} or torgb {self.torgb!r:.20} is not a known one")
        if not _LABEL.fullmatch(self.label):
            raise ValueError(f"label {self.label!r:.40}: only letters, digits and _.-@ can be used")
        layers = tuple(self.layers)
        if (self.space == "w" and not layers) or list(layers) != sorted(set(layers)) or min(layers, default=0) < 0:
            raise ValueError(f"layers {str(list(layers)):.40} are not ascending ws indices")
        if vectors.ndim == 3 and (self.space == "z" or vectors.shape[1] != len(layers)):
            raise ValueError(f"directions with {vectors.shape[1]} rows each, one for a layer, cannot change others")
        if len(self.origin) > 100 or not self.origin.isprintable():
            raise ValueError("the origin of the directions is no short line")
        given = self._names.checked(len(vectors))
        sigmas, ranges = _measured(self.sigmas, self.ranges, len(vectors))
        broken = tuple(self.broken) or ("",) * len(vectors)
        if len(broken) != len(vectors) or not set(broken) <= set(BROKEN):
            raise ValueError(f"{len(broken)} entries of broken sides for {len(vectors)} directions, or odd ones")
        # A file name may hold anything; ours goes into messages and metadata.
        network = "".join(letter if letter.isprintable() else "?" for letter in self.network)
        held = {"vectors": vectors, "eigenvalues": values, "layers": layers, "network": network}
        held.update(given._asdict())
        held.update(sigmas=sigmas, ranges=ranges, broken=broken, lessons=_lessons(self.lessons, len(vectors)))
        for field, value in held.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Components of the space that they lie in."""
        return int(self.vectors.shape[-1])

    @property
    def per_row(self) -> bool:
        """Whether each layer is changed in a way of its own."""
        return self.vectors.ndim == 3

    def index(self, key: Key) -> int:
        """Give the number of a direction from its number or name; -1 is the weakest of all ``dim`` there are.

        Raises:
            ValueError: there is none such; the message gives the range or the names. Or the number counts from
                the weakest, and that one is not here.
        """
        if isinstance(key, str) and key in self.names and key:
            return self.names.index(key)
        if isinstance(key, (int, np.integer)) and 0 <= key < len(self):
            return int(key)
        whole = self.dim
        if isinstance(key, (int, np.integer)) and -whole <= key < 0:
            if len(self) == whole:
                return whole + int(key)
            raise ValueError(
                f"direction {key} counts from the weakest of {whole}, here are only {len(self)}; "
                "`sefa factorize` without -K finds all"
            )
        named = [name for name in self.names if name]
        known = f"; named: {', '.join(named)}" if named else ""
        if isinstance(key, str):
            why = "which is none of these" if named else f"none of those here (0-{len(self) - 1}) has a name"
            raise ValueError(f"direction {key} asked for, {why}{known}")
        raise ValueError(f"direction {key} asked for, there are {len(self)} (0-{len(self) - 1}){known}")

    def chosen(self, keys: Sequence[Key]) -> Directions:
        """Only some directions, in the order asked for, with all that is known of each.

        Raises:
            ValueError: there is none such.
        """
        places = [self.index(key) for key in keys]

        def of(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
            return tuple(entries[place] for place in places)

        return replace(
            self,
            vectors=self.vectors[places],
            eigenvalues=self.eigenvalues[places],
            names=of(self.names),
            named_by=of(self.named_by),
            purity=of(self.purity),
            sigmas=of(self.sigmas),
            ranges=of(self.ranges),
            broken=of(self.broken),
            lessons=of(self.lessons),
            next_eigenvalue=None,
        )

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
        """Whether both are the same factorisation of the same network, of any length."""
        fields = ("digest", "label", "space", "normalize", "torgb", "layers")
        if any(getattr(self, field) != getattr(other, field) for field in fields):
            return False
        mine, theirs = self.vectors[: len(other)], other.vectors[: len(self)]
        return mine.shape == theirs.shape and np.allclose(mine, theirs, atol=1e-5)

    def adopting(self, other: Directions) -> Directions:
        """With the names and measurements, and where it is longer the directions, of an earlier result."""
        if len(other) >= len(self):
            return other
        fill = len(self) - len(other)
        return replace(
            self,
            names=other.names + ("",) * fill,
            named_by=other.named_by + ("",) * fill,
            purity=other.purity + (None,) * fill,
            sigmas=other.sigmas + (None,) * fill,
            ranges=other.ranges + (None,) * fill,
            broken=other.broken + ("",) * fill,
            lessons=other.lessons + (None,) * fill,
            calibration=other.calibration,
        )

    def edited_at(self, rows: Sequence[int], label: str) -> Directions:
        """The same directions, added to other rows of ws; ranges, which hold for the old ones, are left out.

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
        return replace(self, layers=tuple(rows), label=label, ranges=(), broken=(), lessons=(), calibration="")

    def named(self, index: int, name: str) -> Directions:
        """With another name for one direction, given by a person.

        Raises:
            ValueError: there is no such direction, a person has given the name to another, or it cannot be one.
        """
        return self._renamed(self._names.by_person(self.index(index), name))

    def with_names_of(self, other: Directions) -> Directions:
        """With the names that another set has for the same directions; its own where that has none."""
        return self._renamed(self._names.taking(other._names))

    def with_auto_names(self, found: Mapping[int, tuple[str, float]], measured: Iterable[int]) -> Directions:
        """With names that re-scoring gives: ``(name, purity)`` by direction; see ``Names.automatic``.

        Raises:
            ValueError: there is no such direction, or one of these cannot be a name.
        """
        found = {self.index(key): value for key, value in found.items()}
        return self._renamed(self._names.automatic(found, map(self.index, measured)))

    @property
    def _names(self) -> Names:
        return Names(self.names, self.named_by, self.purity)

    def _renamed(self, given: Names) -> Directions:
        return replace(self, names=given.names, named_by=given.named_by, purity=given.purity)

    def with_range(
        self,
        index: int,
        sigma: float,
        low: float,
        high: float,
        broken: str = "",
        prior: tuple[float, float] | None = None,
    ) -> Directions:
        """With the measured range of one direction; ``prior`` becomes its entry of ``lessons``."""
        return replace(
            self,
            sigmas=_replaced(self.sigmas, index, sigma),
            ranges=_replaced(self.ranges, index, (low, high)),
            broken=_replaced(self.broken, index, broken),
            lessons=_replaced(self.lessons, index, prior),
        )


def _replaced(entries: tuple[Entry, ...], index: int, entry: Entry) -> tuple[Entry, ...]:
    """With another entry for one direction."""
    held = list(entries)
    held[index] = entry
    return tuple(held)


def _lessons(given: Sequence[tuple[float, float] | None], count: int) -> tuple[tuple[float, float] | None, ...]:
    """Checked, and one for each direction."""
    lessons = _pairs(given) or (None,) * count
    numbers = [number for item in lessons if item is not None for number in item]
    odd = not all(map(math.isfinite, numbers)) or any(item and (item[0] <= 0 or item[1] < 0) for item in lessons)
    if len(lessons) != count or odd:
        raise ValueError(f"{len(lessons)} lessons of measurements for {count} directions, or odd ones")
    return lessons


def _measured(
    given_sigmas: Sequence[float | None], given_ranges: Sequence[tuple[float, float] | None], count: int
) -> tuple[tuple[float | None, ...], tuple[tuple[float, float] | None, ...]]:
    """Sigmas and ranges, checked, and one for each direction."""
    sigmas = tuple(None if item is None else float(item) for item in given_sigmas) or (None,) * count
    ranges = _pairs(given_ranges) or (None,) * count
    numbers = [item for item in sigmas if item is not None] + [end for pair in ranges if pair for end in pair]
    backwards = any(pair[0] > 0 or pair[1] < 0 or pair[0] == pair[1] for pair in ranges if pair)
    if len(sigmas) != count or len(ranges) != count or backwards or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{len(sigmas)} sigmas and {len(ranges)} ranges for {count} directions, or odd ones")
    return sigmas, ranges


def _pairs(given: Sequence[tuple[float, float] | None]) -> tuple[tuple[float, float] | None, ...]:
    """Pairs of floats, whatever kinds of numbers and sequences are given."""
    return tuple(None if item is None else (float(item[0]), float(item[1])) for item in given)
