"""From style layers, a generator or raw matrices to :class:`Directions`; the mathematics is in ``closed_form``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Union, overload

import numpy as np

from ..hook import StyleLayer
from ..networks.weights import finite
from ..system.processor import one_thread_each
from .closed_form import factorize_weights
from .directions import NO_SOURCE, SHARPEN, SPACES, Directions, Source
from .layers import TORGB, Label, LayerGroup, select_layers
from .region import Region
from .sharpening import Advance, check_order, nothing, sharpen_groups, with_scores

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..networks.generator import Generator
    from ..networks.opening import OpenNetwork

    Matrix = Union[np.ndarray, Tensor]
    GivenRegion = Union[str, os.PathLike[str], tuple[float, float, float, float], Region]
    Factorisable = Union[Generator, nn.Module, Sequence[StyleLayer], Sequence[Matrix], Mapping[str, Matrix]]


@dataclass(frozen=True)
class Factorisation:
    """How directions are found in a network.

    Attributes:
        layers: whose weights are factorised, see ``layers.select_layers``: ``all``, ``coarse``, ``0-1,5``...; several
            groups give several sets of directions.
        space: ``w``, or ``z`` for the first mapping layer (``layers`` is then ``all``).
        normalize: scale the rows of the weights to unit length, as the authors do.
        torgb: which ToRGB layers are included: ``last``, ``never`` or ``always``.
        sharpen: ``none`` for the paper's directions, ``layers`` or ``pictures``: see ``sharpening``. Rows are then
            taken as they are, and all ToRGB layers, whatever ``normalize`` and ``torgb`` say.
            ``region`` where there is one.
        code_samples: codes whose covariance sharpening needs, at least 16 for each dimension of w; None chooses.
        region: for local directions, which change the picture inside it; see ``local``.

    Raises:
        ValueError: an unknown space, ToRGB or way of sharpening, or one that does not fit the space.
    """

    layers: str = "all"
    space: str = "w"
    normalize: bool = True
    torgb: str = "last"
    sharpen: str = "none"
    code_samples: int | None = None
    region: Region | None = None

    def __post_init__(self) -> None:
        if self.region is not None:
            if self.sharpen not in ("none", "region"):
                raise ValueError("a region has directions of its own, found with pictures: leave sharpening out")
            object.__setattr__(self, "sharpen", "region")
        if self.sharpen == "region" and self.region is None:
            raise ValueError("sharpen 'region': give the region itself, like 0.3,0.6,0.4,0.2")
        if self.space not in SPACES or self.torgb not in TORGB or self.sharpen not in SHARPEN:
            given = f"space {self.space!r:.20}, torgb {self.torgb!r:.20}, sharpen {self.sharpen!r:.20}"
            raise ValueError(f"{given}: choose of {SPACES}, {TORGB} and {SHARPEN}")
        if self.sharpen != "none" and self.space == "z":
            several = "sharpening needs several" if self.region is None else "a region needs those of W"
            raise ValueError(f"space z factorises one layer, {several}: use space w")

    def labelled(self, layers: str) -> Label:
        """The label of the directions that are found so for a group of layers."""
        return Label(layers, self.sharpen, region="" if self.region is None else self.region.label)


def effective_weight(layer: StyleLayer, normalize: bool) -> np.ndarray:
    """The matrix that a layer contributes to ``A``: gains matter only where rows are not normalised."""
    if normalize:
        return np.asarray(layer.weight)
    return np.asarray(layer.weight, dtype=np.float64) * (layer.weight_gain * layer.style_gain)


def factorize_group(
    group: LayerGroup,
    how: Factorisation = Factorisation(),  # noqa: B008 - frozen
    num_directions: int | None = None,
    source: Source = NO_SOURCE,
) -> Directions:
    """Factorise the layers of one group in W.

    Raises:
        ValueError: a weight holds NaN, or too many directions are asked for.
    """
    names = tuple(layer.name for layer in group.layers)
    weights = [effective_weight(layer, how.normalize) for layer in group.layers]
    called = [f"layer {name}" for name in names]
    return _factorised(weights, called, how, num_directions, group.ws_indices, group.label, names, source)


def _factorize_mapping(
    layer: StyleLayer, z_dim: int, how: Factorisation, num_directions: int | None, source: Source
) -> Directions:
    """Factorise the first mapping layer in Z; of a conditional network only the columns of z are used."""
    weight = effective_weight(layer, how.normalize)[:, :z_dim]
    called, rows = [f"layer {layer.name}"], range(source["num_ws"])
    return _factorised([weight], called, how, num_directions, rows, "z", (layer.name,), source)


def _factorised(
    weights: Sequence[np.ndarray],
    called: Sequence[str],
    how: Factorisation,
    num_directions: int | None,
    rows: Sequence[int],
    label: str,
    layer_names: tuple[str, ...],
    source: Source,
) -> Directions:
    """The directions of matrices; ``called`` names them in errors."""
    factors = factorize_weights(weights, how.normalize, num_directions, called)
    return Directions.of(
        factors.vectors,
        factors.eigenvalues,
        rows,
        next_eigenvalue=factors.next_eigenvalue,
        label=label,
        layer_names=layer_names,
        space=how.space,
        normalize=how.normalize,
        torgb=how.torgb if how.space == "w" else "last",
        **source,
    )


OneGroup = Literal["all", "coarse", "middle", "fine", "input"]


@overload
def factorize(
    G_or_weights: Factorisable,
    layers: OneGroup = "all",
    space: str = "w",
    normalize: bool = True,
    torgb: str = "last",
    num_directions: int | None = None,
    sharpen: str = "none",
    code_samples: int | None = None,
    region: GivenRegion | None = None,
    folder: str | os.PathLike[str] | None = None,
    order: str = "strength",
) -> Directions: ...
@overload
def factorize(
    G_or_weights: Factorisable,
    layers: str,
    space: str = "w",
    normalize: bool = True,
    torgb: str = "last",
    num_directions: int | None = None,
    sharpen: str = "none",
    code_samples: int | None = None,
    region: GivenRegion | None = None,
    folder: str | os.PathLike[str] | None = None,
    order: str = "strength",
) -> Directions | list[Directions]: ...
def factorize(
    G_or_weights: Factorisable,
    layers: str = "all",
    space: str = "w",
    normalize: bool = True,
    torgb: str = "last",
    num_directions: int | None = None,
    sharpen: str = "none",
    code_samples: int | None = None,
    region: GivenRegion | None = None,
    folder: str | os.PathLike[str] | None = None,
    order: str = "strength",
) -> Directions | list[Directions]:
    """Find the editing directions of a generator, or of raw weight matrices.

    Args:
        G_or_weights: a generator of ``load_network``, or any in memory with ``mapping`` and ``synthesis``; or a
            list of ``StyleLayer``; or a list, or a dict by name, of matrices ``[channels, dim]`` (matrix i then
            stands for ws index i, its gains are already applied, and ``layers`` must be ``all``).
        layers: see ``layers.select_layers``: ``all``, ``middle``, ``0-3,5``; of several groups, ``coarse,middle`` or
            ``each``, a list with the directions of each is returned, in the order of the groups.
        space: ``w``, or ``z`` for the first mapping layer.
        normalize: scale the rows of the weights to unit length, as the authors do.
        torgb: ``last``, ``never`` or ``always``.
        num_directions: how many, the first in ``order``; None gives all.
        sharpen, code_samples: see :class:`Factorisation`; sharpening needs a generator.
        region: for local directions: ``"0.3,0.6,0.4,0.2"`` (x, y, width and height, 0 to 1), the same as a tuple, or
            the path of a picture that is white inside.
        folder: keeps the changes of pictures that a region needs; another region then takes seconds.
        order: ``strength``, or ``clean`` for sharp directions: those that do one thing first, numbered anew; see
            ``clean``.

    Raises:
        ValueError: an argument is out of range, or a weight holds NaN.
        HookError: the argument is no generator, or a generator that cannot be run.
    """
    found = factorize_groups(
        G_or_weights, layers, space, normalize, torgb, num_directions, sharpen, code_samples, region, folder, order
    )
    return found[0] if len(found) == 1 else found


def factorize_groups(
    G_or_weights: Factorisable,
    layers: str = "all",
    space: str = "w",
    normalize: bool = True,
    torgb: str = "last",
    num_directions: int | None = None,
    sharpen: str = "none",
    code_samples: int | None = None,
    region: GivenRegion | None = None,
    folder: str | os.PathLike[str] | None = None,
    order: str = "strength",
) -> list[Directions]:
    """As :func:`factorize`, always a list: the directions of each group of layers."""
    where = None if region is None else Region.of(region)
    how = Factorisation(layers, space, normalize, torgb, sharpen, code_samples, where)
    if space == "z" and layers != "all":
        raise ValueError("space z factorises the mapping network, which has no layers to choose")
    check_order(order, how.sharpen)
    source = NO_SOURCE
    if isinstance(G_or_weights, (Mapping, Sequence)):
        if how.sharpen != "none":
            raise ValueError("sharpening measures the codes of a generator: give one instead of its weights")
        pairs = G_or_weights.items() if isinstance(G_or_weights, Mapping) else enumerate(G_or_weights)
        named: dict[object, StyleLayer | Matrix] = dict(pairs)
        style = [layer for layer in named.values() if isinstance(layer, StyleLayer)]
        raw = len(style) < len(named)
        if space != "w" or (raw and layers != "all"):
            raise ValueError("raw matrices have neither layers to select nor a Z space")
        if raw:
            return [_factorize_matrices(named, how, num_directions)]
    else:
        from ..networks.style_layers import generator_of, mapping_layer, style_layers

        G = generator_of(G_or_weights)
        source = Source(network=G.sefa.name, digest=G.sefa.lineage or G.sefa.digest, num_ws=G.num_ws)
        if space == "z":
            return [_factorize_mapping(mapping_layer(G), G.z_dim, how, num_directions, source)]
        style = style_layers(G)
        if how.sharpen != "none":
            place = None if folder is None else Path(folder)
            found = sharpen_groups(style, G, how, source, folder=place)
            if order == "clean":
                found = [with_scores(held, G, folder=place) for held in found]
            return [held.chosen(held.in_order(order)).first(num_directions) for held in found]
    return _factorize_each(style, how, num_directions, source)


def factorize_network(
    opened: OpenNetwork,
    factorisation: Factorisation,
    num_directions: int | None = None,
    generator: Callable[[], Generator] | None = None,
    advance: Advance = nothing,
    folder: Path | None = None,
) -> list[Directions]:
    """Find the directions of an opened network: a set for each group of layers.

    The network is built only if directions are sharpened, whose pool is always found as a whole.

    Args:
        opened: the network; its weights are read now.
        factorisation: of which layers, and how.
        num_directions: how many, strongest first; None gives all.
        generator: gives its generator where one is needed; None builds it.
        advance, folder: see ``sharpening.sharpen_groups``.

    Raises:
        ValueError: the layers do not fit the network, or more directions are asked for than there are.
        HookError: a weight holds NaN or infinity.
        NetworkFileError: the file was written to since it was opened.
    """
    how, sizes, in_z = factorisation, opened.sizes, factorisation.space == "z"
    opened.check_unchanged()
    for layer in [*opened.layers, *([opened.mapping] if in_z else [])]:
        finite(opened.record.path, f"{layer.name}.weight", layer.weight)
    source = Source(network=opened.record.name, digest=opened.record.lineage, num_ws=sizes["num_ws"])
    if in_z:
        if how.layers != "all":
            raise ValueError(
                "space z factorises the mapping network, which has no layers to choose; leave --layers out"
            )
        return [_factorize_mapping(opened.mapping, sizes["z_dim"], how, num_directions, source)]
    if how.sharpen != "none":
        if generator is None:
            from ..networks.building import build_network

            generator = partial(build_network, opened)
        return sharpen_groups(opened.layers, generator(), how, source, advance, folder)
    return _factorize_each(opened.layers, how, num_directions, source)


def _factorize_each(
    layers: Sequence[StyleLayer], how: Factorisation, num_directions: int | None, source: Source
) -> list[Directions]:
    """:func:`factorize_group` for all groups of layers, on as many cores as there are."""
    groups = select_layers(layers, how.layers, how.torgb)
    return one_thread_each(lambda group: factorize_group(group, how, num_directions, source), groups)


def _factorize_matrices(
    named: Mapping[object, StyleLayer | Matrix], how: Factorisation, num_directions: int | None
) -> Directions:
    names = [name if isinstance(name, str) else f"weight {name}" for name in named]
    # A tensor may be on another device, need a gradient, or be bfloat16, which NumPy lacks.
    tensors = [weight.detach().double().cpu() if hasattr(weight, "detach") else weight for weight in named.values()]
    weights, rows = [np.asarray(tensor) for tensor in tensors], range(len(names))
    return _factorised(weights, names, how, num_directions, rows, "all", tuple(names), NO_SOURCE)
