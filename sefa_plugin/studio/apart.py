"""Two directions that a person wants apart: pictures to mark on the page, and the slider that the marks give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta

from ..directions.kept import files_of, keep
from ..directions.layers import Label
from ..media.pictures import side_by_side
from ..runs.apart import FOLDER, Marks, apart, file_of, mark, marks_of, pictures_of, read_marks
from ..runs.settings import SettingsError
from .network import Network, as_jpeg
from .state import Id, Layers, Place, Sent
from .turns import Patient
from .work import OneAtATime, Work


class Pair(Sent, frozen=True):
    """Two directions of a group of layers: the one that is changed, and the one that it is to leave out."""

    network: Id
    layers: Layers
    first: Place
    second: Place


class Marked(Sent, frozen=True):
    """Which of the pictures changed what is wanted and nothing else; the others did not."""

    network: Id
    wanted: Annotated[tuple[Annotated[int, Meta(ge=0, lt=10_000)], ...], Meta(max_length=10_000)]


class Found(NamedTuple):
    """What marks gave.

    Attributes:
        layers: the group of layers that has the slider; '' where the direction stays as it is.
        line: that in words.
    """

    layers: str
    line: str


class Marking(Work):
    """The pictures of two directions, each before and after, as JPEGs."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self.pictures: tuple[bytes, ...] = ()


class Pairs(OneAtATime[Marking]):
    """The directions of a studio that are taken apart, one pair of each network at a time."""

    def start(self, network: Network, pair: Pair) -> Marking:
        """Render the pictures of two directions.

        Raises:
            SettingsError: there are no such directions, or other pictures are on their way.
        """
        group, numbers = network.group(pair.layers), (pair.first, pair.second)
        if pair.first == pair.second or Label.of(pair.layers).apart:
            raise SettingsError("two directions of one set are taken apart")
        for number in numbers:
            group.directions.index(number)
        made = Marking(pair)

        def render() -> None:
            engine = Patient(network.session.engine(), self._turns, made.cancelled.is_set)
            marks = marks_of(network.session, group, numbers, network.folder / FOLDER, engine, made)
            pictures = pictures_of(group, marks, engine, made)
            made.pictures = tuple(as_jpeg(side_by_side(both)) for both in pictures)

        return self.begin(network, made, render)

    def marks(self, network: Network) -> Marks:
        """The marks of the last pair of a network.

        Raises:
            SettingsError: there are no pictures, or their file cannot be read.
        """
        return read_marks(self._file(network))

    def mark(self, network: Network, wanted: tuple[int, ...]) -> Marks:
        """Mark the pictures of the last pair.

        Raises:
            SettingsError: there are fewer pictures.
            OSError: the file cannot be written.
        """
        return mark(self._file(network), wanted)

    def make(self, network: Network) -> Found:
        """The first direction apart from the second, by the marks, kept in a file.

        Raises:
            SettingsError: the marks are too few, or all alike.
            OSError: the file cannot be written.
        """
        pair = self._done(network).pair
        group = network.group(pair.layers)
        made, amount = apart(network.session, group, (pair.first, pair.second), self.marks(network))
        between = f"{amount.low:+.2f} to {amount.high:+.2f} with 90 %"
        if not amount.value:
            return Found("", f"It stays as it is: the marks do not show whether {pair.second} helps ({between})")
        (file,) = files_of([made], network.folder)
        keep(made, file)
        layers = Label.of(made.label).of_layers
        network.forget(layers)
        return Found(layers, f"Direction {pair.first} with {amount.value:+.2f} of {pair.second} ({between})")

    def _file(self, network: Network) -> Path:
        pair = self._done(network).pair
        return file_of(network.group(pair.layers), (pair.first, pair.second), network.folder / FOLDER)

    def _done(self, network: Network) -> Marking:
        made = self.last.get(network.id)
        if made is None or made.state != "done":
            raise SettingsError("there are no pictures to mark yet")
        return made
