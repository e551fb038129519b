"""Cache of the features before the first layer that an edit changes, reused from frame to frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from torch import Tensor

ROOM = 1 << 30  # bytes


class Prefixes:
    """Features of earlier calls of a synthesis network, by the rows of ws that they depend on.

    Passed to ``synthesis(ws, prefixes=...)`` for the frames of one schedule; invalid after other changes of the network
    (weights, noise, input transform, precision).

    Args:
        first: index of the first row of ws that changes from frame to frame.
        room: bytes that are kept; the least recently used features are dropped.
    """

    def __init__(self, first: int, room: int = ROOM) -> None:
        self.first = first
        self.room = room
        self._held: OrderedDict[Hashable, tuple[Tensor | None, ...]] = OrderedDict()
        self._bytes = 0

    def deepest(self, ends: Sequence[int]) -> int:
        """Number of unchanged stages; ``ends``: for each, the number of rows that it and earlier ones use."""
        return sum(end <= self.first for end in ends)

    def key(self, ws: Tensor, end: int, *more: Hashable) -> Hashable:
        """Cache key of the features after some stages: the first ``end`` rows of ``[N, num_ws, w_dim]``."""
        return (ws[:, :end].detach().cpu().contiguous().numpy().tobytes(), *more)

    def get(self, key: Hashable) -> tuple[Tensor | None, ...] | None:
        """The features, or None; do not write to them."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
        return held

    def put(self, key: Hashable, *features: Tensor | None) -> None:
        """Store tensors (or Nones), which must not be changed afterwards."""
        self._held[key] = features
        self._bytes += _size(features)
        while self._bytes > self.room:
            self._bytes -= _size(self._held.popitem(last=False)[1])


def _size(features: tuple[Tensor | None, ...]) -> int:
    return sum(
        t.untyped_storage().nbytes() if hasattr(t, "untyped_storage") else t.numel() * 4
        for t in features
        if t is not None
    )
