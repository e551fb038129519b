"""Videos of a recipe: into the edit, through its edits in turn, or from subject to subject with the edits kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .edits import Edit, edited_rows
from .paths import path
from .scene import Scene
from .timelines import Schedule, timeline

KINDS = ("edit", "sequence", "walk")
STRETCH = 60  # frames from key frame to key frame, where no number is asked for


@dataclass(frozen=True)
class Motion:
    """The frames of a recipe's video.

    Attributes:
        line: positions of the frames along the path; 0, 1, 2... are its key frames.
        at: ws ``[subjects, num_ws, w_dim]`` at a position; the key frames' are those of the stills.
        caption: text for a position.
        unchanged_rows: how many rows of ws, from the first on, are the same in all frames.
    """

    line: Schedule
    at: Callable[[float], Tensor]
    caption: Callable[[float], str]
    unchanged_rows: int = 0

    def frames(self, scene: Scene) -> Iterator[list[np.ndarray]]:
        """The distinct frames, uint8 pictures of each subject; each is rendered on its own, as stills are."""
        count = len(self.at(0.0))
        flat = scene.one_by_one(map(self.at, self.line.distances), self.unchanged_rows)
        for first in flat:
            yield [first, *(next(flat) for _ in range(count - 1))]


def usual(kind: str, edits: int, subjects: int) -> tuple[int, str, str]:
    """Number of frames, loop and easing of a kind, where the user gives none."""
    if kind == "edit":
        return STRETCH, "pingpong", "linear"
    return STRETCH * (subjects if kind == "walk" else edits + 1), "closed", "cubic" if kind == "walk" else "linear"


def motion(kind: str, scene: Scene, edits: Sequence[Edit], frames: int, loop: str, easing: str) -> Motion:
    """Plan a video of exactly ``frames`` frames.

    ``edit`` goes from the unedited pictures to the edited ones; ``sequence`` adds one edit after the other;
    ``walk`` goes from subject to subject, all of them edited. See ``paths`` and ``timelines`` for loops and easings; a
    spherical walk goes through Z, every other one through W.

    Raises:
        ValueError: there are no edits (for a walk, fewer than two subjects), or the easing does not fit the kind.
    """
    if kind not in KINDS:
        raise ValueError(f"animation {kind!r}: choose one of {', '.join(KINDS)}")
    if kind == "walk":
        return _walk(scene, edits, timeline(frames, len(scene), loop), easing, loop)
    if not edits:
        raise ValueError(f"this recipe has no edits, so --animate {kind} has nothing to show; walk goes through seeds")
    if easing == "spherical":
        raise ValueError("--easing spherical is for --animate walk, which can go through Z")
    through = np.vstack([np.zeros(len(edits)), np.tril(np.ones((len(edits), len(edits))))])
    keys = through[[0, -1]] if kind == "edit" else through
    weights = path(keys, easing, loop)

    def at(position: float) -> Tensor:
        return torch.cat([scene.edited(who, edits, weights(position)) for who in range(len(scene))])

    def caption(position: float) -> str:
        # Smaller weights are rounding, or the first steps of a spline.
        shown = [(edit, weight) for edit, weight in zip(edits, weights(position)) if abs(weight) > 5e-3]
        words = [edit.typed_with(f" {edit.distance * weight:+.3g}").replace("=", "") for edit, weight in shown]
        return "   ".join(words) or "unedited"

    rows = 0 if any(edit.space == "z" for edit in edits) else min(min(edit.rows) for edit in edits)
    return Motion(timeline(frames, len(keys), loop), at, caption, rows)


def _walk(scene: Scene, edits: Sequence[Edit], line: Schedule, easing: str, loop: str) -> Motion:
    count = len(scene)
    if count < 2:
        raise ValueError("--animate walk goes from subject to subject: give two seeds or more, like --seeds 5,9,12")
    in_z = [edit for edit in edits if edit.space == "z"]
    if easing == "spherical":
        if scene.projected:
            raise ValueError("--easing spherical goes through Z, and --projected-w has no z; use cubic")
        codes = path(scene.z.cpu().numpy(), easing, loop)

        def at(position: float) -> Tensor:
            z = torch.from_numpy(np.ascontiguousarray(codes(position)))[None].to(scene.device)
            return scene.edited_from(z, edits)
    else:
        keys = torch.cat([scene.edited(who, in_z) for who in range(count)])
        between = path(keys.cpu().double().numpy(), easing, loop)

        def at(position: float) -> Tensor:
            ws = torch.from_numpy(np.ascontiguousarray(between(position)))[None]
            return edited_rows(ws.to(keys), edits)

    def caption(position: float) -> str:
        return scene.labels[round(position) % count]

    return Motion(line, at, caption)
