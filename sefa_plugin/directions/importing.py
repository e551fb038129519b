"""Make ``Directions`` of what another tool's file holds: layers, space, lengths, names, and remarks on losses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .closed_form import stack
from .directions import Directions
from .factorization import effective_weight
from .foreign_files import FormatError, Found
from .keys import parse_numbers
from .layers import Label, one_group
from .names import check_name

if TYPE_CHECKING:
    from ..hook import StyleLayer

_MOST_ROWS = 1000


@dataclass(frozen=True)
class Target:
    """The network that directions are for.

    Attributes:
        name, digest: of the network, '' where none is given.
        w_dim, z_dim, num_ws: its sizes, 0 where they are not known.
        layers, mapping: its style layers and its first mapping layer.
    """

    name: str = ""
    digest: str = ""
    w_dim: int = 0
    z_dim: int = 0
    num_ws: int = 0
    layers: tuple[StyleLayer, ...] = ()
    mapping: StyleLayer | None = None


def assemble(
    found: Found,
    path: str,
    target: Target,
    *,
    layers: str | None = None,
    space: str | None = None,
    normalize: bool = True,
) -> tuple[Directions, list[str]]:
    """Make ``Directions`` of what a file holds.

    The order is the file's. Directions get unit length; those with a row for each layer get a mean square of 1 over
    their rows, so that distances are comparable. Rows that change nothing are left out.

    Args:
        found: of ``read_foreign``.
        path: of the file; its name becomes the label.
        target: the network; from its style layers eigenvalues that the file lacks are computed (``|A n|^2`` of the
            layers that are edited; CVPR 2021, section 2.2).
        layers: rows that edits change, as typed: a selection of the network (``middle``), or numbers (``0-7``).
            None takes the file's, else all.
        space: ``w`` or ``z``; None takes the file's, else ``w``.
        normalize: scale rows of the weights to unit length where eigenvalues are computed.

    Returns:
        The directions, and one-line remarks.

    Raises:
        FormatError: the rows to edit are not known, or sizes do not agree.
        ValueError: ``layers`` cannot be read.
    """
    guessed = space is None and found.space is None
    space = space or found.space or "w"
    remarks = list(found.notes)
    if found.space not in (None, space):
        remarks.append(f"the file's directions are of {found.space.upper()}; they are taken as of {space.upper()}")
    vectors, sigmas = found.vectors, found.sigmas
    dim = target.w_dim if space == "w" else target.z_dim
    if dim and vectors.shape[-1] != dim:
        other = {"w": "z", "z": "w"}[space]
        fits = vectors.shape[-1] == (target.z_dim if other == "z" else target.w_dim)
        raise FormatError(
            f"{path}: holds directions of {vectors.shape[-1]} components, {space.upper()} of {target.name} has {dim}"
            + (f"; --space {other} takes them as of {other.upper()}" if fits else "")
        )
    if guessed and target.name and layers is None and vectors.ndim == 2 and vectors.shape[-1] == target.z_dim:
        remarks.append("the file does not say whether it is of W or Z: taken as of W; --space z takes it as of Z")
    rows, vectors = _rows(found, path, target, layers, space)
    left_out = {layer.ws_index for layer in target.layers if layer.kind == "input"} - set(rows)
    if space == "w" and left_out and layers is None and found.layers is None and vectors.ndim == 2:
        remarks.append(
            f"layer {min(left_out)}, which moves the picture as a whole, is left out; "
            f"--layers 0-{target.num_ws - 1} takes it along"
        )
    each = (-1, *[1] * (vectors.ndim - 1))
    largest = np.abs(vectors).reshape(len(vectors), -1).max(axis=1)
    vectors = vectors / largest.reshape(each)  # squares of tiny numbers would be 0
    lengths = np.sqrt(np.square(vectors).sum(axis=-1))
    lengths = np.sqrt(np.square(lengths).mean(axis=1)) if vectors.ndim == 3 else lengths
    vectors = vectors / lengths.reshape(each)
    lengths = lengths * largest
    if np.abs(lengths - 1).max() > 1e-3:
        remarks.append(_about_lengths(lengths))
    values = _responses(vectors, rows, space, target, normalize) if found.eigenvalues is None else found.eigenvalues
    above = np.flatnonzero(np.diff(values) > 1e-6 * np.abs(values).max()) + 1
    if found.eigenvalues is not None and len(above):
        remarks.append(
            f"its eigenvalues are not descending (number {above[0]} is above the one before): the file's order is "
            f"kept; the strongest is number {values.argmax()}"
        )
    made = Directions.of(
        vectors,
        values,
        rows,
        label=_label(path),
        space=space,
        normalize=normalize,
        network=target.name,
        digest=target.digest,
        num_ws=target.num_ws or (found.vectors.shape[1] if found.vectors.ndim == 3 else 0),
        names=_names(found.names, len(vectors)),
        sigmas=() if sigmas is None else tuple(map(float, sigmas)),
        origin=found.kind,
    )
    return made, remarks


def _rows(
    found: Found, path: str, target: Target, layers: str | None, space: str
) -> tuple[tuple[int, ...], np.ndarray]:
    """Rows that edits change, and the directions without the rows that change nothing."""
    vectors = found.vectors
    if space == "z":
        if vectors.ndim == 3 or layers:
            raise FormatError(f"{path}: directions of Z change z, which has no layers; use --space w")
        return tuple(range(target.num_ws)), vectors
    typed = _typed_rows(layers, target) if layers else None
    if vectors.ndim == 3:
        named = typed or tuple(range(vectors.shape[1]))
        if len(named) != vectors.shape[1]:
            raise FormatError(f"{path}: holds edits with {vectors.shape[1]} rows, --layers names {len(named)}")
        changed = np.flatnonzero(vectors.any(axis=(0, 2)))
        return tuple(named[place] for place in changed), vectors[:, changed]
    rows = typed or found.layers
    if rows is None and target.num_ws:
        rows = _typed_rows("all", target)
    if rows is None:
        raise FormatError(
            f"{path}: does not say which layers its directions change; give --network, or --layers like 0-17"
            + ("" if len(vectors) < 2 else " (or --rows layers, if it is one edit with a row for each)")
        )
    if target.num_ws and max(rows) >= target.num_ws:
        raise FormatError(f"{path}: changes layer {max(rows)}, {target.name} has 0-{target.num_ws - 1}")
    return rows, vectors


def _typed_rows(layers: str, target: Target) -> tuple[int, ...]:
    if re.fullmatch(r"[\s\d,-]+", layers):
        return tuple(sorted(set(parse_numbers(layers, "layer", (target.num_ws or _MOST_ROWS) - 1))))
    if not target.layers:
        raise ValueError(f"layers {layers!r}: names like these need --network; without it give numbers like 0-7")
    return one_group(target.layers, layers).ws_indices


def _about_lengths(lengths: np.ndarray) -> str:
    low, high = lengths.min(), lengths.max()
    span = f"{high:.4g}" if np.allclose(low, high, rtol=1e-3) else f"{low:.3g} to {high:.3g}"
    return f"of unit length now: a step of 1 in the file is a distance of {span} here"


def _responses(vectors: np.ndarray, rows: tuple[int, ...], space: str, target: Target, normalize: bool) -> np.ndarray:
    """``|A n|^2`` of each direction over the edited layers, ``[k]``; 0 where no network is given."""
    total = np.zeros(len(vectors))
    if space == "z":
        weights = [] if target.mapping is None else [(0, target.mapping)]
    else:
        last = max((layer.ws_index for layer in target.layers), default=-1)
        weights = [
            (layer.ws_index, layer)
            for layer in target.layers
            if layer.kind == "conv" or (layer.kind == "torgb" and layer.ws_index == last)
        ]
    for row, layer in weights:
        if space == "w" and row not in rows:
            continue
        A = stack([effective_weight(layer, normalize)[:, : vectors.shape[-1]]], normalize, [layer.name])
        step = vectors[:, rows.index(row)] if vectors.ndim == 3 else vectors
        total += np.square(step @ A.T).sum(axis=1)
    return total


def _label(path: str) -> str:
    """The file's name in letters fit for labels; ``file-`` comes first where it would read like layers."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(path).stem).strip("-_.")[:100] or "imported"
    return f"file-{stem}" if Label.of(stem).is_selection else stem


def _names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Valid names: commas and control characters replaced by spaces; '' for a number or a repeated name."""
    fit: list[str] = []
    for name in names[:count]:
        plain = "".join(letter if letter.isprintable() else " " for letter in name.replace(",", " "))
        plain = " ".join(plain.split())[:100].strip()
        try:
            check_name(plain)
        except ValueError:
            plain = ""
        fit.append("" if plain in fit else plain)
    return tuple(fit) + ("",) * (count - len(fit))
