"""Compare two sets of directions: match them, and measure the angles between the spaces that they span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..system.messages import printable, spans
from .directions import Directions
from .keys import Key
from .matching import Match, angles, group_sizes, match, ties

SHOWN = 20  # directions listed by default
CLEAR = 0.999  # from this |cosine| on, two directions count as the same


class CompareError(Exception):
    """Sets of directions that cannot be compared; the message is one line."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two sets that are compared.

    Attributes:
        path: where it comes from.
        kind: the kind of source, in words.
        vectors: ``[k, dim]``, or ``[k, rows, dim]`` with a row for each layer; of any length above 0.
        eigenvalues: ``[k]``, or None where they are not known.
        names: k names, '' where there is none; or ().
        layers: rows that edits change, None where that is not known.
        space: ``w`` or ``z``; None where it is not known.
    """

    path: str
    kind: str
    vectors: np.ndarray
    eigenvalues: np.ndarray | None = None
    names: tuple[str, ...] = ()
    layers: tuple[int, ...] | None = None
    space: str | None = None

    @classmethod
    def of(cls, path: str, kind: str, held: Directions) -> Side:
        """A set of directions."""
        return cls(path, kind, held.vectors, held.eigenvalues, held.names, held.layers, held.space)

    def name(self, index: int | None) -> str:
        """The name of a direction, with control characters escaped; '' where it has none."""
        return printable(self.names[index]) if self.names and index is not None else ""

    def index(self, key: Key) -> int:
        """The number of a direction from its number (-1 is the last) or name.

        Raises:
            ValueError: there is no such direction.
        """
        count = len(self.vectors)
        if isinstance(key, str) and key in self.names:
            return self.names.index(key)
        if isinstance(key, int) and -count <= key < count:
            return key % count
        raise ValueError(f"direction {key} asked for, {self.path} has {count} (0-{count - 1})")

    @property
    def about(self) -> str:
        """Kind and size, in one line."""
        count, dim = len(self.vectors), self.vectors.shape[-1]
        rows = f" x {self.vectors.shape[1]} rows" if self.vectors.ndim == 3 else ""
        return f"{self.kind}, {count} direction{'s' if count > 1 else ''}{rows} of {dim} components"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`compare` found.

    Attributes:
        matches: for every direction of the first side.
        spans: for the first k of both, principal angles in degrees, ascending.
        ties: for each side, runs of directions with equal eigenvalues.
        tied_angles: for each run of the first side the largest angle, in degrees, between the space that it spans and
            the space that its matches span.
        notes: differences between the sides, one line each.
    """

    first: Side
    second: Side
    matches: list[Match]
    spans: dict[int, np.ndarray]
    ties: tuple[list[list[int]], list[list[int]]]
    tied_angles: list[float]
    notes: tuple[str, ...]


def compare(first: Side, second: Side) -> Comparison:
    """Match the directions of one side to those of the other, up to sign.

    Raises:
        CompareError: they lie in different spaces.
    """
    notes = _disagreements(first, second)
    one, other = _flat(first, second), _flat(second, first)
    if one.shape[1] != other.shape[1]:
        raise CompareError(
            f"{first.path} has {first.about}, {second.path} {second.about}: they belong to different networks"
        )
    matches = match(one, other)
    most = min(len(one), len(other))
    between = {size: angles(one[:size], other[:size]) for size in group_sizes(most)}
    runs = (_ties(first), _ties(second))
    tied = []
    for run in runs[0]:
        found = [other for other in (matches[index].other for index in run) if other is not None]
        tied.append(float(angles(one[run], other[found]).max()) if len(found) == len(run) else 90.0)
    return Comparison(first, second, matches, between, runs, tied, notes)


def _ties(side: Side) -> list[list[int]]:
    return [] if side.eigenvalues is None else ties(side.eigenvalues)


def _disagreements(first: Side, second: Side) -> tuple[str, ...]:
    if first.space and second.space and first.space != second.space:
        raise CompareError(
            f"{first.path} has directions of {first.space.upper()}, {second.path} of {second.space.upper()}: "
            "they lie in different spaces"
        )
    if first.layers and second.layers and first.layers != second.layers and first.space != "z":
        one, other = spans(first.layers), spans(second.layers)
        return (f"{first.path} changes layers {one}, {second.path} layers {other}",)
    return ()


