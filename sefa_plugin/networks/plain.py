"""Plain generators, ``G(z)`` or ``G(z, c)``: how a module of any class is called, and what its pictures' numbers mean.

Nothing hangs on names. The widths of z and of a label are found by calling the module; the integers that it has as
attributes are tried like the widths of its weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

MAX_WIDTH = 1024  # of latents whose width no weight shows: chunks of z are narrower than z
MAX_LABELS = 32  # widths of labels that are tried, where no embedding shows their number
_LARGEST = 1 << 16  # of a number that may be a width
_ways: WeakKeyDictionary[nn.Module, PlainCall] = WeakKeyDictionary()  # found before: searching may take seconds


class CallError(Exception):
    """A module is no plain generator, or cannot be called as one; one line."""


class PlainCall(NamedTuple):
    """How a plain generator is called.

    Attributes:
        z_dim, c_dim: widths of a latent and of a label (number of classes; 0: it takes none).
        axes: 2 if z is ``[N, z_dim]``, 4 if it is ``[N, z_dim, 1, 1]``.
        labels: the second argument: '' (none), ``numbers`` ``[N, c_dim]``, or ``index`` ``[N]`` int64.
    """

    z_dim: int
    c_dim: int = 0
    axes: int = 2
    labels: str = ""

    def arguments(self, codes: Tensor) -> list[Tensor]:
        """The arguments for z, each followed by its label: ``[N, z_dim + c_dim]``."""
        z, c = codes[:, : self.z_dim], codes[:, self.z_dim :]
        given = [z if self.axes == 2 else z[:, :, None, None]]
        if self.labels:
            given.append(c if self.labels == "numbers" else c.argmax(dim=1))
        return given

    def labelled(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z ``[N, z_dim]`` with its labels behind it; of class 0 where none are given."""
        labels = torch.eye(1, self.c_dim).to(z).expand(len(z), -1) if c is None else c.to(z)
        return torch.cat([z, labels], dim=1)


@dataclass(frozen=True)
class _Widths:
    """Numbers that may be widths of z or of labels.

    Attributes:
        weights: sides of the weights, inputs first.
        all: these, and whole numbers that the modules have as attributes.
    """

    weights: tuple[int, ...]
    all: tuple[int, ...]

    @classmethod
    def of(cls, network: nn.Module) -> _Widths:
        shapes = [tuple(tensor.shape) for tensor in network.state_dict().values() if tensor.ndim >= 2]
        weights = _some(side for shape in shapes for side in (shape[1], shape[0]))
        inside = [number for part in network.modules() for number in _attributes(part)]
        return cls(weights, _some([*_attributes(network), *weights, *inside]))


def _attributes(module: nn.Module) -> list[int]:
    return [value for value in vars(module).values() if isinstance(value, int) and not isinstance(value, bool)]


def _some(numbers: Iterator[int] | Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for number in numbers if 0 < number < _LARGEST))


def find_call(
    network: nn.Module, call: Callable[[PlainCall, Tensor], Tensor], z_dim: int = 0, c_dim: int | None = None
) -> PlainCall:
    """Find how a network is called.

    Args:
        network: a module of any class.
        call: calls it, in a way, for codes ``[N, z_dim + c_dim]``; gives pictures ``[N, C, H, W]`` or raises.
        z_dim, c_dim: the widths that it has as attributes; 0 and None where it has none.

    Raises:
        CallError: no way gives a picture that depends on z, or several do.
    """
    places = [place for place in inspect.signature(network.forward).parameters.values() if place.kind in (0, 1)]
    needed = [place.name for place in places if place.default is place.empty]
    if len(needed) > 2:
        raise CallError(f"it needs {needed[2]!r}, an argument that is not known here: wrap it as G(z) or G(z, c)")
    if not places:
        raise CallError("it takes no latents")
    widths = _Widths.of(network)
    problem = [""]

    def works(way: PlainCall) -> bool:
        try:
            return _follows_z(way, call)
        except Exception as error:  # a stranger's code: any way but the right one may fail anyhow
            problem[0] = problem[0] or " ".join(f"{type(error).__name__}: {error}".split())[:150]
            return False

    known = _ways.get(network)
    if known is not None and z_dim in (0, known.z_dim) and c_dim in (None, known.c_dim) and works(known):
        return known
    if len(needed) < 2 and not (c_dim and len(places) > 1):
        ways = (PlainCall(z, axes=axes) for z in _latents(widths, z_dim) for axes in (2, 4))
        found = next((way for way in ways if works(way)), None)
    else:
        found = _labelled_way(network, works, widths, z_dim, c_dim)
    if found is None and z_dim:
        reason = f" ({problem[0]})" if problem[0] else ""
        raise CallError(f"called with z of {z_dim} numbers it gives no picture that depends on them{reason}")
    if found is None and c_dim is None and len(needed) > 1:
        raise CallError("it does not show the widths of z and of its labels: set its attributes z_dim and c_dim first")
    if found is None:
        raise CallError("it has no z_dim (size of its latents), and with latents of no size does it give a picture")
    _ways[network] = found
    return found


