"""Cache of the features before the first layer that an edit changes, reused from frame to frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Optional

from torch import Tensor

ROOM = 1 << 30  # bytes
Features = tuple[Optional[Tensor], Optional[Tensor]]  # of the last stage, and the picture so far


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
        self._held: OrderedDict[Hashable, Features] = OrderedDict()
        self._bytes = 0

    def deepest(self, ends: Sequence[int]) -> int:
        """Number of unchanged stages; ``ends``: for each, the number of rows that it and earlier ones use."""
        return sum(end <= self.first for end in ends)

    def features(self, rows: Tensor, key: Hashable, compute: Callable[[], Features]) -> Features:
        """Features that were computed before for the same ``rows`` ``[N, n, w_dim]`` and key, or are now.

        They must not be changed.
        """
        key = (rows.detach().cpu().contiguous().numpy().tobytes(), key)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        made = self._held[key] = compute()
        self._bytes += _size(made)
        while self._bytes > self.room:
            self._bytes -= _size(self._held.popitem(last=False)[1])
        return made


def _size(features: Features) -> int:
    return sum(
        t.untyped_storage().nbytes() if hasattr(t, "untyped_storage") else t.numel() * 4
        for t in features
        if t is not None
    )
