"""Methods that find directions: each returns ``Directions`` of the same layers, and the seconds that it took.

GANSpace, InterFaceGAN and chance give unit vectors of W. :func:`along` makes ``Directions`` of them, so that they can
be calibrated and rendered like SeFa's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ...directions.closed_form import stack
from ...directions.directions import Directions
from ...directions.factorization import effective_weight, factorize_groups
from ...directions.layers import one_group
from ...directions.names import check_name
from ...networks.style_layers import generator_of, style_layers
from ..samples.sampling import Samples
from .ganspace import principal_components
from .interfacegan import Boundary, BoundaryError, project_boundary, train_boundary

if TYPE_CHECKING:
    from ...networks.generator import Generator
    from ...rendering.look import Look

METHODS = ("sefa", "sharpen-layers", "sharpen-pictures", "ganspace", "interfacegan", "interfacegan-c", "chance")
CODES = 65_536  # samples of w for GANSpace; they cost no picture
BATCH = 8192  # of them at a time
FIRST_CODE = 10_000_000  # first seed of the samples that methods use; differs from those of the measurement


@dataclass(frozen=True, eq=False)
class Found:
    """Directions and how they were found.

    Attributes:
        method: one of ``METHODS``, or a name for a variant.
        directions: of one group of layers.
        seconds: time from the open network to the directions.
        intended: for each direction the attribute that it was made for, '' where it was made for none.
        about: further facts, fit for JSON.
    """

    method: str
    directions: Directions
    seconds: float
    intended: tuple[str, ...] = ()
    about: Mapping[str, object] = field(default_factory=dict)


def along(
    G: Generator,
    vectors: np.ndarray,
    *,
    layers: str = "all",
    torgb: str = "last",
    label: str,
    names: Sequence[str] = (),
) -> Directions:
    """Make directions of unit vectors of W, in the order given.

    Args:
        G: a generator of ``load_network``.
        vectors: ``[k, w_dim]``; scaled to unit length.
        layers, torgb: which layers they edit, as in ``factorize``.
        label: of the result, with that of the layers added.
        names: for each vector, or (); '' and invalid names give no name.

    Returns:
        ``Directions`` whose eigenvalues are ``|A n|^2``, as for SeFa's directions. They need not be in descending
        order.

    Raises:
        ValueError: vectors of another width or of zeros, or layers that give several groups.
    """
    group = one_group(style_layers(G), layers, torgb)
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.ndim != 2 or vectors.shape[1] != G.w_dim or not (length > 0).all():
        raise ValueError(f"vectors {list(vectors.shape)}, some of length 0 or not [k, {G.w_dim}]")
    vectors = vectors / length
    A = stack([effective_weight(layer, True) for layer in group.layers])
    info = generator_of(G).sefa
    return Directions.of(
        vectors,
        np.square(vectors @ A.T).sum(axis=1),
        group.ws_indices,
        label=f"{label}-{group.label}",
        layer_names=tuple(layer.name for layer in group.layers),
        torgb=torgb,
        network=info.name,
        digest=info.digest,
        num_ws=G.num_ws,
        names=tuple(_name(name) for name in names),
    )


def _name(name: str) -> str:
    """The name, '' where it cannot be one."""
    try:
        check_name(name)
    except ValueError:
        return ""
    return name


def by_sefa(G: Generator, count: int, layers: str = "all", normalize: bool = True, torgb: str = "last") -> Found:
    """SeFa's directions, strongest first."""
    start = perf_counter()
    (found,) = factorize_groups(G, layers, normalize=normalize, torgb=torgb, num_directions=min(count, G.w_dim))
    return Found("sefa", found, perf_counter() - start)


def by_sharpening(G: Generator, count: int, layers: str = "all", sharpen: str = "layers") -> Found:
    """Sharp directions, strongest first; see ``directions.sharp``."""
    start = perf_counter()
    (found,) = factorize_groups(G, layers, sharpen=sharpen)
    held = found.first(min(count, len(found)))
    return Found(f"sharpen-{sharpen}", held, perf_counter() - start, about={"found with": held.found_with})