def _latents(widths: _Widths, z_dim: int) -> Sequence[int]:
    """Widths of z to try: the given one, or all."""
    return [z_dim] if z_dim else _some((*widths.all, *range(1, MAX_WIDTH + 1)))


def _labelled_way(
    network: nn.Module, works: Callable[[PlainCall], bool], widths: _Widths, z_dim: int, c_dim: int | None
) -> PlainCall | None:
    """The way to call a network with labels; None where there is none, or none that is the only one."""
    if c_dim is not None:
        kinds = ("numbers", "index") if c_dim else ("numbers",)
        ways = (PlainCall(z, c_dim, axes, kind) for z in _latents(widths, z_dim) for axes in (2, 4) for kind in kinds)
        return next((way for way in ways if works(way)), None)
    tables = [part for part in network.modules() if isinstance(part, nn.Embedding)]
    for classes in _some(table.num_embeddings for table in tables):
        # z may be concatenated with the embedding
        few = [width - table.embedding_dim for width in widths.weights for table in tables]
        ways = (
            PlainCall(z, classes, axes, "index")
            for z in ([z_dim] if z_dim else _some([*few, *_latents(widths, 0)]))
            for axes in (2, 4)
        )
        found = next((way for way in ways if works(way)), None)
        if found:
            return found
    for axes in (2, 4):
        if z_dim:
            labels = _some([*(width - z_dim for width in widths.weights), *widths.all])
            found = next((way for c in labels if works(way := PlainCall(z_dim, c, axes, "numbers"))), None)
            if found:
                return found
        else:
            some = widths.all[:MAX_LABELS]
            pairs = [PlainCall(z, c, axes, "numbers") for z in some for c in some]
            several = [way for way in pairs if works(way)]
            if several:
                return several[0] if len(several) == 1 else None
    return None


def _follows_z(way: PlainCall, call: Callable[[PlainCall, Tensor], Tensor]) -> bool:
    """Whether a way of calling gives pictures that depend on the first and on the last number of z."""
    code = way.labelled(torch.linspace(-1, 1, way.z_dim)[None] if way.z_dim > 1 else torch.ones(1, 1))
    picture = call(way, code)
    if picture.ndim != 4 or len(picture) != 1 or min(picture.shape[2:]) < 2 or not 1 <= picture.shape[1] <= 4:
        return False
    for place in (0, way.z_dim - 1):
        other = code.clone()
        other[0, place] += 2.0
        if torch.equal(call(way, other), picture):
            return False
    return True


class Shown(NamedTuple):
    """What the numbers of pictures mean: ``shown = numbers * scale + shift`` is from -1 to 1."""

    scale: float
    shift: float
    words: str


USUAL = Shown(1.0, 0.0, "-1 to 1")


def shown_range(pictures: Tensor) -> Shown:
    """The range of pictures ``[N, C, H, W]``: -1 to 1, 0 to 1, or 0 to 255."""
    low, high = float(pictures.min()), float(pictures.max())
    if low < -1e-3 * max(high, 1e-3):
        return USUAL
    return Shown(2.0, -1.0, "0 to 1") if high <= 1.001 else Shown(1 / 127.5, -1.0, "0 to 255")


def normalises_batches(network: nn.Module) -> bool:
    """Whether a network has batch normalisation in training mode: then a picture depends on the others of its batch."""
    kinds = nn.modules.batchnorm._BatchNorm
    return any(isinstance(part, kinds) and part.training for part in network.modules())
