"""Contact sheets: seeds down, distances across, with captions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import whole_file
from .pictures import as_rgb

CELL = 256  # pixels; larger pictures are reduced
TINY = 128  # smaller ones are enlarged by the whole number that keeps them within it
NARROW = 480  # no sheet is, so that a title has room
LARGEST = 16384  # pixels per side, about; beyond it the pictures shrink
PAPER, INK, FAINT, MARK = (250, 250, 248), (40, 40, 44), (105, 105, 112), (20, 90, 160)
GAP, MARGIN = 4, 12


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
        rows: pictures, uint8 ``[H, W, C]``, C 1 to 4, all of one size; every row equally long.
        row_labels, column_labels: captions, one for each row and column.
        title: a line above, wrapped where it is too long.
        marked: the column that is framed (the unedited one); None frames none.
        cell: longest side of a picture on the sheet, in pixels.

    Returns:
        uint8 RGB ``[H, W, 3]``.

    Raises:
        ValueError: no picture, rows or pictures of different sizes, or labels that do not match.
    """
    from PIL import Image, ImageDraw

    _check(rows, row_labels, column_labels)
    cell = max(1, min(cell, LARGEST // len(rows), LARGEST // len(rows[0])))
    cells = [[_cell(picture, cell) for picture in row] for row in rows]
    plan = _Plan(cells[0][0].size, row_labels, column_labels, title)
    sheet = Image.new("RGB", plan.size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, words in enumerate(plan.title):
        pen.text((MARGIN, MARGIN + index * plan.line), words, INK, font=plan.large)
    for column, label in enumerate(map(_legible, column_labels)):
        x = plan.x(column) + (plan.wide - _width(plan.font, label)) // 2
        pen.text((x, plan.captions), label, MARK if column == marked else FAINT, font=plan.font)
    for row, label in enumerate(map(_legible, row_labels)):
        pen.text((MARGIN, plan.y(row) + (plan.high - plan.text) // 2), label, FAINT, font=plan.font)
        for column, image in enumerate(cells[row]):
            sheet.paste(image, (plan.x(column), plan.y(row)))
    if marked is not None:
        left, top = plan.x(marked) - GAP // 2, plan.y(0) - GAP // 2
        right, bottom = plan.x(marked) + plan.wide, plan.y(len(rows) - 1) + plan.high
        pen.rectangle((left, top, right + GAP // 2 - 1, bottom + GAP // 2 - 1), outline=MARK, width=GAP // 2)
    return np.array(sheet)


def write_sheet(path: str | os.PathLike, rows: Sequence[Sequence[np.ndarray]], **captions: Any) -> None:
    """Write :func:`compose_sheet` as JPEG (full colour resolution) or PNG, by the suffix of ``path``.

    Raises:
        ValueError: as :func:`compose_sheet`, or another suffix.
        OSError: the place cannot be written; nothing is left behind.
    """
    from PIL import Image

    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    kind = formats.get(Path(path).suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: a sheet is written as one of {', '.join(formats)}")
    sheet = Image.fromarray(compose_sheet(rows, **captions))
    options = {"quality": 92, "subsampling": 0} if kind == "JPEG" else {}
    with whole_file(path) as part:
        sheet.save(part, kind, **options)


class _Plan:
    """Where things stand on a sheet, in pixels."""

    def __init__(self, size: tuple[int, int], rows: Sequence[str], columns: Sequence[str], title: str) -> None:
        self.wide, self.high = size
        self.text = max(12, min(18, self.wide // 9))
        self.font, self.large = _font(self.text), _font(self.text + 3)
        self.left = MARGIN + max(_width(self.font, _legible(label)) for label in rows) + MARGIN
        # A caption may be wider than a small picture.
        self.step = GAP + max(self.wide, *(_width(self.font, _legible(label)) + GAP for label in columns))
        width = max(NARROW if title else 0, self.left + self.step * len(columns) - GAP + MARGIN)
        self.title = _wrapped(_legible(title), self.large, width - 2 * MARGIN)
        self.line = self.text + 9
        self.captions = MARGIN + len(self.title) * self.line + (GAP if self.title else 0)
        self.top = self.captions + self.text + 2 * GAP
        self.size = width, self.top + (self.high + GAP) * len(rows) - GAP + MARGIN

    def x(self, column: int) -> int:
        """Left edge of a picture."""
        return self.left + self.step * column + (self.step - GAP - self.wide) // 2

    def y(self, row: int) -> int:
        """Top edge of a picture."""
        return self.top + (self.high + GAP) * row


def _check(rows: Sequence[Sequence[np.ndarray]], row_labels: Sequence[str], column_labels: Sequence[str]) -> None:
    if not len(rows) or not len(rows[0]) or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("a sheet needs rows of equally many pictures")
    if len(row_labels) != len(rows) or len(column_labels) != len(rows[0]):
        labels = f"{len(row_labels)} x {len(column_labels)}"
        raise ValueError(f"{len(rows)} x {len(rows[0])} pictures, but {labels} labels")
    sizes = {tuple(picture.shape[:2]) for row in rows for picture in row}
    if len(sizes) > 1:
        raise ValueError(f"pictures of different sizes: {', '.join(map(str, sorted(sizes)))}")


def _cell(picture: np.ndarray, limit: int) -> Any:
    from PIL import Image

    image = Image.fromarray(as_rgb(picture))
    longest = max(image.size)
    if longest > limit:
        size = [max(1, round(side * limit / longest)) for side in image.size]
        return image.resize(size, 1)  # Lanczos
    times = max(1, min(TINY, limit) // longest)
    return image.resize([side * times for side in image.size], 0)  # every pixel as it is


def _font(size: int) -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):  # Pillow before 10.1, or without FreeType, has one size
        return ImageFont.load_default()


def _legible(text: str) -> str:
    """Without what the one-size font cannot draw at all; the other shows a box there."""
    return " ".join(text.encode("latin-1", "replace").decode("latin-1").split())


def _width(font: Any, text: str) -> int:
    """Pixels that a line of text takes."""
    if hasattr(font, "getbbox"):
        return int(font.getbbox(text)[2])
    return int(font.getsize(text)[0])  # Pillow before 9.2


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    """Break a title into lines that fit, within a word where that alone is too long."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(font, f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while len(word) > 1 and _width(font, word) > width:
            fits = max(1, sum(_width(font, word[: end + 1]) <= width for end in range(len(word))))
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return lines
