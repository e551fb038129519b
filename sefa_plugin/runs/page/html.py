"""The page: one HTML file that opens from disk, holds small pictures, and links to the large ones."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from ...media.pictures import as_rgb, fit
from ...system.whole_files import whole_file
from .matrix import Matrix, matrix_html
from .style import SCRIPT, STYLE

if TYPE_CHECKING:
    from PIL import Image

BUDGET = 15_000_000  # bytes of the whole page
SIZES = (256, 192, 128, 96, 64, 48)  # longest side of an embedded picture in pixels
FIRST_ROW_ONLY = (96, 64, 48)
QUALITY = 82
# Nothing is ever loaded from elsewhere; file: is the folder that the page lies in.
POLICY = (
    "default-src 'none'; img-src data: 'self' file:; media-src 'self' file:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)


@dataclass(frozen=True)
class Card:
    """One direction.

    Attributes:
        anchor: fit for an id, ``all-dir00``.
        title, name: ``Direction 3``, and a person's name for it or ``''``.
        words, where: what it changes and where, as measured.
        facts: pairs of a term and its value.
        command: makes it again.
        heat: uint8 RGB ``[h, w, 3]``, at most 64 pixels a side.
        rows: pictures uint8 ``[H, W, C]``, a row for each subject, a column for each distance.
        marked: the column of the unedited pictures.
        axes: what lies down and across.
        sheet, video: paths relative to the page, ``''`` where there is none.
    """

    anchor: str
    title: str
    name: str = ""
    words: tuple[str, ...] = ()
    where: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    command: str = ""
    heat: np.ndarray | None = None
    rows: Sequence[Sequence[np.ndarray]] = ()
    row_labels: Sequence[str] = ()
    column_labels: Sequence[str] = ()
    marked: int | None = None
    axes: str = "subjects down, distances across"
    sheet: str = ""
    video: str = ""

    @property
    def called(self) -> str:
        """Title and name."""
        return f"{self.title}: {self.name}" if self.name else self.title


@dataclass(frozen=True)
class Section:
    """One group of layers."""

    anchor: str
    title: str
    text: str
    cards: Sequence[Card]


def write_page(
    path: str | os.PathLike[str],
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    unedited: Sequence[tuple[str, np.ndarray]] = (),
    command: str = "",
    busy: bool = False,
    notes: Sequence[str] = (),
    matrices: Sequence[Matrix] = (),
) -> int:
    """Write the page; it appears whole or not at all.

    Args:
        path: ``index.html`` in the folder that the cards' paths are relative to.
        title, facts: of the network and the run.
        unedited: labels and pictures, uint8 ``[H, W, C]``.
        command: of the whole run.
        busy: whether more is to come, which the page then says.
        notes: further lines below the title.
        matrices: tables of scores.

    Returns:
        Bytes written, at most ``BUDGET``: pictures are embedded in the largest size that fits, and if
        none does, only the first row of each direction is.

    Raises:
        OSError: the place cannot be written; an older page stays.
    """
    trials = [(size, None) for size in SIZES] + [(size, 1) for size in FIRST_ROW_ONLY] + [(0, 0)]
    for size, rows in trials:
        if size and _too_large(sections, size, rows):
            continue
        text = _page(title, facts, sections, unedited, command, busy, notes, matrices, _Thumbnails(size), rows)
        data = text.encode("utf-8", "replace")
        if len(data) <= BUDGET:
            break
    with whole_file(path) as part:
        part.write_bytes(data)
    return len(data)


def _too_large(sections: Sequence[Section], size: int, rows: int | None) -> bool:
    """Whether a few pictures tell already that this size will not fit."""
    pictures = [one for section in sections for card in section.cards for row in card.rows[:rows] for one in row]
    sample = pictures[:: max(1, len(pictures) // 12)]
    make = _Thumbnails(size)
    return bool(sample) and sum(len(make(one)) for one in sample) / len(sample) * len(pictures) > BUDGET


class _Thumbnails:
    """Pictures as data addresses, at most ``size`` pixels a side."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: np.ndarray) -> str:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(fit(picture, self.size or 48)).save(file, "JPEG", quality=QUALITY)
        return _address(file.getvalue(), "jpeg")


def _address(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _page(
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    unedited: Sequence[tuple[str, np.ndarray]],
    command: str,
    busy: bool,
    notes: Sequence[str],
    matrices: Sequence[Matrix],
    thumbnail: Callable[[np.ndarray], str],
    rows: int | None,
) -> str:
    shown = [*notes]
    if busy:
        shown.insert(0, "More is being rendered; reload this page to see it.")
    if rows is not None:
        shown.append("To keep this page small, it shows only a part of each sheet; the sheets themselves are whole.")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f'<meta name="generator" content="sefa_plugin"><meta name="color-scheme" content="light dark">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>",
        f'<a class="skip" href="#directions">Skip to the directions</a><header><h1>{_text(title)}</h1>',
        _facts(facts),
        *(f'<p class="note" role="status">{_text(note)}</p>' for note in shown),
    ]
    if unedited:
        figures = "".join(
            f'<figure><img src="{thumbnail(picture)}" alt="{_text(label)}, unedited"><figcaption>{_text(label)}'
            "</figcaption></figure>"
            for label, picture in unedited
        )
        parts.append(f'<section aria-label="Unedited pictures"><div class="row">{figures}</div></section>')
    parts += [_command(command), "</header>", _contents(sections, bool(matrices)), '<main id="directions">']
    if matrices:
        tables = "".join(map(matrix_html, matrices))
        head = '<h2 id="scores">Attributes</h2>'
        parts.append(f'<section class="group" aria-labelledby="scores">{head}{tables}</section>')
    for section in sections:
        cards = "".join(_card(card, thumbnail, rows) for card in section.cards)
        head = f'<h2 id="{_text(section.anchor)}">{_text(section.title)}</h2><p class="about">{_text(section.text)}</p>'
        parts.append(f'<section class="group" aria-labelledby="{_text(section.anchor)}">{head}{cards}</section>')
    end = "Made by sefa_plugin. The method: Shen &amp; Zhou, Closed-Form Factorization of Latent Semantics, CVPR 2021."
    return "".join([*parts, f"</main><footer><p>{end}</p></footer><script>{SCRIPT}</script></body></html>\n"])


