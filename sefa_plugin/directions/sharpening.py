"""Sharp and local directions of a generator, from its weights, codes and pictures; see ``sharp`` and ``local``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..hook import StyleLayer
from .clean import Score, scores
from .closed_form import stack
from .codes import PER_DIMENSION, covariance, enough
from .directions import Directions, Source, known_order
from .layers import LayerGroup, select_layers
from .local import LEAK, local
from .picture_grams import SAMPLES, STEP, PictureGrams, kept_changes, picture_grams
from .region import Region
from .sharp import POOL, Sharp, rotated, scales, sharpen
from .ties import ONLY_THE_SPACE

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from .factorization import Factorisation

Advance = Callable[[int], None]
PICTURES = (1 + POOL) * SAMPLES  # of one group of layers, at most
# Of local directions: the dimensions of w that are mixed, samples to find them, and others that measure them.
DIMENSIONS, FOUND_WITH, APART = 128, 16, 8


def nothing(pictures: int) -> None:
    """Ignore that pictures have been rendered."""


def sharpen_groups(
    layers: Sequence[StyleLayer],
    G: Generator,
    how: Factorisation,
    source: Source,
    advance: Advance = nothing,
    folder: Path | None = None,
) -> list[Directions]:
    """Find the sharp or local directions of groups of layers: the whole pool of each.

    Args:
        layers: all style layers of the network, with all their ToRGBs.
        G: its generator; ``layers`` maps codes with it, ``pictures`` also renders.
        how: which layers, the way of sharpening, and how many codes.
        source: the network.
        advance: called with the number of pictures whenever some have been rendered.
        folder: where measurements of pictures are kept, until they are complete, so that an interrupted run goes on,
            or for other regions; None keeps none.

    Raises:
        ValueError: the layers do not fit the network, there is nothing to sharpen, or too few codes are asked for.
    """
    settings = _settings(how, G.w_dim)
    groups = select_layers(layers, how.layers, "always")
    varied = covariance(G, how.code_samples or enough(G.w_dim))
    found = []
    for group in groups:
        matrices = [np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain for layer in group.layers]
        inside, scored = None, list[Score]()
        if how.region is not None:
            sharp, inside = _inside(G, group, varied, how.region, source, advance, folder)
        elif how.sharpen == "layers":
            sharp = sharpen(matrices, varied)
        else:
            sharp, scored = _by_pictures(G, group, varied, source, advance, folder)
        found.append(_directions(group, matrices, sharp, inside, how, settings, source, scored))
    return found


def with_scores(held: Directions, G: Generator, advance: Advance = nothing, folder: Path | None = None) -> Directions:
    """Sharp directions with how clean they are, see ``clean``; as they are where that is known.

    Args:
        held: sharp directions of the network.
        G: its generator, which renders :func:`pictures_of_scores` pictures.
        advance, folder: see :func:`sharpen_groups`.

    Raises:
        ValueError: these are no sharp directions.
    """
    if not pictures_of_scores(held):
        return held
    vectors = held.vectors.astype(np.float64)
    steps = np.linalg.lstsq(scales(covariance(G, enough(G.w_dim))), vectors.T, rcond=None)[0]
    seen = _seen(G, vectors.T / np.linalg.norm(steps, axis=0), held.layers, held.digest, advance, folder)
    each = zip(held.entries, scores(np.eye(len(held)), seen))
    return held.with_entries({at: replace(entry, score=score) for at, (entry, score) in enumerate(each)})


def check_order(order: str, sharpen: str) -> None:
    """Check that directions that are found in a way have an order.

    Raises:
        ValueError: they have not.
    """
    if known_order(order) == "clean" and sharpen not in ("layers", "pictures"):
        raise ValueError("only directions of --sharpen layers or pictures have the order clean")


def pictures_of_scores(held: Directions) -> int:
    """How many pictures :func:`with_scores` renders, at most.

    Raises:
        ValueError: these are no sharp directions.
    """
    check_order("clean", held.sharpen)
    return 0 if held.has_order else (1 + len(held)) * SAMPLES


def _settings(how: Factorisation, w_dim: int) -> str:
    """What decides sharp directions beside the network, its layers and the way, in words."""
    samples, least = how.code_samples or enough(w_dim), PER_DIMENSION * w_dim
    if samples < least:
        each = f"{PER_DIMENSION} for each of {w_dim} dimensions of w"
        raise ValueError(f"{samples} code samples: at least {least} are needed, {each}")
    pictures = {"pictures": SAMPLES, "region": FOUND_WITH}.get(how.sharpen)
    rendered = "" if pictures is None else f", pictures of {pictures} samples"
    return f"{samples} codes{rendered}" + ("" if how.region is None else f", {how.region.label}")


def known_groups(
    held: Iterable[Directions], layers: Sequence[StyleLayer], how: Factorisation, digest: str, w_dim: int
) -> list[Directions]:
    """The sets of :func:`sharpen_groups` where all of them are among those that are kept; else none.

    Raises:
        ValueError: as there.
    """
    settings = _settings(how, w_dim)
    wanted = [
        (str(how.labelled(group.label)), group.ws_indices, settings, digest)
        for group in select_layers(layers, how.layers, "always")
    ]
    there = {(one.label, one.layers, one.found_with, one.digest): one for one in held}
    return [there[about] for about in wanted] if there.keys() >= set(wanted) else []


def _by_pictures(
    G: Generator, group: LayerGroup, varied: np.ndarray, source: Source, advance: Advance, folder: Path | None
) -> tuple[Sharp, list[Score]]:
    """Directions that are sharp by pictures, and how clean they are."""
    basis = scales(varied)[:, :POOL]
    seen = _seen(G, basis, group.ws_indices, source["digest"], advance, folder)
    sharp = rotated(basis, seen.cells)
    steps = np.linalg.lstsq(basis, sharp.vectors.T, rcond=None)[0]
    return sharp, scores(steps / np.linalg.norm(steps, axis=0), seen)


def _seen(
    G: Generator, basis: np.ndarray, rows: tuple[int, ...], digest: str, advance: Advance, folder: Path | None
) -> PictureGrams:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    about = repr((digest, rows, STEP)).encode() + basis.astype(np.float32).tobytes()
    file = None if folder is None else folder / f".changes-in-cells-{hashlib.sha256(about).hexdigest()[:12]}.npz"
    return picture_grams(G, basis, rows, SAMPLES, advance=advance, file=file)


def pictures_of(how: Factorisation, w_dim: int) -> int:
    """How many pictures are rendered for one group of layers, at most."""
    if how.region is not None:
        return (1 + min(DIMENSIONS, w_dim)) * (FOUND_WITH + APART)
    return PICTURES if how.sharpen == "pictures" else 0


def _inside(
    G: Generator,
    group: LayerGroup,
    varied: np.ndarray,
    region: Region,
    source: Source,
    advance: Advance,
    folder: Path | None,
) -> tuple[Sharp, np.ndarray]:
    """Local directions, and the share of the change of each that is inside the region."""
    basis = scales(varied)[:, :DIMENSIONS]
    samples = FOUND_WITH + APART
    seen = kept_changes(G, basis, group.ws_indices, samples, source["digest"], advance, folder)
    return local(basis, seen[:FOUND_WITH], seen[FOUND_WITH:], region)


def changes_of_styles(vectors: np.ndarray, layers: Sequence[StyleLayer], rows: Sequence[int]) -> np.ndarray:
    """``|A_l n|^2`` of directions n ``[k, w_dim]``, summed over the layers of each row of ws: float64 ``[k, rows]``."""
    found = np.zeros((len(vectors), len(rows)))
    for layer in layers:
        matrix = np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain
        found[:, list(rows).index(layer.ws_index)] += np.square(vectors @ matrix.T).sum(axis=1)
    return found


def _directions(
    group: LayerGroup,
    matrices: Sequence[np.ndarray],
    sharp: Sharp,
    inside: np.ndarray | None,
    how: Factorisation,
    found_with: str,
    source: Source,
    scored: Sequence[Score],
) -> Directions:
    stack(matrices, normalize=False)  # refuses NaN
    styles = changes_of_styles(sharp.vectors, group.layers, group.ws_indices)
    whole = styles.sum(axis=1)
    shares = styles / np.where(whole > 0, whole, 1)[:, None]
    cells = "layer" if how.sharpen == "layers" else "cell of the pictures"
    caveats = [f"no {cells} separates directions {i} and {j}: {ONLY_THE_SPACE}" for i, j in sharp.equal]
    if len(sharp.vectors) < POOL:
        kind = "sharp" if inside is None else "local"
        caveats.append(f"there are {len(sharp.vectors)} {kind} directions: the codes vary in no more dimensions")
    if inside is not None and inside.max() < 1 - LEAK:
        caveats.append(
            f"no direction changes the region alone: {inside.max():.0%} of the change of direction {inside.argmax()} "
            "is inside"
        )
    return Directions.of(
        sharp.vectors,
        whole,
        group.ws_indices,
        strengths=sharp.strengths.tolist(),
        shares=[tuple(row) for row in shares.round(4).tolist()],
        inside=() if inside is None else inside.round(4).tolist(),
        scores=scored,
        region="" if how.region is None else str(how.region),
        label=str(how.labelled(group.label)),
        layer_names=tuple(layer.name for layer in group.layers),
        normalize=False,
        torgb="always",
        sharpen=how.sharpen,
        found_with=found_with,
        caveats=tuple(caveats),
        **source,
    )
