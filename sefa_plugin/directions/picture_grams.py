"""How pictures change along a basis of w: finite differences, for ``sharp.rotated`` and ``local``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..system.whole_files import whole_file
from .codes import SEED

if TYPE_CHECKING:
    from torch import Tensor

    from ..networks.generator import Generator

SAMPLES = 32
STEP = 0.02  # standard deviations
CELLS = 8  # a side of the grid
PIXELS = 64  # pictures are looked at in this size
TOGETHER = 16  # pictures in a batch


class PictureGrams(NamedTuple):
    """Grams of the changes of pictures along a basis of p vectors.

    Attributes:
        cells: float64 ``[CELLS^2, p, p]``: ``mean of D^T D`` over samples, where a column of ``D`` holds the changes of
            the pixels of one cell along one vector of the basis.
        common: float64 ``[p, p]``: ``M^T M``, where a column of ``M`` holds the change of all pixels along one vector
            of the basis, in the mean over samples. Of a direction that changes all samples alike it has as much as all
            cells together, of one that changes each in a way of its own nearly nothing.
    """

    cells: np.ndarray
    common: np.ndarray


def picture_grams(
    G: Generator,
    basis: np.ndarray,
    rows: Sequence[int],
    samples: int,
    advance: Callable[[int], None] = lambda pictures: None,
    file: Path | None = None,
) -> PictureGrams:
    """Grams of the changes of pictures along a basis, see :func:`changes`.

    Args:
        G: a generator; one whose pictures are sums of ToRGBs is run up to ``PIXELS`` only.
        basis: ``[w_dim, p]``.
        rows: the rows of ws that the basis is added to.
        samples: how many.
        advance: called with the number of pictures whenever some have been rendered.
        file: where the sums over the samples so far are kept; it is read first, and removed at the end.
    """
    done, grams = 0, np.zeros((CELLS**2, basis.shape[1], basis.shape[1]))
    total: np.ndarray = np.zeros(1)  # [cells, p, numbers in a cell]
    if file is not None and file.exists():
        with np.load(file, allow_pickle=False) as held:
            done, grams, total = int(held["done"]), held["grams"], held["total"]
        advance(done * (1 + basis.shape[1]))
    for sample, change in enumerate(changes(G, basis, rows, range(done, samples), advance), done):
        cells = _cells(change).cpu().numpy()
        grams += cells @ cells.transpose(0, 2, 1)
        total = total + cells
        if file is not None:
            with whole_file(file) as part, part.open("wb") as out:
                np.savez(out, done=sample + 1, grams=grams, total=total)
    if file is not None:
        file.unlink(missing_ok=True)
    mean = total / samples
    return PictureGrams(grams / samples, (mean @ mean.transpose(0, 2, 1)).sum(axis=0))


def kept_changes(
    G: Generator,
    basis: np.ndarray,
    rows: Sequence[int],
    samples: int,
    about: str,
    advance: Callable[[int], None],
    folder: Path | None,
) -> list[np.ndarray]:
    """The :func:`changes` of the whole pictures of some samples, float16 ``[p, channels, height, width]`` each.

    Args:
        G, basis, rows, samples, advance: see :func:`picture_grams`.
        about: what decides the pictures beside these, such as the digest of the network.
        folder: a folder is made in it that keeps them, named by all that decides them; None keeps nothing.
    """
    key = repr((about, tuple(rows), STEP)).encode() + basis.astype(np.float32).tobytes()
    named = hashlib.sha256(key).hexdigest()[:12]
    place = None if folder is None else folder / f".changes-{named}"
    files = [None if place is None else place / f"{sample:02d}.npy" for sample in range(samples)]
    kept = [file is not None and file.exists() for file in files]
    made = changes(G, basis, rows, [sample for sample in range(samples) if not kept[sample]], advance, whole=True)
    found = []
    for file, there in zip(files, kept):
        if there and file is not None:
            found.append(np.load(file, allow_pickle=False))
            advance(1 + basis.shape[1])
            continue
        found.append(next(made).cpu().numpy().astype(np.float16))
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as part, part.open("wb") as out:
                np.save(out, found[-1])
    return found


def changes(
    G: Generator,
    basis: np.ndarray,
    rows: Sequence[int],
    samples: Iterable[int],
    advance: Callable[[int], None],
    whole: bool = False,
) -> Iterator[Tensor]:
    """Changes of the pictures of some samples along a basis, float64 ``[p, channels, height, width]`` for each sample.

    Differences of two pictures, of the sample and ``STEP`` away from it, in units of the picture's range -1 to 1 for
    one unit of the basis. Samples go forwards and backwards in turn: in the mean over them what is not linear cancels.
    The arguments are those of :func:`picture_grams`; ``samples`` are their numbers. ``whole``: with what layers beyond
    ``PIXELS`` add, too.
    """
    import torch

    device = next(G.parameters()).device
    steps = torch.zeros(1 + basis.shape[1], G.num_ws, G.w_dim, device=device)
    moved = torch.from_numpy(np.ascontiguousarray(basis.T * STEP)).float().to(device)
    steps[1:, list(rows)] = moved[:, None]
    options: dict[str, object] = {}
    if getattr(G.synthesis, "sums_pictures", False) and not whole:
        options["up_to"] = PIXELS
    if prepared := getattr(G.synthesis, "quick", None):
        options["quick"] = prepared()
    for sample in samples:
        sign = -1 if sample % 2 else 1
        draw = np.random.RandomState(SEED + 1 + sample)
        z = torch.from_numpy(draw.randn(1, G.z_dim)).to(device)
        labels = torch.eye(G.c_dim, device=device)[draw.randint(G.c_dim, size=1)] if G.c_dim else None
        # So small steps need all digits of float32, which TF32 has not.
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            ws = G.mapping(z, labels) + sign * steps
            pictures = []
            for batch in torch.split(ws, TOGETHER):
                pictures.append(_reduced(G.synthesis(batch, "const", True, **options)))
                advance(len(batch))
            made = torch.cat(pictures).double()
        yield (made[1:] - made[:1]) / (sign * STEP)


def _reduced(pictures: Tensor) -> Tensor:
    """Pictures of more than ``PIXELS`` a side, reduced to it by the mean over areas."""
    import torch

    height, width = pictures.shape[2:]
    return torch.nn.functional.adaptive_avg_pool2d(pictures.float(), (min(height, PIXELS), min(width, PIXELS)))


def _cells(changes: Tensor) -> Tensor:
    """``[p, channels, height, width]`` to ``[cells, p, numbers in a cell]``."""
    import torch

    parts = [cell for band in changes.tensor_split(CELLS, dim=2) for cell in band.tensor_split(CELLS, dim=3)]
    longest = max(cell[0].numel() for cell in parts)
    flat = [cell.flatten(1) for cell in parts]
    return torch.stack([torch.nn.functional.pad(cell, (0, longest - cell.shape[1])) for cell in flat])