def _flat(side: Side, other: Side) -> np.ndarray:
    """Unit rows ``[k, n]``; where either side has a row for each layer, these are concatenated."""
    vectors = np.asarray(side.vectors, dtype=np.float64)
    if vectors.ndim == 2 and other.vectors.ndim == 3:
        vectors = np.repeat(vectors[:, None], other.vectors.shape[1], axis=1)
    elif vectors.ndim == 3 and other.vectors.ndim == 3 and side.layers != other.layers:
        raise CompareError(f"{side.path} and {other.path} have rows for different layers")
    flat: np.ndarray = vectors.reshape(len(vectors), -1)
    flat = flat / np.abs(flat).max(axis=1, keepdims=True)  # squares of tiny numbers would be 0
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return flat


def as_json(found: Comparison, indices: Sequence[int]) -> dict[str, object]:
    """The comparison as JSON values, with the matches of ``indices``."""
    first, second = found.first, found.second
    return {
        "a": _side_json(first),
        "b": _side_json(second),
        "matches": [
            {
                "index": one.index,
                "name": first.name(one.index),
                "match": one.other,
                "match_name": second.name(one.other),
                "cosine": one.cosine,
                "sign": one.sign,
                "nearest": one.nearest,
                "nearest_cosine": one.nearest_cosine,
            }
            for one in (found.matches[index] for index in indices)
        ],
        "angles": [{"first": size, "degrees": degrees.tolist()} for size, degrees in found.spans.items()],
        "ties": {"a": found.ties[0], "b": found.ties[1], "a_degrees": found.tied_angles},
        "notes": list(found.notes),
    }


def _side_json(side: Side) -> dict[str, object]:
    return {
        "path": side.path,
        "kind": side.kind,
        "count": len(side.vectors),
        "components": int(side.vectors.shape[-1]),
        "layers": None if side.layers is None else list(side.layers),
        "space": side.space,
    }


def as_lines(found: Comparison, indices: Sequence[int]) -> Iterator[str]:
    """The comparison as lines of text, with the matches of ``indices``."""
    first, second = found.first, found.second
    yield f"A  {first.path}: {first.about}"
    yield f"B  {second.path}: {second.about}"
    for note in found.notes:
        yield f"Note: {note}"
    tied = {index for run in found.ties[0] for index in run}
    yield "    A     B   cosine"
    for index in indices:
        one = found.matches[index]
        words = [first.name(index), second.name(one.other)]
        named = f"  {' = '.join(word or '?' for word in words)}" if any(words) else ""
        other, cosine = ("-", "") if one.other is None else (one.other, f"{one.cosine:+.4f}")
        more = []
        if one.nearest != one.other:
            more.append(f"nearest is {one.nearest} ({one.nearest_cosine:+.4f}), which others match better")
        if one.other is not None and abs(one.cosine) >= CLEAR and one.sign < 0:
            more.append("turned round")
        if index in tied:
            more.append("tied, see below")
        yield f"{index:5d} {other:>5} {cosine:>8}{named}{'  ' if more else ''}{'; '.join(more)}"
    if len(indices) < len(found.matches):
        yield f"  ({len(found.matches) - len(indices)} more; --json lists all, --directions chooses)"
    yield "Angles between what the first k span, in degrees (0: the same space):"
    for size, degrees in found.spans.items():
        yield f"  k {size:4d}: smallest {degrees.min():.3f}, mean {degrees.mean():.3f}, largest {degrees.max():.3f}"
    for run, angle in zip(found.ties[0], found.tied_angles):
        yield (
            f"A: {spans(run)} have equal eigenvalues, so that only the space that they span is defined; "
            f"it is within {angle:.3f} degrees of that of their matches"
        )
    for run in found.ties[1]:
        yield f"B: {spans(run)} have equal eigenvalues, so that only the space that they span is defined"
