"""Contact sheets: seeds down, distances across, with captions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .atomic import whole_file
from .pictures import as_rgb

CELL = 256  # pixels; larger pictures are reduced, tiny ones doubled
TINY = 96
PAPER, INK, FAINT, MARK = (250, 250, 248), (40, 40, 44), (120, 120, 126), (20, 90, 160)
GAP = 4


def _font(size: int):
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has one size only
        return ImageFont.load_default()


def _extent(font, text: str) -> tuple[int, int]:
    """Width and height of a line of text in pixels."""
    if hasattr(font, "getbbox"):
        left, top, right, bottom = font.getbbox(text)
        return int(right), int(bottom)
    return font.getsize(text)


def _cell(picture: np.ndarray, limit: int):
    from PIL import Image

    image = Image.fromarray(as_rgb(picture))
    if max(image.size) > limit:
        image.thumbnail((limit, limit), Image.LANCZOS)
    elif max(image.size) <= TINY:
        image = image.resize((image.width * 2, image.height * 2), Image.NEAREST)
    return image


def _wrapped(text: str, font, width: int) -> list[str]:
    """Break a title into lines that fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and _extent(font, f"{lines[-1]} {word}")[0] <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def compose_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    marked: int | None = None,
    cell: int = CELL,
) -> np.ndarray:
    """Lay out a contact sheet.

    Args:
        rows: pictures, uint8 ``[H, W, C]``, all of one size; every row equally long.
        row_labels, column_labels: captions, one for each row and column.
        title: a line above, wrapped where it is too long.
        marked: the column whose caption stands out (the unedited one).
        cell: longest side of a picture on the sheet, in pixels.

    Returns:
        uint8 RGB ``[H, W, 3]``.

    Raises:
        ValueError: no picture, rows of different lengths, or labels that do not match.
    """
    from PIL import Image, ImageDraw

    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("a sheet needs rows of equally many pictures")
    if len(row_labels) != len(rows) or len(column_labels) != len(rows[0]):
        raise ValueError(f"{len(rows)} x {len(rows[0])} pictures, {len(row_labels)} x {len(column_labels)} labels")
    cells = [[_cell(picture, cell) for picture in row] for row in rows]
    wide, high = cells[0][0].size
    text = max(11, min(18, wide // 9))
    font, bold = _font(text), _font(text + 3)
    left = max(_extent(font, label)[0] for label in row_labels) + 3 * GAP
    columns = max(wide, max(_extent(font, label)[0] for label in column_labels) + GAP) + GAP
    width = left + columns * len(rows[0]) + GAP
    lines = _wrapped(title, bold, width - 2 * GAP) if title else []
    line = _extent(bold, "Ag")[1] + GAP
    top = GAP + len(lines) * line + _extent(font, "0g")[1] + 2 * GAP
    sheet = Image.new("RGB", (width, top + (high + GAP) * len(rows)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, words in enumerate(lines):
        pen.text((2 * GAP, GAP + index * line), words, INK, font=bold)
    for index, label in enumerate(column_labels):
        place = left + index * columns + (columns - GAP - _extent(font, label)[0]) // 2
        pen.text((place, GAP + len(lines) * line), label, MARK if index == marked else FAINT, font=font)
    for number, (label, row) in enumerate(zip(row_labels, cells)):
        y = top + number * (high + GAP)
        pen.text((2 * GAP, y + (high - text) // 2), label, FAINT, font=font)
        for index, image in enumerate(row):
            sheet.paste(image, (left + index * columns + (columns - GAP - image.width) // 2, y))
    return np.asarray(sheet)


def write_sheet(path: str | os.PathLike, rows: Sequence[Sequence[np.ndarray]], **captions) -> None:
    """Write :func:`compose_sheet` as JPEG (full colour resolution) or PNG, by the suffix of ``path``.

    Raises:
        ValueError: as :func:`compose_sheet`.
        OSError: the place cannot be written; nothing is left behind.
    """
    from PIL import Image

    sheet = Image.fromarray(compose_sheet(rows, **captions))
    options = {"quality": 92, "subsampling": 0} if Path(path).suffix.lower() in (".jpg", ".jpeg") else {}
    with whole_file(path) as part:
        sheet.save(part, **options)
