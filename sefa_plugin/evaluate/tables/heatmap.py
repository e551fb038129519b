"""A signed matrix as a picture, with a number and a colour in each cell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...media.pictures import png_text
from ...media.sheet import FAINT, INK, MARGIN, NARROW, PAPER
from ...media.text import font_of, legible, width_of, wrapped
from ...system.whole_files import whole_file

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageDraw import ImageDraw

NEGATIVE, POSITIVE = (33, 102, 172), (190, 60, 40)  # blue and red, which the colour-blind can distinguish
HIGH, LETTER, GAP = 30, 15, 2
WIDEST = 1800  # pixels; with more columns, their labels are rotated
LEGEND = 180


def colour_of(value: float, limit: float) -> tuple[int, int, int]:
    """White at 0, growing to blue or red at minus or plus ``limit`` and beyond."""
    part = min(1.0, abs(value) / limit) if limit > 0 else 0.0
    end = POSITIVE if value > 0 else NEGATIVE
    red, green, blue = (round(255 + (channel - 255) * part) for channel in end)
    return red, green, blue


def ink_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, by the higher WCAG 2 contrast, with its gamma simplified to a power of 2.2."""
    weights = (0.2126, 0.7152, 0.0722)
    light = sum(weight * (channel / 255) ** 2.2 for weight, channel in zip(weights, colour))
    return (255, 255, 255) if light < 0.179 else (0, 0, 0)


def number_of(value: float) -> str:
    """With its sign and at most two digits behind the point."""
    return f"{value:+.2f}" if abs(value) < 9.995 else f"{value:+.3g}"


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A signed matrix and its captions.

    Attributes:
        matrix: finite numbers ``[rows, columns]``.
        row_labels, column_labels: one for each.
        title, text: a line above and a smaller one below it, wrapped where they are too long.
        legend: what the colours stand for; '' for no legend.
        faint: bool ``[rows, columns]``, cells that are not significant: without colour, in faint ink.
    """

    matrix: np.ndarray
    row_labels: Sequence[str]
    column_labels: Sequence[str]
    title: str = ""
    text: str = ""
    legend: str = ""
    faint: np.ndarray | None = None

    def write(self, path: str | os.PathLike[str], comment: str = "") -> None:
        """Write a picture, as PNG, with ``comment`` in its metadata.

        Raises:
            OSError: the place cannot be written; nothing is left behind.
        """
        with whole_file(path) as part:
            self.picture().save(part, "PNG", pnginfo=png_text(comment))

    def picture(self) -> PillowImage:
        """A number and a colour in each cell."""
        from PIL import Image, ImageDraw

        plan = _Plan(self)
        picture = Image.new("RGB", plan.size, PAPER)
        pen = ImageDraw.Draw(picture)
        for place, words in enumerate(plan.title):
            pen.text((MARGIN, MARGIN + place * plan.line), words, INK, font=plan.large)
        for place, words in enumerate(plan.text, len(plan.title)):
            pen.text((MARGIN, MARGIN + place * plan.line), words, FAINT, font=plan.font)
        _columns(picture, pen, plan)
        limit = max(1.0, float(np.abs(self.matrix).max()))  # the value of the full colours
        for row, label in enumerate(plan.row_labels):
            y = plan.top + row * HIGH
            pen.text((MARGIN, y + (HIGH - LETTER) // 2 - 2), label, INK, font=plan.font)
            for column, value in enumerate(self.matrix[row].tolist()):
                weak = self.faint is not None and bool(self.faint[row, column])
                colour = (255, 255, 255) if weak else colour_of(value, limit)
                x = plan.left + column * plan.wide
                pen.rectangle((x, y, x + plan.wide - GAP, y + HIGH - GAP), fill=colour)
                number = number_of(value)
                at = x + (plan.wide - GAP - width_of(plan.font, number)) // 2, y + (HIGH - LETTER) // 2 - 2
                pen.text(at, number, FAINT if weak else ink_on(colour), font=plan.font)
        if self.legend:
            _legend(picture, pen, plan, limit)
        return picture


class _Plan:
    """Positions and sizes, in pixels."""

    def __init__(self, drawn: Heatmap) -> None:
        rows, columns = ([*map(legible, labels)] for labels in (drawn.row_labels, drawn.column_labels))
        self.row_labels, self.column_labels, self.legend = rows, columns, legible(drawn.legend)
        self.font, self.large = font_of(LETTER), font_of(LETTER + 3)
        numbers = max(width_of(self.font, number_of(value)) for value in drawn.matrix.ravel())
        widest = max(width_of(self.font, label) for label in columns)
        self.left = MARGIN + max(width_of(self.font, label) for label in rows) + MARGIN
        narrow = numbers + 14
        self.upright = self.left + len(columns) * max(narrow, widest + 12) > WIDEST
        self.wide = narrow if self.upright else max(narrow, widest + 12)
        width = max(NARROW if drawn.title else 0, self.left + len(columns) * self.wide - GAP + MARGIN)
        self.line = LETTER + 9
        self.title = wrapped(legible(drawn.title), self.large, width - 2 * MARGIN)
        self.text = wrapped(legible(drawn.text), self.font, width - 2 * MARGIN)
        above = len(self.title) + len(self.text)
        self.captions = MARGIN + above * self.line + (6 if above else 0)
        self.tall = (widest if self.upright else LETTER) + 10
        self.top = self.captions + self.tall
        self.end = self.top + len(rows) * HIGH + 10
        self.size = width, self.end + (LETTER + 14 if self.legend else 0) + MARGIN


def _columns(picture: PillowImage, pen: ImageDraw, plan: _Plan) -> None:
    from PIL import Image, ImageDraw

    for column, label in enumerate(plan.column_labels):
        x, wide = plan.left + column * plan.wide, width_of(plan.font, label)
        if not plan.upright:
            pen.text((x + (plan.wide - GAP - wide) // 2, plan.captions), label, INK, font=plan.font)
            continue
        strip = Image.new("RGB", (max(1, wide), LETTER + 6), PAPER)
        ImageDraw.Draw(strip).text((0, 0), label, INK, font=plan.font)
        # A quarter turn anticlockwise. A number, since Image.Transpose came with Pillow 9.1.
        turned = strip.transpose(2)  # type: ignore[arg-type]
        picture.paste(turned, (x + (plan.wide - GAP - turned.width) // 2, plan.top - 6 - turned.height))


def _legend(picture: PillowImage, pen: ImageDraw, plan: _Plan, limit: float) -> None:
    from PIL import Image

    ramp = np.array([[colour_of(value, limit) for value in np.linspace(-limit, limit, LEGEND)]], np.uint8)
    low, high = number_of(-limit), number_of(limit)
    x = MARGIN
    pen.text((x, plan.end), low, FAINT, font=plan.font)
    x += width_of(plan.font, low) + 8
    picture.paste(Image.fromarray(np.repeat(ramp, LETTER, axis=0)), (x, plan.end + 2))
    x += LEGEND + 8
    pen.text((x, plan.end), f"{high}   {plan.legend}", FAINT, font=plan.font)
