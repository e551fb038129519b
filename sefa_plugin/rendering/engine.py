"""Where pictures are made: an engine takes shards and gives pictures. The usual one is ``local``, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .arithmetic import Arithmetic
from .shards import Shard, View

if TYPE_CHECKING:
    from ..directions.directions import Directions


class Engine(Protocol):
    """Makes pictures of one network, in this process or elsewhere; results depend on the arguments alone."""

    def pictures(self, view: View, shard: Shard) -> Iterator[np.ndarray]:
        """uint8 ``[H, W, C]`` for each shot of a shard, in their order.

        Raises:
            FramesError: the network gives NaN or infinite pixels.
            ValueError: view or edits do not fit the network.
        """

    def latents(self, view: View, shard: Shard) -> np.ndarray:
        """The ws of each shot, float32 ``[N, num_ws, w_dim]``."""

    def spread(self, view: View, directions: Directions) -> np.ndarray:
        """Standard deviation of the latent code along each direction; see ``Scene.spread_along``."""

    def arithmetic(self, view: View) -> Arithmetic:
        """How this engine computes pictures of a view."""
