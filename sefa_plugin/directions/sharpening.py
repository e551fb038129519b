"""Sharp directions of a generator: from its weights, or from its weights and a few pictures; see ``sharp``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..hook import StyleLayer
from .closed_form import stack
from .codes import PER_DIMENSION, covariance, enough
from .directions import Directions
from .layers import Label, LayerGroup, select_layers
from .sharp import POOL, Sharp, rotated, scales, sharpen
from .ties import ONLY_THE_SPACE

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from .factorization import Source

Advance = Callable[[int], None]


def nothing(pictures: int) -> None:
    """Ignore that pictures have been rendered."""


def sharpen_groups(
    layers: Sequence[StyleLayer],
    G: Generator,
    spec: str,
    way: str,
    code_samples: int | None,
    source: Source,
    advance: Advance = nothing,
    folder: Path | None = None,
) -> list[Directions]:
    """Find the sharp directions of groups of layers: the whole pool of each.

    Args:
        layers: all style layers of the network, with all their ToRGBs.
        G: its generator; ``layers`` maps codes with it, ``pictures`` also renders.
        spec: which layers, as ``select_layers`` takes them.
        way: ``layers`` or ``pictures``.
        code_samples: how many codes their covariance is found from; None chooses.
        source: the network.
        advance: called with the number of pictures whenever some have been rendered.
        folder: where measurements of pictures are kept until they are complete, so that an interrupted run goes on;
            None keeps none.

    Raises:
        ValueError: the layers do not fit the network, there is nothing to sharpen, or too few codes are asked for.
    """
    least = PER_DIMENSION * G.w_dim
    samples = code_samples or enough(G.w_dim)
    if samples < least:
        each = f"{PER_DIMENSION} for each of {G.w_dim} dimensions of w"
        raise ValueError(f"{samples} code samples: at least {least} are needed, {each}")
    groups = select_layers(layers, spec, "always")
    varied = covariance(G, samples)
    found = []
    for group in groups:
        matrices = [np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain for layer in group.layers]
        if way == "layers":
            sharp, found_with = sharpen(matrices, varied), f"{samples} codes"
        else:
            sharp, pictures = _by_pictures(G, group, varied, source, advance, folder)
            found_with = f"{samples} codes, {pictures} pictures"
        found.append(_directions(group, matrices, sharp, way, found_with, source))
    return found


def _by_pictures(
    G: Generator, group: LayerGroup, varied: np.ndarray, source: Source, advance: Advance, folder: Path | None
) -> tuple[Sharp, int]:
    from .picture_grams import SAMPLES, picture_grams

    basis = scales(varied)[:, :POOL]
    about = repr((source.digest, group.ws_indices)).encode() + basis.astype(np.float32).tobytes()
    file = None if folder is None else folder / f".sharpening-{hashlib.sha256(about).hexdigest()[:12]}.npz"
    grams = picture_grams(G, basis, group.ws_indices, advance=advance, file=file)
    return rotated(basis, grams), 2 * basis.shape[1] * SAMPLES


def _directions(
    group: LayerGroup, matrices: Sequence[np.ndarray], sharp: Sharp, way: str, found_with: str, source: Source
) -> Directions:
    stack(matrices, normalize=False)  # refuses NaN
    styles = np.stack([np.square(sharp.vectors @ matrix.T).sum(axis=1) for matrix in matrices], axis=1)  # [k, layers]
    whole = styles.sum(axis=1)
    of_row = np.array([[layer.ws_index == row for layer in group.layers] for row in group.ws_indices])  # [rows, layers]
    shares = styles @ of_row.T / np.where(whole > 0, whole, 1)[:, None]
    cells = "layer" if way == "layers" else "cell of the pictures"
    caveats = [f"directions {i} and {j} are told apart by no {cells}: {ONLY_THE_SPACE}" for i, j in sharp.equal]
    if len(sharp.vectors) < POOL:
        caveats.append(f"there are {len(sharp.vectors)} sharp directions: the codes vary in no more dimensions")
    return Directions.of(
        sharp.vectors,
        whole,
        group.ws_indices,
        strengths=sharp.strengths.tolist(),
        shares=[tuple(row) for row in shares.round(4).tolist()],
        label=str(Label(group.label, way)),
        layer_names=tuple(layer.name for layer in group.layers),
        normalize=False,
        torgb="always",
        sharpen=way,
        found_with=found_with,
        caveats=tuple(caveats),
        network=source.network,
        digest=source.digest,
        num_ws=source.num_ws,
    )
