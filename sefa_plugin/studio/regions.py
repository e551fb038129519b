"""Local directions of a rectangle that is drawn over the picture: found in the background, then sliders like others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ..directions.factorization import Factorisation
from ..directions.region import Region
from ..runs.settings import Wanted, settings_checked
from .network import Network
from .state import Id, Sent
from .turns import Turns
from .work import OneAtATime, Work

LAYERS = "all"  # whose directions are found


class Drawn(Sent, frozen=True):
    """A rectangle, as ``--region`` has it: x, y, width and height in parts of the picture's sides."""

    network: Id
    region: Annotated[str, Meta(max_length=100)]


class Search(Work):
    """A search for the directions of a region, which goes on while nobody else renders.

    Args:
        layers: the group of layers that has their sliders, once they are found.
        turns: those of visitors.
    """

    def __init__(self, layers: str, turns: Turns) -> None:
        super().__init__()
        self.layers, self._turns = layers, turns

    def expect(self, pictures: int) -> None:
        """The amount of work is known."""
        super().expect(pictures)
        self._turns.wait_for_calm(self.cancelled.is_set)

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""
        super().advance(pictures)
        self._turns.wait_for_calm(self.cancelled.is_set)


class Regions(OneAtATime[Search]):
    """The searches of a studio; what a cancelled one has rendered is kept, and a later one goes on from there."""

    def start(self, network: Network, region: str) -> Search:
        """Find the local directions of a region.

        Raises:
            SettingsError: it is no region, or another search is on its way.
        """
        with settings_checked():
            how = Factorisation(LAYERS, sharpen="region", region=_rectangle(region))
        made = Search(str(how.labelled(LAYERS)), self._turns)

        def find() -> None:
            (found,) = network.session.directions(how, Wanted(), network.folder, reporter=made)
            found.save()

        return self.begin(network, made, find)


def _rectangle(text: str) -> Region:
    """A region of four numbers; a browser names no files.

    Raises:
        ValueError: these are none, or enclose nothing.
    """
    try:
        left, top, width, height = map(float, text.split(","))
    except ValueError:
        raise ValueError(f"region {text!r:.60}: expected x,y,width,height from 0 to 1, like 0.3,0.6,0.4,0.2") from None
    return Region((left, top, width, height))
