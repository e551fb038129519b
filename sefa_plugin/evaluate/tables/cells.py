"""Texts in CSV files, which people open with spreadsheets."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"[=@\t\r]|[+-].*[(|!]", re.DOTALL)


def cell(value: object) -> object:
    """A value for a CSV file: text that a spreadsheet would calculate, or start a program by, gets a ' in front.

    Names of directions and of attributes may come from a stranger's file. ``-tilt``, as re-scoring names a direction,
    is no formula.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
