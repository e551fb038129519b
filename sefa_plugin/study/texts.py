"""What the people of a study read: instructions, consent, thanks, and words that are suggested to them.

The instructions are those for all, then ``names`` where single clips are asked about, and ``pairs`` where pairs are.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..reading.json_file import read_bounded

LONGEST = 1 << 20  # bytes of a file of texts
SECTIONS = ("title", "instructions", "names", "pairs", "consent", "thanks", "suggestions")
USUAL = """\
# Title
What changes?

# Instructions
You will see short clips. In each clip one or more pictures change and change back, all in the same way. Watch it to its
end; it then plays again as often as you like.

There are no wrong answers, and some clips may come twice. You can go back and change an answer. You can stop at any
time and go on later, under the same name.

# Names
* Say in one or a few words what changes: hair colour, say, or where somebody looks. Your own words are best; the
suggestions are only there to save typing.
* Say how cleanly it changes, from 1 (many things change at once) to 5 (one thing changes, and nothing else).
* Some clips may not change at all: then choose "Nothing changes". If you are not sure, choose "I cannot tell".

# Pairs
* Where there are two clips, say in which of them one thing changes more cleanly, while everything else stays.

# Consent
Taking part is voluntary. You can stop whenever you like by closing this page, without giving a reason.

Stored are: the name that you type here, which need not be your own, your answers, when you gave them and how long each
took; and, where answers stay in your browser, a random number that tells two people of the same name apart. Nothing
else about you or your computer is stored, and nothing is sent to anybody but those who run this study.

# Thanks
Thank you! That was all.

# Suggestions
age
background
beard
brightness
colour
contrast
direction of view
expression
eyes
glasses
hair colour
hair length
head turn
lighting
mouth
position
rotation
shape
size
skin colour
smile
style
texture
"""


def read_texts(path: Path | None) -> dict[str, str]:
    """The texts by section; those that a file lacks are the usual ones.

    In the file a section begins with a line such as ``# Consent``. Paragraphs are separated by empty lines; lines that
    begin with ``*`` are the points of a list. Suggestions are a line each.

    Raises:
        ValueError: the file has no such section, or another one.
        OSError: it cannot be read.
    """
    held = _sections(USUAL)
    if path is None:
        return held
    try:
        found = _sections(read_bounded(path, LONGEST).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8") from None
    wrong = [name for name in found if name not in SECTIONS]
    if wrong or not found:
        what = f"has a section {wrong[0]!r:.40}" if wrong else "has no section"
        known = ", ".join(f"# {name.capitalize()}" for name in SECTIONS)
        raise ValueError(f"{path}: {what}; sections begin with a line of these: {known}")
    return {**held, **found}


def _sections(text: str) -> dict[str, str]:
    """Sections by their names in small letters."""
    parts = re.split(r"^#[ \t]*(.*)$", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return {name.strip().lower(): body.strip() for name, body in zip(parts[1::2], parts[2::2])}
