"""Names and notes of directions: the rules for them, and the source of names (a person or re-scoring)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Optional

NAMERS = ("", "person", "auto")
LONGEST_NOTE = 1000


class Past(NamedTuple):
    """What a direction had before a change: the fields of ``Direction`` that a person sets."""

    place: int
    name: str = ""
    named_by: str = ""
    purity: Optional[float] = None
    starred: bool = False
    note: str = ""


class Names(NamedTuple):
    """One entry for each direction.

    Attributes:
        names: '' where there is none.
        named_by: ``person``, ``auto`` (re-scoring), or '' where there is no name.
        purity: of a name of ``auto``, the share of all measured change in its attributes, 0 to 1; else None.
    """

    names: tuple[str, ...]
    named_by: tuple[str, ...]
    purity: tuple[float | None, ...]

    def by_person(self, index: int, name: str) -> Names:
        """These names with one set by a person; '' removes it.

        A direction that had this name from re-scoring loses it; the next re-scoring gives it another one.

        Raises:
            ValueError: a person has given it to another direction.
        """
        held = dict(enumerate(zip(*self)))
        if name and name in self.names and self.names.index(name) != index:
            other = self.names.index(name)
            if self.named_by[other] == "person":
                raise ValueError(f"direction {other} is already called {name!r}")
            held[other] = ("", "", None)
        held[index] = (name, "person" if name else "", None)
        return Names(*zip(*held.values()))

    def taking(self, others: Names, typed: Collection[int] = ()) -> Names:
        """These names, replaced by those of ``others`` where there are any, except ``typed`` ones; each name once."""
        held = [
            mine if place in typed or not theirs[0] else theirs
            for place, (mine, theirs) in enumerate(zip(zip(*self), zip(*others)))
        ]
        held += list(zip(*self))[len(held) :]
        return Names(*zip(*held)).unique(typed)

    def unique(self, first: Collection[int] = ()) -> Names:
        """Each name once: of equal ones that of the ``first`` directions is kept, or that of the smallest number."""
        held = list(zip(*self))
        seen: set[str] = set()
        for place in sorted(range(len(held)), key=lambda place: (place not in first, place)):
            if held[place][0] in seen:
                held[place] = ("", "", None)
            seen.add(held[place][0])
        return Names(*zip(*held))

    def automatic(self, found: Mapping[int, tuple[str, float]], measured: Iterable[int]) -> Names:
        """These names with those of re-scoring: ``(name, purity)`` by direction.

        A person's names stay. A name that is in use already gets a number appended, in the order of ``found``.
        ``measured`` directions that get no new name lose an earlier automatic one.
        """
        held = dict(enumerate(zip(*self)))
        for index in measured:
            if held[index][1] == "auto":
                held[index] = ("", "", None)
        for index, (name, share) in found.items():
            if held[index][1] == "person":
                continue
            taken = {item[0] for item in held.values()}
            spare = itertools.chain([name], (f"{name} {count}" for count in itertools.count(2)))
            held[index] = (next(text for text in spare if text not in taken), "auto", float(share))
        return Names(*zip(*held.values()))


def check_name(name: str) -> None:
    """Check the name of a direction: it can be typed wherever a number can.

    Raises:
        ValueError: it holds a comma or a line break, looks like a number or a range, or is over 100 letters.
    """
    if "," in name or not name.isprintable():
        raise ValueError(f"the name {name!r:.40} holds a comma or a line break")
    if re.fullmatch(r"[\s\d+-]+", name) or name != name.strip() or len(name) > 100:
        raise ValueError(f"the name {name!r:.40} is a number, begins or ends with a space, or is over 100 letters")


def check_note(note: str) -> None:
    """Check the note of a direction: one line.

    Raises:
        ValueError: it holds a line break, or is over ``LONGEST_NOTE`` letters.
    """
    if not note.isprintable() or len(note) > LONGEST_NOTE:
        raise ValueError(f"the note {note!r:.40} holds a line break, or is over {LONGEST_NOTE} letters")
