"""A generator, a look and the latents of a run: gives pictures of them, edited along directions."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .edits import Edit, Weights, edit_of, edited_rows, edited_z
from .frames import render
from .latent_files import load_projected_w
from .latents import classes_from_seeds, normalize_z, one_hot, z_from_seeds
from .look import Look, rendering_as

if TYPE_CHECKING:
    from ..directions.directions import Directions
    from ..directions.keys import Key
    from ..networks.generator import Generator

SAMPLES = 512  # latent codes whose spread is measured
NO_Z = "directions of Z cannot edit --projected-w, which has no z; use --space w"


class Scene:
    """A generator, a look, and the latents of the subjects that are rendered.

    Args:
        G: a generator of ``load_network``.
        look: see :class:`Look`.
        seeds: drawn as the toolkits do.
        projected: an ``.npz`` of projected ws, the ws themselves ``[N, num_ws, w_dim]``, or None; those come first,
            and are never truncated.
        draw_classes: of a conditional network, give each seed a class of its own where ``look`` names none.

    Raises:
        ValueError: a label is missing or out of range, or there is no subject.
        LatentsError: the file of ws cannot be used.
    """

    def __init__(
        self,
        G: Generator,
        look: Look,
        seeds: Sequence[int],
        projected: str | os.PathLike[str] | np.ndarray | Tensor | None = None,
        draw_classes: bool = False,
    ) -> None:
        self.G = G
        self.look = look
        self.device = next(G.parameters()).device
        self.labels: list[str] = []
        ws = []
        self.projected = ""  # digest of the ws of a file
        if projected is not None:
            if isinstance(projected, (str, os.PathLike)):
                held = load_projected_w(projected, G.num_ws, G.w_dim)
            else:
                held = torch.as_tensor(projected, dtype=torch.float32).cpu()
                if held.shape[1:] != (G.num_ws, G.w_dim) or not len(held) or not torch.isfinite(held).all():
                    wanted = f"[N, {G.num_ws}, {G.w_dim}]"
                    raise ValueError(f"projected ws {list(held.shape)}: this network needs finite {wanted}")
            self.labels += [f"w {index}" for index in range(len(held))]
            ws.append(held.to(self.device))
            self.projected = hashlib.sha256(held.numpy().tobytes()).hexdigest()
        self._z = z_from_seeds(seeds, G.z_dim).to(self.device) if seeds else None
        self.c: Tensor | None = None
        if seeds and draw_classes and G.c_dim and look.label is None:
            drawn = torch.tensor(classes_from_seeds(seeds, G.z_dim, G.c_dim))
            self.c = torch.nn.functional.one_hot(drawn, G.c_dim).float()
        elif seeds:
            self.c = one_hot(look.label, G.c_dim, len(seeds))
        if self.c is not None:
            self.c = self.c.to(self.device)
        self.labels += [f"seed {seed}" for seed in seeds]
        if self._z is not None:  # one by one: the picture of a seed must not depend on the other seeds
            ws += [self._mapped(self._z[who : who + 1], self._class_of([who])) for who in range(len(seeds))]
        if not ws:
            raise ValueError("no seeds and no projected ws: nothing to look at")
        self.ws = torch.cat(ws)  # [subjects, num_ws, w_dim]
        with rendering_as(G, look):
            pass  # what does not fit the network is said now

    @property
    def z(self) -> Tensor:
        """Latents ``[subjects, z_dim]``.

        Raises:
            ValueError: subjects are projected ws, which have none.
        """
        if self.projected or self._z is None:
            raise ValueError(NO_Z)
        return self._z

    def _class_of(self, who: Sequence[int]) -> Tensor | None:
        """Labels of some seeds; None for a network without classes."""
        return None if self.c is None else self.c[list(who)]

    def _mapped(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Truncated ws of latents ``[N, z_dim]``."""
        with torch.no_grad():
            return self.G.mapping(z, c, truncation_psi=self.look.trunc, truncation_cutoff=self.look.trunc_cutoff)

    def __len__(self) -> int:
        return len(self.labels)

    def edited(self, who: int | Sequence[int], changes: Sequence[Edit], weights: Weights | None = None) -> Tensor:
        """ws ``[N, num_ws, w_dim]`` of one subject, or of N, with edits of Z, then of W; see :mod:`edits`.

        Raises:
            ValueError: an edit does not fit, or is of Z where the subject has no z.
        """
        some = [who] if isinstance(who, int) else list(who)
        if any(change.space == "z" for change in changes):
            return self.edited_from(self.z[some], changes, weights, some)
        return edited_rows(self.ws[some], changes, weights)

    def edited_from(
        self, z: Tensor, changes: Sequence[Edit], weights: Weights | None = None, who: Sequence[int] = (0,)
    ) -> Tensor:
        """As :meth:`edited`, of latents ``[N, z_dim]`` with the classes of ``who``."""
        return edited_rows(self._mapped(edited_z(z, changes, weights), self._class_of(who)), changes, weights)

    def one_by_one(self, ws: Iterable[Tensor], unchanged_rows: int = 0) -> Iterator[np.ndarray]:
        """Render ws ``[N, num_ws, w_dim]`` to a uint8 picture each, which depends on no other one.

        Batches round differently, so :meth:`pictures` may differ from these by 1.
        """
        return self._rendered(ws, 1, unchanged_rows)

    def pictures(self, ws: Iterable[Tensor], unchanged_rows: int = 0) -> Iterator[list[np.ndarray]]:
        """Render ws of all subjects at once: for each ``[subjects, num_ws, w_dim]`` a list of uint8 pictures.

        Each subject keeps its first ``unchanged_rows`` rows.
        """
        flat = self._rendered(ws, batch_size(self.device, len(self), self.G.img_resolution), unchanged_rows)
        while True:
            row = list(islice(flat, len(self)))
            if not row:
                return
            yield row

    def shots(self, directions: Directions, key: Key, distances: Iterable[float]) -> Iterator[list[np.ndarray]]:
        """Yield, for each distance along a direction, the pictures of all subjects.

        Raises:
            ValueError: directions of Z cannot edit projected ws.
        """
        return self.shots_along(((edit_of(directions, key, 1.0), distance) for distance in distances), directions)

    def shots_along(self, steps: Iterable[tuple[Edit, float]], directions: Directions) -> Iterator[list[np.ndarray]]:
        """As :meth:`shots`, for each (edit, factor of its distance) along some of ``directions``.

        What the edits leave unchanged is computed once for all of them.
        """
        in_z = directions.space == "z"
        if in_z:
            _ = self.z  # says at once that there is none
        everyone = range(len(self))
        ws = (self.edited(everyone, [change], [weight]) for change, weight in steps)
        return self.pictures(ws, 0 if in_z else min(directions.layers))

    def shots_at(self, directions: Directions, key: Key, places: Sequence[tuple[int, float]]) -> list[np.ndarray]:
        """Pictures of ``(subject, distance)`` pairs along a direction, rendered together.

        Raises:
            ValueError: directions of Z cannot edit projected ws.
        """
        change = edit_of(directions, key, 1.0)
        return self._all_of(torch.cat([self.edited(who, [change], [distance]) for who, distance in places]))

    def portraits(self, subjects: Sequence[int]) -> list[np.ndarray]:
        """Unedited pictures of some subjects."""
        return self._all_of(self.ws[list(subjects)])

    def _all_of(self, ws: Tensor) -> list[np.ndarray]:
        return list(self._rendered([ws], batch_size(self.device, len(ws), self.G.img_resolution)))

    def _rendered(self, ws: Iterable[Tensor], batch: int, unchanged_rows: int = 0) -> Iterator[np.ndarray]:
        """``frames.render`` as the look says; other scenes of this generator may render between two frames."""
        frames = render(
            self.G,
            ws,
            batch_size=batch,
            noise_mode=self.look.noise_mode,
            force_fp32=self.look.force_fp32,
            unchanged_rows=unchanged_rows,
        )
        while True:
            with rendering_as(self.G, self.look):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def spread_along(self, directions: Directions) -> np.ndarray:
        """Standard deviation of the latent code along each direction, over untruncated samples: float64 ``[k]``.

        Of a direction with a row for each layer the root mean square over them.
        """
        z = z_from_seeds(range(SAMPLES), self.G.z_dim)
        if directions.space == "z":
            codes = normalize_z(z)
        else:
            c = one_hot(self.look.label or 0, self.G.c_dim, SAMPLES)
            with torch.no_grad():
                codes = self.G.mapping(z.to(self.device), None if c is None else c.to(self.device))[:, -1]
        vectors = directions.vectors.astype(np.float64)
        spread = (codes.double().cpu().numpy() @ vectors.reshape(-1, directions.dim).T).std(axis=0)
        sigmas: np.ndarray = np.sqrt(np.square(spread).reshape(len(directions), -1).mean(axis=1))
        return sigmas


def batch_size(device: torch.device, subjects: int, resolution: int) -> int:
    """How many pictures are rendered at once: for small ones several are faster, large ones only take more memory."""
    room = 16 if device.type == "cuda" else 4
    most = max(1, min(subjects, room * 256 * 256 // resolution**2))
    return next(size for size in range(most, 0, -1) if subjects % size == 0)  # the same batches for every frame
