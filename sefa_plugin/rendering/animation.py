"""Videos of a recipe: unedited to edited, one edit after the other, or from subject to subject with all edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .edits import Edit
from .paths import path
from .shards import NO_Z, Shard, View
from .timelines import Schedule, timeline

KINDS = ("edit", "sequence", "walk")
STRETCH = 60  # default number of frames from key frame to key frame


@dataclass(frozen=True)
class Motion:
    """The frames of a recipe's video.

    Attributes:
        line: positions of the frames along the path; 0, 1, 2... are its key frames.
        shard: the pictures of the distinct frames, each rendered on its own, as stills are; the key frames' are equal
            to the stills.
        captions: a text for each distinct frame.
    """

    line: Schedule
    shard: Shard
    captions: tuple[str, ...]


def usual(kind: str, edits: int, subjects: int) -> tuple[int, str, str]:
    """Default number of frames, loop and easing of a kind."""
    if kind == "edit":
        return STRETCH, "pingpong", "linear"
    return STRETCH * (subjects if kind == "walk" else edits + 1), "closed", "cubic" if kind == "walk" else "linear"


def motion(kind: str, view: View, edits: Sequence[Edit], frames: int, loop: str, easing: str) -> Motion:
    """Plan a video of exactly ``frames`` frames.

    ``edit`` goes from the unedited pictures to the edited ones; ``sequence`` adds one edit after the other;
    ``walk`` goes from subject to subject, all of them edited. See ``paths`` and ``timelines`` for loops and easings; a
    spherical walk goes through Z, every other one through W.

    Raises:
        ValueError: there are no edits (for a walk, fewer than two subjects), or the easing does not fit the kind.
    """
    if kind not in KINDS:
        raise ValueError(f"animation {kind!r}: choose one of {', '.join(KINDS)}")
    if view.given and any(edit.space == "z" for edit in edits):
        raise ValueError(NO_Z)
    if kind == "walk":
        return _walk(view, edits, timeline(frames, len(view), loop), easing, loop)
    if not edits:
        raise ValueError(
            f"--animate {kind}: this recipe has no edits; type --animate walk, which goes from seed to seed"
        )
    if easing == "spherical":
        raise ValueError("--easing spherical is for --animate walk, which can go through Z")
    through = np.vstack([np.zeros(len(edits)), np.tril(np.ones((len(edits), len(edits))))])
    keys = through[[0, -1]] if kind == "edit" else through
    line = timeline(frames, len(keys), loop)
    weights = [path(keys, easing, loop)(position) for position in line.distances]
    steps = [tuple(enumerate(map(float, some))) for some in weights]
    shots = tuple((float(who), step) for step in steps for who in range(len(view)))
    return Motion(line, Shard(shots, tuple(edits), len(view)), tuple(_words(edits, some) for some in weights))


def _words(edits: Sequence[Edit], weights: np.ndarray) -> str:
    # Smaller weights are rounding, or the first steps of a spline.
    shown = [(edit, weight) for edit, weight in zip(edits, weights) if abs(weight) > 5e-3]
    words = [edit.typed_with(f" {edit.distance * weight:+.3g}").replace("=", "") for edit, weight in shown]
    return "   ".join(words) or "unedited"


def _walk(view: View, edits: Sequence[Edit], line: Schedule, easing: str, loop: str) -> Motion:
    count = len(view)
    if count < 2:
        raise ValueError("--animate walk goes from seed to seed: type two or more, like --seeds 5,9,12")
    if easing == "spherical" and view.given:
        raise ValueError("--easing spherical goes through Z, and --projected-w has no z; use cubic")
    step = tuple((place, 1.0) for place in range(len(edits)))
    shard = Shard(tuple((position, step) for position in line.distances), tuple(edits), walk=(easing, loop))
    return Motion(line, shard, tuple(view.labels[round(position) % count] for position in line.distances))
