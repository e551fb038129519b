"""Local directions of a rectangle that is drawn over the picture: found in the background, then sliders like others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from ..directions.factorization import Factorisation
from ..directions.region import Region
from ..runs.settings import SettingsError, Wanted, settings_checked
from .network import Network
from .state import Id, Sent
from .turns import Stopped, Turns
from .work import Work

LAYERS = "all"  # whose directions are found


class Drawn(Sent, frozen=True):
    """A rectangle, as ``--region`` has it: x, y, width and height in parts of the picture's sides."""

    network: Id
    region: Annotated[str, Meta(max_length=100)]


@dataclass(eq=False)
class Search(Work):
    """A search for the directions of a region, which goes on while nobody else renders.

    Attributes:
        layers: the group of layers that has their sliders, once they are found.
        turns: those of visitors.
    """

    layers: str = ""
    turns: Turns = field(default_factory=Turns)

    def expect(self, pictures: int) -> None:
        """The amount of work is known."""
        super().expect(pictures)
        self.turns.wait_for_calm(self.cancelled.is_set)

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""
        super().advance(pictures)
        self.turns.wait_for_calm(self.cancelled.is_set)


class Regions:
    """The searches of a studio, one at a time, while nobody waits for a picture.

    Args:
        turns: those of visitors.
        log: called with one line on what failed.
        explain: an error as one line.
    """

    def __init__(self, turns: Turns, log: Callable[[str], None], explain: Callable[[BaseException], str]) -> None:
        self._turns, self._log, self._explain = turns, log, explain
        self._thread = ThreadPoolExecutor(1, "studio-region")
        self.last: dict[str, Search] = {}  # of each network, by its id

    def start(self, network: Network, region: str) -> Search:
        """Find the local directions of a region.

        Raises:
            SettingsError: it is no region, the network gives no pictures, or another search is on its way.
        """
        if any(not one.is_over for one in self.last.values()):
            raise SettingsError("another region is being searched; cancel that first")
        with settings_checked():
            how = Factorisation(LAYERS, sharpen="region", region=_rectangle(region))
        made = self.last[network.id] = Search(layers=str(how.labelled(LAYERS)), turns=self._turns)
        self._thread.submit(self._find, made, network, how)
        return made

    def cancel(self, network: Network) -> None:
        """Stop the search of a network; what was rendered is kept, and a later search goes on from there."""
        if network.id in self.last:
            self.last[network.id].cancelled.set()

    def close(self) -> None:
        """Stop."""
        for one in self.last.values():
            one.cancelled.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _find(self, made: Search, network: Network, how: Factorisation) -> None:
        try:
            made.state = "running"
            self._turns.share_threads()
            (found,) = network.session.directions(how, Wanted(), network.folder, reporter=made)
            found.save()
            made.state = "done"
        except Stopped:
            made.state = "cancelled"
        except Exception as error:  # of any kind: the studio lives on
            made.state, made.message = "failed", self._explain(error)
            self._log(f"no directions of a region: {made.message}")


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
