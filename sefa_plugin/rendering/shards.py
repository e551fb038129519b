"""What is rendered, as plain data: a view of a network, and shards of its pictures. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Optional

import numpy as np

from .edits import Edit
from .look import Look

NO_Z = "directions of Z cannot edit projected ws, which have no z; use directions of W (--space w)"
Step = tuple[tuple[int, float], ...]  # edits by index, each with a factor of its distance
Shot = tuple[float, Step]  # a subject by its place in the view, and the step that edits it


class FramesError(Exception):
    """A generator gave pictures that cannot be shown."""


@dataclass(frozen=True, eq=False)
class View:
    """Subjects, and the look that they are rendered with.

    Attributes:
        look: truncation, noise, class and so on.
        seeds: subjects whose latents are drawn as the toolkits do.
        ws: float32 ``[N, num_ws, w_dim]`` of subjects with given ws, such as projected photographs; they come before
            the seeds, and are never truncated. None: there are none.
        ws_file: the file that ``ws`` came from, as typed; '' where there is none.
        draws_classes: for a conditional network, draw a class for each seed where ``look`` has none.

    Raises:
        ValueError: there is no subject, or ws are not finite numbers of this shape.
    """

    look: Look
    seeds: tuple[int, ...] = ()
    ws: Optional[np.ndarray] = None
    draws_classes: bool = False
    ws_file: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))
        if self.ws is not None:
            ws = np.ascontiguousarray(self.ws, dtype=np.float32)
            if ws.ndim != 3 or not ws.size or not np.isfinite(ws).all():
                raise ValueError(f"ws {list(ws.shape)}: expected finite [N, num_ws, w_dim]")
            object.__setattr__(self, "ws", ws)
        if not len(self):
            raise ValueError("no seeds and no projected ws: one of them is needed")

    def __len__(self) -> int:
        return self.given + len(self.seeds)

    @property
    def given(self) -> int:
        """How many subjects have given ws."""
        return 0 if self.ws is None else len(self.ws)

    @property
    def labels(self) -> list[str]:
        """``w 0`` and ``seed 5``, for each subject."""
        return [f"w {index}" for index in range(self.given)] + [f"seed {seed}" for seed in self.seeds]

    @cached_property
    def projected(self) -> str:
        """SHA-256 of the given ws; '' where there are none."""
        return "" if self.ws is None else hashlib.sha256(self.ws.tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Shard:
    """Pictures of a view, rendered in order; they do not depend on other shards.

    Attributes:
        shots: one for each picture, in their order.
        edits: steps refer to them by index.
        row: pictures of a row, which is rendered in batches of its own.
        together: the size of a batch is the largest divisor of this that fits into memory; 1 renders each picture on
            its own. A row that does not fill its last batch is padded, so that every batch has this size.
        walk: easing and loop (see ``paths.path``) of the way from subject to subject, where the places of the shots
            lie on one: 1.5 is half-way from the second subject to the third. None: places are whole numbers.
    """

    shots: tuple[Shot, ...]
    edits: tuple[Edit, ...] = ()
    row: int = 1
    together: int = 1
    walk: Optional[tuple[str, str]] = None

    @classmethod
    def of_everyone(cls, view: View, steps: Sequence[Step] = ((),), edits: Sequence[Edit] = ()) -> Shard:
        """All subjects at each step, a row for each; without steps the unedited pictures."""
        count = len(view)
        shots = tuple((float(who), tuple(step)) for step in steps for who in range(count))
        return cls(shots, tuple(edits), count, count)

    @classmethod
    def along(cls, view: View, edit: Edit, factors: Sequence[float]) -> Shard:
        """All subjects with one edit at each factor of its distance."""
        return cls.of_everyone(view, [((0, float(factor)),) for factor in factors], [edit])

    def __len__(self) -> int:
        return len(self.shots)

    def rows(self) -> Iterator[tuple[Shot, ...]]:
        """The shots of each row."""
        return (self.shots[start : start + self.row] for start in range(0, len(self), self.row))

    def only(self, rows: Sequence[tuple[Shot, ...]]) -> Shard:
        """This shard with some of its rows."""
        return replace(self, shots=tuple(shot for row in rows for shot in row))

    def batch(self, at_once: int) -> int:
        """The batch size, at most ``at_once``."""
        most = max(1, min(self.together, at_once))
        return next(size for size in range(most, 0, -1) if self.together % size == 0)

    def key(self, step: Step) -> str:
        """The edits and distances of a step as text; equal for steps that give equal pictures."""
        done = [(self.edits[place].digest, self.edits[place].distance * factor) for place, factor in step]
        return " ".join(f"{digest}*{distance!r}" for digest, distance in done if distance)

    @property
    def in_z(self) -> bool:
        """Whether an edit is of Z."""
        return any(edit.space == "z" for edit in self.edits)

    @property
    def unchanged_rows(self) -> int:
        """How many leading rows of ws no edit changes; 0 where that saves nothing."""
        if not self.edits or self.walk or self.in_z or len({who for who, _ in self.shots}) == len(self):
            return 0
        return min(min(edit.rows) for edit in self.edits)