def _contents(sections: Sequence[Section], scores: bool) -> str:
    """Links to the scores, and to every direction, group by group."""
    groups = ['<div><a class="to" href="#scores">Attributes</a></div>'] if scores else []
    for section in sections:
        links = "".join(
            f'<li><a href="#{_text(card.anchor)}" aria-label="{_text(card.called)}">{_chip(card)}</a></li>'
            for card in section.cards
        )
        groups.append(
            f'<div><a class="to" href="#{_text(section.anchor)}">{_text(section.title)}</a><ul>{links}</ul></div>'
        )
    return f'<nav aria-label="Directions">{"".join(groups)}</nav>' if groups else ""


def _chip(card: Card) -> str:
    number = _text(card.title.replace("Direction ", ""))
    return f"{number} <bdi>{_text(card.name)}</bdi>" if card.name else number


def _card(card: Card, thumbnail: Callable[[np.ndarray], str], rows: int | None) -> str:
    name = f' <bdi class="name">{_text(card.name)}</bdi>' if card.name else ""
    parts = [
        f'<article id="{_text(card.anchor)}" aria-labelledby="{_text(card.anchor)}-title">',
        f'<h3 id="{_text(card.anchor)}-title">{_text(card.title)}{name}</h3>',
        '<div class="said">',
    ]
    if card.words:
        parts.append(f'<p class="words">Towards +: {_text(", ".join(card.words))}.</p>')
    elif card.heat is not None:
        parts.append('<p class="words none">No single measure says what it changes; look.</p>')
    parts += [_facts(card.facts), "</div>"]
    if card.heat is not None:
        file = io.BytesIO()
        _image(card.heat).save(file, "PNG")
        parts.append(
            f'<figure class="heat"><img src="{_address(file.getvalue(), "png")}" '
            f'alt="Map of where {_text(card.called)} changes pictures: {_text(card.where or "unknown")}">'
            f"<figcaption>Changes: {_text(card.where or 'see the map')}</figcaption></figure>"
        )
    parts += [_sheet(card, thumbnail, rows), _clip(card, thumbnail, rows), _command(card.command), "</article>"]
    return "".join(parts)


def _sheet(card: Card, thumbnail: Callable[[np.ndarray], str], rows: int | None) -> str:
    shown = card.rows[:rows]
    link = f'<p class="full"><a href="{_link(card.sheet)}">The sheet in full size</a></p>' if card.sheet else ""
    if not shown:
        return link
    heads = "".join(
        f'<th scope="col"{_marked(card, column)}>{_text(label)}</th>' for column, label in enumerate(card.column_labels)
    )
    lines = []
    for label, pictures in zip(card.row_labels, shown):
        cells = "".join(
            f'<td{_marked(card, column)}><img src="{thumbnail(picture)}" '
            f'alt="{_text(label)}, {_text(card.called)} at {_text(at)}"></td>'
            for column, (at, picture) in enumerate(zip(card.column_labels, pictures))
        )
        lines.append(f'<tr><th scope="row">{_text(label)}</th>{cells}</tr>')
    caption = f'<caption class="hidden">{_text(card.called)}: {_text(card.axes)}</caption>'
    table = f"<table>{caption}<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    region = f'<div class="sheet" tabindex="0" role="region" aria-label="Sheet of {_text(card.called)}">{table}</div>'
    return region + link


def _marked(card: Card, column: int) -> str:
    return ' class="now"' if column == card.marked else ""


def _clip(card: Card, thumbnail: Callable[[np.ndarray], str], rows: int | None) -> str:
    if not card.video:
        return ""
    kind, link, label = PurePosixPath(card.video).suffix.lower(), _link(card.video), f"Clip of {_text(card.called)}"
    if kind == ".mp4":
        # Where the budget holds no picture, it holds no still either.
        ends = [as_rgb(row[-1]) for row in card.rows] if rows != 0 else []
        still = f' poster="{thumbnail(np.concatenate(ends, axis=1))}"' if ends else ""
        return (
            f'<video class="clip" src="{link}"{still} controls loop muted playsinline preload="none" '
            f'aria-label="{label}"></video>'
        )
    if kind == ".gif":
        return f'<img class="clip" src="{link}" alt="{label}" loading="lazy">'
    return f'<p class="full"><a href="{link}/">The frames of the clip</a></p>'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    pairs = "".join(f"<div><dt>{_text(term)}</dt><dd>{_text(value)}</dd></div>" for term, value in facts)
    return f"<dl>{pairs}</dl>" if pairs else ""


def _command(command: str) -> str:
    if not command:
        return ""
    return (
        f'<div class="command"><pre tabindex="0"><code>{_text(command)}</code></pre>'
        '<button type="button" hidden>Copy</button></div>'
    )


def _image(pixels: np.ndarray) -> Image.Image:
    from PIL import Image

    return Image.fromarray(pixels)


def _text(words: str) -> str:
    """Escaped for text and for attributes."""
    return html.escape(str(words), quote=True)


def _link(path: str) -> str:
    # As bytes: a file's name need not be valid text.
    return _text(quote(os.fsencode(path.replace("\\", "/"))))