def by_ganspace(
    G: Generator,
    count: int,
    layers: str = "all",
    torgb: str = "last",
    *,
    look: Look | None = None,
    samples: int = CODES,
    first: int = FIRST_CODE,
) -> Found:
    """GANSpace: the components of the w of many seeds, strongest first; the deviations are its sigmas."""
    start = perf_counter()
    batches = (Samples(G, look, min(BATCH, samples - at), first + at).codes() for at in range(0, samples, BATCH))
    found = principal_components(batches, min(count, G.w_dim))
    held = along(G, found.vectors, layers=layers, torgb=torgb, label="ganspace")
    sigmas = {index: replace(held.entries[index], sigma=float(one)) for index, one in enumerate(found.deviations)}
    held = held.with_entries(sigmas)
    return Found("ganspace", held, perf_counter() - start, about={"samples": found.count})


def by_chance(G: Generator, count: int, layers: str = "all", torgb: str = "last", seed: int = 0) -> Found:
    """Random orthonormal directions, uniformly distributed: the baseline that every method should exceed."""
    start = perf_counter()
    q, r = np.linalg.qr(np.random.RandomState(seed).randn(G.w_dim, min(count, G.w_dim)))
    vectors = (q * np.sign(np.diag(r))).T  # without the signs the distribution is not uniform (Mezzadri 2007)
    held = along(G, vectors, layers=layers, torgb=torgb, label="chance")
    return Found("chance", held, perf_counter() - start, about={"seed": seed})


def by_boundaries(
    G: Generator,
    codes: np.ndarray,
    scores: Mapping[str, np.ndarray],
    seconds: float,
    layers: str = "all",
    torgb: str = "last",
    seed: int = 0,
    skip: Callable[[str, Exception], None] | None = None,
) -> tuple[Found, dict[str, Boundary]]:
    """InterFaceGAN: a boundary for every attribute.

    Args:
        codes: untruncated w ``[N, w_dim]`` of scored samples.
        scores: ``[N]`` by attribute.
        seconds: the time that scoring took, which is added to that of the method.
        seed: of the split into training and validation.
        skip: called with attribute and error where there is no boundary; if None, the error is raised.

    Raises:
        BoundaryError: no attribute has a boundary.
    """
    start = perf_counter()
    found: dict[str, Boundary] = {}
    reason: Exception = BoundaryError("no attribute to find a boundary of")
    for name, values in scores.items():
        try:
            found[name] = train_boundary(codes, values, seed=seed)
        except BoundaryError as error:
            if skip is None:
                raise
            skip(name, error)
            reason = error
    if not found:
        raise reason
    normals = np.concatenate([boundary.normal for boundary in found.values()])
    held = along(G, normals, layers=layers, torgb=torgb, label="interfacegan", names=tuple(found))
    about = {
        "samples": len(codes),
        "validation": {name: boundary.validation for name, boundary in found.items()},
        "remaining": {name: boundary.remaining for name, boundary in found.items()},
    }
    return Found("interfacegan", held, seconds + perf_counter() - start, tuple(found), about), found


def without_the_others(G: Generator, found: Found, layers: str = "all", torgb: str = "last") -> Found:
    """InterFaceGAN's conditional manipulation with all conditions: every boundary orthogonal to all others.

    Raises:
        BoundaryError: a boundary lies in the span of the others.
    """
    start = perf_counter()
    normals = found.directions.vectors[:, None]  # [k, 1, dim]
    projected = [project_boundary(one, [*normals[:i], *normals[i + 1 :]]) for i, one in enumerate(normals)]
    held = along(
        G, np.concatenate(projected), layers=layers, torgb=torgb, label="interfacegan-c", names=found.directions.names
    )
    return Found("interfacegan-c", held, found.seconds + perf_counter() - start, found.intended, found.about)
