"""Sheets beside the page; only the headers of their files are read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...media.sheet import GAP
from ...system.regular_files import open_regular
from ..record import About

MOST_SEGMENTS = 100  # of a JPEG file that are read to find its size
_NO_FRAMES = {0xFFC4, 0xFFC8, 0xFFCC}  # markers of tables among those of frames, FFC0 to FFCF


@dataclass(frozen=True)
class Pictures:
    """Positions of the pictures of a sheet, which have one size and equal steps; in pixels of its file.

    Attributes:
        left, top: of the first one.
        size, step: width and height of one, and the distances to the next ones to the right and below.
        rows, columns: captions.
        marked: row and column of the unedited picture; without a row, the whole column is unedited.
    """

    left: int
    top: int
    size: tuple[int, int]
    step: tuple[int, int]
    rows: Sequence[str]
    columns: Sequence[str]
    marked: tuple[int | None, int | None] = (None, None)

    @property
    def wide(self) -> int:
        """Width of all of them, with half a gap on each side."""
        return self.step[0] * len(self.columns)

    @property
    def high(self) -> int:
        """Height of all of them, with half a gap above and below."""
        return self.step[1] * len(self.rows)

    @property
    def corner(self) -> tuple[float, float]:
        """Left and top edge of all of them, with half a gap."""
        return self.left - self.gaps[0], self.top - self.gaps[1]

    @property
    def gaps(self) -> tuple[float, float]:
        """Half the gap between two pictures, across and down."""
        return (self.step[0] - self.size[0]) / 2, (self.step[1] - self.size[1]) / 2


@dataclass(frozen=True)
class Sheet:
    """A contact sheet.

    Attributes:
        path: relative to the page.
        size: width and height in pixels, None where the file is no JPEG.
        pictures: their positions, None where they are not known.
        axes: what rows and columns stand for, in words.
    """

    path: str
    size: tuple[int, int] | None = None
    pictures: Pictures | None = None
    axes: str = "subjects down, distances across"


def sheet_of(outdir: Path, name: str, about: About) -> Sheet:
    """A sheet of a folder, from its description in the record."""
    size, pictures = _jpeg_size(outdir / name), _pictures(about)
    known = size is not None and pictures is not None and _fits(pictures, size)
    return Sheet(name, size, pictures if known else None, about.get("axes", Sheet.axes))


def _pictures(about: About) -> Pictures | None:
    """Positions of the pictures by the record; None where they are missing or inconsistent."""
    rows, columns, boxes = about.get("rows", [""]), about.get("columns", []), about.get("boxes", [])
    if not boxes or not columns or len(boxes) != len(rows) or any(len(row) != len(columns) for row in boxes):
        return None
    left, top, wide, high = boxes[0][0]
    across = boxes[0][1][0] - left if len(columns) > 1 else wide + GAP
    down = boxes[1][0][1] - top if len(rows) > 1 else high + GAP
    column = columns.index("0") if "0" in columns else None
    row = rows.index("0") if "0" in rows else None
    if "axes" in about and None in (row, column):  # of two directions: where both are 0
        row = column = None
    return Pictures(left, top, (wide, high), (across, down), rows, columns, (row, column))


def _fits(pictures: Pictures, size: tuple[int, int]) -> bool:
    """Whether all pictures, with the gaps round them, lie within a sheet."""
    left, top = pictures.corner
    return min(left, top, *pictures.gaps) >= 0 and left + pictures.wide <= size[0] and top + pictures.high <= size[1]


def _jpeg_size(path: Path) -> tuple[int, int] | None:
    """Width and height by the header of a JPEG file; None for any other file."""
    try:
        with open_regular(path) as file:
            if file.read(2) != b"\xff\xd8":
                return None
            for _ in range(MOST_SEGMENTS):
                marker, length = struct.unpack(">HH", file.read(4))
                if 0xFFC0 <= marker <= 0xFFCF and marker not in _NO_FRAMES:
                    _, high, wide = struct.unpack(">BHH", file.read(5))
                    return wide, high
                file.seek(length - 2, 1)
    except (OSError, struct.error):
        pass
    return None
