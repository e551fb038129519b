"""Contact sheets: seeds down, distances across, with captions."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..system.whole_files import whole_file
from .pictures import fit, png_text
from .text import font_of, legible, width_of, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

CELL = 256  # pixels; larger pictures are reduced
TINY = 128  # smaller ones are enlarged by the whole number that keeps them within it
NARROW = 480  # smallest width of a sheet with a title
LARGEST = 16384  # pixels per side, about; larger sheets get smaller pictures
PAPER, INK, FAINT, MARK = (250, 250, 248), (40, 40, 44), (105, 105, 112), (20, 90, 160)
LIGHT = (255, 255, 255)
GAP, MARGIN = 4, 12
LINES = 3  # of the text, at least, where there is a map: words that are measured differ in length
ASIDE = "where"


def _draw(
    plan: _Plan,
    cells: Sequence[Sequence[PillowImage]],
    aside: np.ndarray | None,
    marked: int | tuple[int, int] | None,
) -> PillowImage:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", plan.size, PAPER)
    pen = ImageDraw.Draw(sheet)
    framed = marked[1] if isinstance(marked, tuple) else marked  # column
    first, last = (marked[0], marked[0]) if isinstance(marked, tuple) else (0, len(cells) - 1)
    for index, words in enumerate(plan.title):
        pen.text((MARGIN, MARGIN + index * plan.line), words, INK, font=plan.large)
    for index, words in enumerate(plan.text):
        pen.text((MARGIN, MARGIN + (index + len(plan.title)) * plan.line), words, FAINT, font=plan.font)
    for column, label in enumerate(map(legible, plan.column_labels)):
        x = plan.x(column) + (plan.wide - width_of(plan.font, label)) // 2
        pen.text((x, plan.captions), label, MARK if column == framed else FAINT, font=plan.font)
    for row, label in enumerate(map(legible, plan.row_labels)):
        ink = MARK if marked == (row, framed) else FAINT
        pen.text((MARGIN, plan.y(row) + (plan.high - plan.letter) // 2), label, ink, font=plan.font)
        for column, image in enumerate(cells[row]):
            sheet.paste(image, (plan.x(column), plan.y(row)))
    if framed is not None:
        left, top = plan.x(framed) - GAP // 2, plan.y(first) - GAP // 2
        right, bottom = plan.x(framed) + plan.wide, plan.y(last) + plan.high
        pen.rectangle((left, top, right + GAP // 2 - 1, bottom + GAP // 2 - 1), outline=MARK, width=GAP // 2)
    if aside is not None:
        heat = Image.fromarray(aside).resize((plan.wide, plan.high), 2)  # bilinear
        x = plan.x(len(plan.column_labels)) + GAP
        pen.text((x + (plan.wide - width_of(plan.font, ASIDE)) // 2, plan.captions), ASIDE, FAINT, font=plan.font)
        sheet.paste(heat, (x, plan.y(0)))
    return sheet


def write_sheet(
    path: str | os.PathLike[str],
    rows: Sequence[Sequence[np.ndarray]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    text: str = "",
    aside: np.ndarray | None = None,
    marked: int | tuple[int, int] | None = None,
    cell: int = CELL,
    scale: int = 1,
    comment: str = "",
    region: Callable[[int, int], np.ndarray] | None = None,
) -> list[list[list[int]]]:
    """Write a contact sheet as JPEG (full colour resolution) or PNG, by the suffix of ``path``.

    Args:
        path: the file.
        rows: pictures, uint8 ``[H, W, C]``, C 1 to 4, all of one size; every row equally long.
        row_labels, column_labels: captions, one for each row and column.
        title, text: a line above and smaller ones below it, wrapped where they are too long, in an area for three
            lines that has the same height whether they fill it or not.
        aside: a small picture (the heat map) right of the first row, uint8 RGB.
        marked: the column, or the row and column of the one picture, that is framed (the unedited); None frames none.
        cell: longest side of a picture on the sheet before it is enlarged, in pixels.
        scale: how many times pictures are larger than that, by Lanczos' filter where they have fewer pixels.
        comment: goes into the metadata of the file: the command that made it.
        region: its share of each pixel, 0 to 1, for a height and a width; its outline is drawn into every picture.

    Returns:
        For each row and column where its picture lies: left, top, width and height in pixels.

    Raises:
        ValueError: another suffix.
        OSError: the place cannot be written; nothing is left behind.
    """
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    kind = formats.get(Path(path).suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: a sheet is written as one of {', '.join(formats)}")
    cell = max(1, min(cell, LARGEST // (scale * len(rows)), LARGEST // (scale * len(rows[0]))))
    cells = [[_cell(picture, cell, scale) for picture in row] for row in rows]
    if region is not None:
        for image in (image for row in cells for image in row):
            _outline(image, region(image.height, image.width) >= 0.5)
    plan = _Plan(cells[0][0].size, row_labels, column_labels, title, text, aside is not None)
    sheet = _draw(plan, cells, aside, marked)
    data = io.BytesIO()  # on a full disk Pillow writes a truncated JPEG without an error
    if kind == "PNG":
        sheet.save(data, kind, pnginfo=png_text(comment))
    else:
        sheet.save(data, kind, quality=92, subsampling=0, comment=comment.encode("utf-8", "replace")[:60000])
    with whole_file(path) as part:
        part.write_bytes(data.getbuffer())
    columns = range(len(plan.column_labels))
    return [[[plan.x(column), plan.y(row), plan.wide, plan.high] for column in columns] for row in range(len(cells))]


def _outline(image: PillowImage, inside: np.ndarray) -> None:
    """Draw the edge of a part of a picture, ``[height, width]`` bool, within it: light beside dark."""
    from PIL import Image

    for colour in (LIGHT, MARK):
        smaller = inside.copy()
        for axis in (0, 1):
            padded = np.pad(inside, [(1, 1) if at == axis else (0, 0) for at in (0, 1)])
            smaller &= np.delete(padded, [0, 1], axis) & np.delete(padded, [-2, -1], axis)
        image.paste(colour, mask=Image.fromarray((inside & ~smaller).astype(np.uint8) * 255))
        inside = smaller


class _Plan:
    """Positions and sizes on a sheet, in pixels."""

    def __init__(
        self, size: tuple[int, int], rows: Sequence[str], columns: Sequence[str], title: str, text: str, aside: bool
    ) -> None:
        self.wide, self.high = size
        self.row_labels, self.column_labels = rows, columns
        self.letter = max(12, min(18, self.wide // 9))
        self.font, self.large = font_of(self.letter), font_of(self.letter + 3)
        self.left = MARGIN + max(width_of(self.font, legible(label)) for label in rows) + MARGIN
        # A caption may be wider than a small picture.
        self.step = GAP + max(self.wide, *(width_of(self.font, legible(label)) + GAP for label in columns))
        across = self.step * (len(columns) + aside) + GAP * aside
        width = max(NARROW if title else 0, self.left + across - GAP + MARGIN)
        self.title = wrapped(legible(title), self.large, width - 2 * MARGIN)
        self.text = wrapped(legible(text), self.font, width - 2 * MARGIN)
        self.line = self.letter + 9
        above = len(self.title) + max(LINES * aside, len(self.text))
        self.captions = MARGIN + above * self.line + (GAP if above else 0)
        self.top = self.captions + self.letter + 2 * GAP
        self.size = width, self.top + (self.high + GAP) * len(rows) - GAP + MARGIN

    def x(self, column: int) -> int:
        """Left edge of a picture."""
        return self.left + self.step * column + (self.step - GAP - self.wide) // 2

    def y(self, row: int) -> int:
        """Top edge of a picture."""
        return self.top + (self.high + GAP) * row


def _cell(picture: np.ndarray, limit: int, scale: int) -> PillowImage:
    from PIL import Image

    image = Image.fromarray(fit(picture, limit))
    times = max(1, min(TINY, limit) // max(image.size))
    if scale == 1:
        return image.resize([side * times for side in image.size], 0)  # every pixel as it is
    size = [side * times * scale for side in image.size]
    return Image.fromarray(fit(picture, limit * scale)).resize(size, 1)  # 1: Lanczos
