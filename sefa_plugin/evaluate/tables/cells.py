"""Values for CSV files that are safe to open in spreadsheets."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"[=@\t\r]|[+-].*[(|!]", re.DOTALL)


def cell(value: object) -> object:
    """A value for a CSV file: text that a spreadsheet would run as a formula gets a ' in front.

    Names of directions and attributes may come from an untrusted file. ``-tilt``, a name of re-scoring, is no formula.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
