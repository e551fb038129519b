"""What an edit leaves as it was: the features before the first layer that it touches, kept from frame to frame."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from torch import Tensor

ROOM = 1 << 30  # bytes


class Prefixes:
    """Features of earlier calls of a synthesis network, by the latents that they depend on.

    Handed to ``synthesis(ws, prefixes=...)`` with each frame of one schedule; not across other changes of a network
    (weights, noise, input transform, precision).

    Args:
        first: index of the first row of ws that changes from frame to frame.
        room: bytes that are kept; beyond them the ones longest unused go.
    """

    def __init__(self, first: int, room: int = ROOM) -> None:
        self.first = first
        self.room = room
        self._held: OrderedDict[Hashable, tuple[Tensor | None, ...]] = OrderedDict()
        self._bytes = 0

    def deepest(self, ends: Sequence[int]) -> int:
        """How many stages of a network are unchanged; ``ends`` gives how many rows each and those before it need."""
        return sum(end <= self.first for end in ends)

    def key(self, ws: Tensor, end: int, *more: Hashable) -> Hashable:
        """What the features after some stages depend on: the first ``end`` rows of ``[N, num_ws, w_dim]``."""
        return (ws[:, :end].detach().cpu().contiguous().numpy().tobytes(), *more)

    def get(self, key: Hashable) -> tuple[Tensor | None, ...] | None:
        """The features, or None; they must not be written to."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
        return held

    def put(self, key: Hashable, *features: Tensor | None) -> None:
        """Keep tensors (or Nones), which must not be changed from now on."""
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
