"""Tables of results: CSV, JSON, Markdown, PNG."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...media.pictures import png_text
from ...media.sheet import FAINT, INK, MARGIN, PAPER
from ...media.text import font_of, legible, width_of
from ...system.whole_files import whole_file
from ..statistics.bootstrap import Interval

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    Cell = str | float | Interval | None

LETTER, LINE, COLUMN = 15, 28, 22
RULE = (214, 214, 208)
FORMATS = (".csv", ".json", ".md", ".png")
_FORMULA = re.compile(r"[=@\t\r]|[+-].*[(|!]", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: one line.
        columns: headings, first that of the rows' names.
        rows: cells of each row: text, numbers, :class:`Interval` or None.
        note: one paragraph on what is measured and how.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def write(self, path: str | os.PathLike[str], about: Mapping[str, object] | None = None, comment: str = "") -> None:
        """Write it in the format of the suffix; ``about`` goes into the JSON, ``comment`` into the PNG.

        Raises:
            ValueError: another suffix.
            OSError: the place cannot be written.
        """
        kind = Path(path).suffix.lower()
        if kind not in FORMATS:
            raise ValueError(f"{path}: a table is written as one of {', '.join(FORMATS)}")
        if kind == ".png":
            with whole_file(path) as part:
                self.picture().save(part, "PNG", pnginfo=png_text(comment))
            return
        text = self.csv() if kind == ".csv" else self.markdown() if kind == ".md" else self.json(about)
        with whole_file(path) as part:
            part.write_bytes(text.encode("utf-8"))  # the same line ends on every system

    def csv(self) -> str:
        """Numbers in full; an interval takes three columns."""
        wide = [any(isinstance(row[at], Interval) for row in self.rows) for at in range(len(self.columns))]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        heads = ([name, f"{name} low", f"{name} high"] if many else [name] for name, many in zip(self.columns, wide))
        writer.writerow([cell(name) for part in heads for name in part])
        for row in self.rows:
            cells: list[object] = []
            for value, many in zip(row, wide):
                parts = value.as_list() if isinstance(value, Interval) else [value, *[None] * (2 * many)]
                cells += [
                    "" if part is None else f"{part:.6g}" if isinstance(part, float) else cell(part) for part in parts
                ]
            writer.writerow(cells)
        return stream.getvalue()

    def json(self, about: Mapping[str, object] | None = None) -> str:
        """One object: title, columns, rows, note, and the entries of ``about``."""
        held = {"title": self.title, "columns": list(self.columns), "rows": self.as_lists(), "note": self.note}
        return json.dumps({**held, **(about or {})}, indent=1, allow_nan=False) + "\n"

    def as_lists(self) -> list[list[object]]:
        """The rows with intervals as lists of value, low and high."""
        return [[cell.as_list() if isinstance(cell, Interval) else cell for cell in row] for row in self.rows]

    def markdown(self) -> str:
        """A table in GitHub's Markdown."""
        lines = [[str(name) for name in self.columns], ["---"] + ["---:"] * (len(self.columns) - 1)]
        lines += [[written(cell) for cell in row] for row in self.rows]
        return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)

    def picture(self) -> PillowImage:
        """A picture in the style of the sheets."""
        from PIL import Image, ImageDraw

        font, large = font_of(LETTER), font_of(LETTER + 3)
        cells = [[legible(str(name)) for name in self.columns]]
        cells += [[legible(written(cell)) for cell in row] for row in self.rows]
        widths = [max(width_of(font, row[at]) for row in cells) for at in range(len(self.columns))]
        title = legible(self.title)
        width = max(sum(widths) + COLUMN * (len(widths) - 1), width_of(large, title)) + 2 * MARGIN
        image = Image.new("RGB", (width, LINE * (len(cells) + 1) + 2 * MARGIN + 6), PAPER)
        pen = ImageDraw.Draw(image)
        pen.text((MARGIN, MARGIN), title, INK, font=large)
        for number, row in enumerate(cells):
            x, y = MARGIN, MARGIN + LINE * (number + 1) + 6
            if number:
                pen.line((MARGIN, y - 5, width - MARGIN, y - 5), fill=RULE)
            for at, (text, wide) in enumerate(zip(row, widths)):
                shift = 0 if at == 0 else wide - width_of(font, text)
                pen.text((x + shift, y), text, FAINT if number == 0 else INK, font=font)
                x += wide + COLUMN
        return image


def written(cell: Cell) -> str:
    """A cell as text: numbers rounded, ``-`` for None."""
    if cell is None:
        return "-"
    if isinstance(cell, Interval):
        return str(cell)
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 10 else f"{cell:.1f}"
    return str(cell)


def cell(value: object) -> object:
    """A value for a CSV file: text that a spreadsheet would run as a formula gets a ' in front.

    Names of directions and attributes may come from an untrusted file. ``-tilt``, a name of re-scoring, is no formula.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
