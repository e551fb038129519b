"""A generator and a view of it, which render shards. Every command renders its pictures here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..media.pictures import as_rgb
from .arithmetic import arithmetic_of
from .edits import Edit, Weights, edited_rows, edited_z, normalize_z
from .frames import render
from .latents import classes_from_seeds, drawn_z, labelled
from .look import LookError
from .paths import Path, path
from .set_up import rendering_as
from .shards import NO_Z, Shard, Shot, View

if TYPE_CHECKING:
    from ..directions.directions import Directions
    from ..networks.generator import Generator

SAMPLES = 512  # latent codes to measure the standard deviation with


class Scene:
    """A generator, a view of it, and the latents of its subjects.

    Attributes:
        G: a generator of ``load_network``.
        view: subjects and look.
        ws: of the subjects, unedited and truncated: ``[subjects, num_ws, w_dim]``.
        c: labels of the seeds ``[seeds, c_dim]``; None for a network without classes.

    Raises:
        ValueError: a label is missing or out of range, or ws do not fit the network.
    """

    def __init__(self, G: Generator, view: View) -> None:
        self.G = G
        self.view = view
        self.look = look = view.look
        self.device = next(G.parameters()).device
        seeds, ws = view.seeds, []
        if view.ws is not None:
            if view.ws.shape[1:] != (G.num_ws, G.w_dim):
                wanted = f"[N, {G.num_ws}, {G.w_dim}]"
                raise ValueError(f"projected ws {list(view.ws.shape)}: this network needs {wanted}")
            ws.append(torch.from_numpy(view.ws).to(self.device))
        self._z = drawn_z(G, seeds).to(self.device) if seeds else None
        self.c: Tensor | None = None
        if seeds and view.draws_classes and G.c_dim and look.label is None:
            drawn = torch.tensor(classes_from_seeds(seeds, G.z_dim, G.c_dim))
            self.c = torch.nn.functional.one_hot(drawn, G.c_dim).float()
        elif seeds:
            self.c = labelled(look.label, G.c_dim, len(seeds))
        if self.c is not None:
            self.c = self.c.to(self.device)
        if self._z is not None:  # one by one: the picture of a seed must not depend on the other seeds
            ws += [self._mapped(self._z[who : who + 1], [who]) for who in range(len(seeds))]
        self.ws = torch.cat(ws)
        with rendering_as(G, look):
            pass  # raises now if the look does not fit

    @property
    def z(self) -> Tensor:
        """Latents ``[subjects, z_dim]``.

        Raises:
            ValueError: some subjects are projected ws, which have no z.
        """
        if self.view.given or self._z is None:
            raise ValueError(NO_Z)
        return self._z

    def _mapped(self, z: Tensor, who: Sequence[int]) -> Tensor:
        """Truncated ws of latents ``[N, z_dim]`` with the classes of some seeds.

        Raises:
            LookError: the network cannot be truncated so.
        """
        c, psi, cutoff = None if self.c is None else self.c[list(who)], self.look.trunc, self.look.trunc_cutoff
        try:
            with torch.no_grad():
                return self.G.mapping(z, c, truncation_psi=psi, truncation_cutoff=cutoff)
        except ValueError as error:
            raise LookError(str(error)) from error

    def __len__(self) -> int:
        return len(self.view)

    def edited(self, who: int | Sequence[int], changes: Sequence[Edit], weights: Weights | None = None) -> Tensor:
        """ws ``[N, num_ws, w_dim]`` of one subject, or of N, with edits of Z, then of W; see :mod:`edits`.

        Raises:
            ValueError: an edit does not fit, or is of Z where the subject has no z.
        """
        some = [who] if isinstance(who, int) else list(who)
        if any(change.space == "z" for change in changes):
            return self._edited_from(self.z[some], changes, weights, some)
        return edited_rows(self.ws[some], changes, weights)

    def _edited_from(
        self, z: Tensor, changes: Sequence[Edit], weights: Weights | None = None, who: Sequence[int] = (0,)
    ) -> Tensor:
        """As :meth:`edited`, of latents ``[N, z_dim]`` with the classes of ``who``."""
        moved = edited_z(z, changes, weights, getattr(self.G, "normalizes_z", True))
        return edited_rows(self._mapped(moved, who), changes, weights)

    def latents(self, shard: Shard) -> np.ndarray:
        """The ws of each shot: float32 ``[N, num_ws, w_dim]``.

        Raises:
            ValueError: as :meth:`edited`.
        """
        way = self._way(shard)
        ws: np.ndarray = torch.cat([self._row(shard, row, way) for row in shard.rows()]).float().cpu().numpy()
        return ws

    def _row(self, shard: Shard, row: Sequence[Shot], way: Path | None) -> Tensor:
        """ws ``[N, num_ws, w_dim]`` of a row of shots; those that are rendered together are edited together."""
        parts = []
        same = groupby(row, key=lambda shot: shot[1]) if shard.together > 1 else ((shot[1], [shot]) for shot in row)
        for step, shots in same:
            edits, weights = [shard.edits[place] for place, _ in step], [factor for _, factor in step]
            places = [place for place, _ in shots]
            if way is None:
                parts.append(self.edited([int(place) for place in places], edits, weights))
            else:
                parts += [self._between(shard, way(place), edits, weights) for place in places]
        return torch.cat(parts)

    def _way(self, shard: Shard) -> Path | None:
        """The path from subject to subject that a shard's places lie on: through Z if it is spherical, else through W.

        None for a shard without a walk.
        """
        if shard.walk is None:
            return None
        easing, loop = shard.walk
        if easing == "spherical":
            return path(self.z.cpu().numpy(), easing, loop)
        of_z = [edit for edit in shard.edits if edit.space == "z"]
        keys = torch.cat([self.edited(who, of_z) for who in range(len(self))])
        return path(keys.cpu().double().numpy(), easing, loop)

    def _between(self, shard: Shard, code: np.ndarray, edits: Sequence[Edit], weights: Weights) -> Tensor:
        """Edited ws ``[1, num_ws, w_dim]`` of a point of a path: z ``[z_dim]`` or ws ``[num_ws, w_dim]``."""
        held = torch.from_numpy(np.ascontiguousarray(code))[None]
        if shard.walk is not None and shard.walk[0] == "spherical":
            return self._edited_from(held.to(self.device), edits, weights)
        return edited_rows(held.to(self.ws), edits, weights)

    def pictures(self, shard: Shard, at_once: int | None = None) -> Iterator[np.ndarray]:
        """Render a shard: uint8 ``[H, W, C]`` for each shot, in their order.

        Args:
            at_once: pictures in a batch, at most; None for the default (see ``arithmetic.arithmetic_of``).

        Raises:
            ValueError: as :meth:`edited`.
            FramesError: pixels are NaN or infinite.
        """
        size = shard.batch(arithmetic_of(self.G).at_once if at_once is None else at_once)
        way = self._way(shard)
        flat = self._rendered((padded(self._row(shard, row, way), size) for row in shard.rows()), size, shard)
        for row in shard.rows():
            yield from islice(flat, len(row))
            for _ in range(-len(row) % size):
                next(flat)

    def _rendered(self, ws: Iterable[Tensor], size: int, shard: Shard) -> Iterator[np.ndarray]:
        """``frames.render`` with the look; other scenes of this generator may render between two frames."""
        frames = render(
            self.G,
            ws,
            batch_size=size,
            noise_mode=self.look.noise_mode,
            force_fp32=self.look.force_fp32,
            unchanged_rows=shard.unchanged_rows,
        )
        while True:
            with rendering_as(self.G, self.look):
                frame = next(frames, None)
            if frame is None:
                return
            background = self.look.background
            yield frame if background is None or frame.shape[2] != 4 else as_rgb(frame, background)

    def spread_along(self, directions: Directions) -> np.ndarray:
        """Standard deviation of the latent code along each direction, over untruncated samples: float64 ``[k]``.

        Of a direction with a row for each layer the root mean square over them.
        """
        z = drawn_z(self.G, range(SAMPLES))
        if directions.space == "z":
            codes = normalize_z(z) if getattr(self.G, "normalizes_z", True) else z
        else:
            c = labelled(0 if self.look.label is None else self.look.label, self.G.c_dim, SAMPLES)
            with torch.no_grad():
                codes = self.G.mapping(z.to(self.device), None if c is None else c.to(self.device))[:, -1]
        vectors = directions.vectors.astype(np.float64)
        spread = (codes.double().cpu().numpy() @ vectors.reshape(-1, directions.dim).T).std(axis=0)
        sigmas: np.ndarray = np.sqrt(np.square(spread).reshape(len(directions), -1).mean(axis=1))
        return sigmas


def padded(ws: Tensor, size: int) -> Tensor:
    """ws ``[N, num_ws, w_dim]`` with the last one repeated until they fill batches of ``size``."""
    lacking = -len(ws) % size
    return torch.cat([ws, ws[-1:].expand(lacking, -1, -1)]) if lacking else ws
