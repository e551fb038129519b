"""Tables on the page: what each direction changes, by attribute scores."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

LESS, MORE = "33,102,172", "190,60,40"  # blue and red
MOST = 0.6  # opacity: beyond it, neither light nor dark ink would be read easily


@dataclass(frozen=True)
class Matrix:
    """One group of directions, scored.

    Attributes:
        anchor: fit for an id, ``scores-all``.
        title, text: what it is of and how it was measured.
        attributes: columns.
        rows: for each direction its anchor on the page ('' where it has no card), its number, and its name or ''.
        values: for each row and attribute a change in standard deviations; finite.
        sure: for each the same, whether it is beyond chance.
        files: paths relative to the page.
    """

    anchor: str
    title: str
    text: str
    attributes: Sequence[str]
    rows: Sequence[tuple[str, str, str]]
    values: Sequence[Sequence[float]]
    sure: Sequence[Sequence[bool]]
    files: Sequence[str] = ()


def matrix_html(matrix: Matrix) -> str:
    """The table, coloured from blue (less) over white to red (more); chance is left without colour."""
    limit = max([1.0, *(abs(value) for row in matrix.values for value in row)])
    heads = "".join(f'<th scope="col">{_text(name)}</th>' for name in matrix.attributes)
    lines = []
    for (anchor, number, name), values, sure in zip(matrix.rows, matrix.values, matrix.sure):
        label = f"{_text(number)} <bdi>{_text(name)}</bdi>" if name else _text(number)
        link = f'<a href="#{_text(anchor)}">{label}</a>' if anchor else label
        cells = "".join(_cell(value, certain, limit) for value, certain in zip(values, sure))
        lines.append(f'<tr><th scope="row">{link}</th>{cells}</tr>')
    caption = f'<caption class="hidden">{_text(matrix.title)}: directions down, attributes across</caption>'
    table = f"<table>{caption}<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    links = ", ".join(f'<a href="{_text(quote(path))}">{_text(path)}</a>' for path in matrix.files)
    return (
        f'<div class="scores"><h3 id="{_text(matrix.anchor)}">{_text(matrix.title)}</h3>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{_text(matrix.title)}">{table}</div>'
        f'<p class="about">{_text(matrix.text)}</p>' + (f'<p class="full">{links}</p>' if links else "") + "</div>"
    )


def _cell(value: float, certain: bool, limit: float) -> str:
    if not certain:
        return f'<td class="chance">{value:+.2f}</td>'
    part = MOST * min(1.0, abs(value) / limit)
    return f'<td style="background:rgba({LESS if value < 0 else MORE},{part:.2f})">{value:+.2f}</td>'


def _text(words: str) -> str:
    return html.escape(str(words), quote=True)
