"""Re-scoring: the change of each attribute by each direction, measured on edited samples; as picture, CSV and JSON.

SeFa, CVPR 2021, section 4.2 (2,000 samples a direction), here over each direction's calibrated range, so that all are
compared at equal visible change: the score at the high end minus the score at the low end, sample by sample.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Union

import numpy as np

from ... import __version__
from ...runs.command_line import comment, portable
from ...system.whole_files import whole_file
from ..samples.sampling import Samples
from ..samples.scores import SampleEdit, Scores, score_edits
from ..scorers.interface import Scorer, identity_of
from ..statistics.bootstrap import LEVEL
from ..statistics.effects import Effects, effects_of
from ..tables.heatmap import Heatmap
from ..tables.labels import Label, labels
from ..tables.table import cell

if TYPE_CHECKING:
    from ...directions.directions import Directions

FORMAT = 1
FOLDER = "evaluate"  # in the folder of a run
SCORES = "scores.npz"
COLUMNS = (
    *("layers", "direction", "name", "low", "high", "attribute"),
    *("change", "change_low", "change_high", "normalized", "significant"),
)
RENDERER = 1  # increased when equal settings would give other scores


@dataclass(frozen=True, eq=False)
class Row:
    """One direction and the distances that it is measured at: ``low <= 0 <= high`` or as typed."""

    directions: Directions
    index: int
    low: float
    high: float

    @property
    def ends(self) -> tuple[SampleEdit, SampleEdit]:
        """The edits to both ends."""
        low, high = (SampleEdit(self.directions, self.index, end) for end in (self.low, self.high))
        return low, high


# Settings of a table. Made by a call, since "class" is a keyword.
About = TypedDict(
    "About",
    {
        "network": str,  # its name
        "scorer": str,  # its title
        "samples": int,
        "first_seed": int,
        "look": str,  # settings that differ from the default, in words
        "trunc": float,
        "class": Union[int, tuple[float, ...], str, None],
    },
    total=False,
)


@dataclass(frozen=True, eq=False)
class Rescored:
    """The effects of the directions of one group.

    Attributes:
        rows: the directions, in the order of the matrix.
        effects: the matrix.
        labels: names from the matrix, of the directions that change something.
        about: network, scorer and so on.
        names: names of the directions, '' where there is none.
    """

    rows: tuple[Row, ...]
    effects: Effects
    labels: tuple[Label, ...]
    about: About
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The label of the group of layers."""
        return self.rows[0].directions.label

    @property
    def stem(self) -> str:
        """Its name in file names."""
        return f"rescore-{self.label}"


def settings_of(samples: Samples, scorer: Scorer, network: str) -> dict[str, object]:
    """The settings that scores depend on, except edits and number of samples; ``network`` is its digest."""
    look = asdict(samples.look)
    return {
        "renderer": RENDERER,
        "network": network,
        "scorer": identity_of(scorer) or repr(scorer),
        "first_seed": samples.seeds.start,
        "look": {key: list(value) if isinstance(value, tuple) else value for key, value in look.items()},
    }


def rescore(
    samples: Samples,
    groups: Sequence[Sequence[Row]],
    scorer: Scorer,
    *,
    scores: Scores | None = None,
    about: About | None = None,
    advance: Callable[[int], None] = lambda pictures: None,
    begin: Callable[[int], None] = lambda pictures: None,
) -> list[Rescored]:
    """Measure directions, in groups; each group gives a table.

    Args:
        samples: at least 2.
        groups: rows of one ``Directions`` each.
        scorer: see ``interface.Scorer``.
        scores: existing ones, to which new ones are added; None for none.
        about: entries of ``Rescored.about`` to add or replace.
        advance, begin: see ``scores.score_edits``.

    Raises:
        ScorerError, FramesError, OSError: as there.
        ValueError: fewer than 2 samples.
    """
    scores = scores or Scores(len(samples))
    wanted = [edit for rows in groups for row in rows for edit in row.ends]
    score_edits(samples, wanted, scorer, scores, advance, begin)
    facts: About = {
        "scorer": getattr(scorer, "title", type(scorer).__name__),
        "samples": len(samples),
        "first_seed": samples.seeds.start,
        "look": _words_of(samples),
        "trunc": samples.look.trunc,
        "class": samples.look.label if samples.look.label is not None or not samples.G.c_dim else "drawn for each seed",
        **(about or {}),
    }
    tables = []
    for rows in groups:
        low, high = (np.stack([scores.of(row.ends[end]) for row in rows]) for end in (0, 1))
        effects = effects_of(scores.attributes, low, high, scores.unedited)
        names = tuple(row.directions.names[row.index] for row in rows)
        tables.append(Rescored(tuple(rows), effects, tuple(labels(effects)), facts, names))
    return tables


def _words_of(samples: Samples) -> str:
    """Truncation and class of the samples, in words; '' for the default."""
    trunc, label = samples.look.trunc, samples.look.label
    words = [f"truncation {trunc:g}"] if trunc != 1 else []
    if samples.G.c_dim:
        one = f"class {label}" if isinstance(label, int) else f"label {label}"
        words.append("a class drawn for each" if label is None else one)
    return ", ".join(words)


# --- files ----------------------------------------------------------------------------------------


def write_table(folder: str | os.PathLike[str], table: Rescored, command: str = "") -> list[Path]:
    """Write ``rescore-LABEL.png``, ``.csv`` and ``.json`` into a folder, each whole or not at all; returns the paths.

    Raises:
        OSError: one of them cannot be written.
    """
    png, csv_file, json_file = (Path(folder) / f"{table.stem}.{kind}" for kind in ("png", "csv", "json"))
    _heatmap(table).write(png, comment(command, portable(png.parent.parent)))
    for path, text in ((csv_file, as_csv(table)), (json_file, json.dumps(as_json(table, command), indent=1) + "\n")):
        with whole_file(path) as part:
            part.write_bytes(text.encode("utf-8"))  # the same line ends on every system
    return [png, csv_file, json_file]


def as_csv(table: Rescored) -> str:
    """One line for each direction and attribute."""
    effects, file = table.effects, io.StringIO()
    low, high = effects.interval()
    normalized, sure = effects.normalized, effects.significant()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(COLUMNS)
    for place, row in enumerate(table.rows):
        for column, attribute in enumerate(effects.attributes):
            numbers = [values[place, column] for values in (effects.change, low, high, normalized)]
            digits = [f"{value:.6g}" for value in numbers]
            name = cell(table.names[place])
            start = [table.label, row.index, name, f"{row.low:g}", f"{row.high:g}", cell(attribute)]
            lines.writerow([*start, *digits, int(sure[place, column])])
    return file.getvalue()


def as_json(table: Rescored, command: str = "") -> dict[str, object]:
    """All results as JSON values, to six digits; ``spread`` is null where an attribute never varies."""
    effects = table.effects
    low, high = effects.interval()
    sure, called = effects.significant(), {label.index: label for label in table.labels}
    directions = []
    for place, row in enumerate(table.rows):
        found = called.get(place)
        directions.append(
            {
                "index": row.index,
                "digest": hashlib.sha256(row.directions.vectors[row.index].tobytes()).hexdigest(),
                "low": row.low,
                "high": row.high,
                "name": table.names[place],
                "label": found.name if found else "",
                "purity": _rounded(found.purity) if found else None,
                "change": _rounded(effects.change[place]),
                "interval": _rounded(np.stack([low[place], high[place]], axis=1)),
                "normalized": _rounded(effects.normalized[place]),
                "significant": sure[place].tolist(),
            }
        )
    return {
        "format": FORMAT,
        "made_by": f"sefa_plugin {__version__}",
        "command": command,
        "label": table.label,
        "space": table.rows[0].directions.space,
        "layers": list(table.rows[0].directions.layers),
        **table.about,
        "level": LEVEL,
        "attributes": list(effects.attributes),
        "mean": _rounded(effects.mean),
        "spread": _rounded(effects.spread),
        "directions": directions,
    }


def _rounded(values: np.ndarray | float) -> object:
    """Nested lists of numbers with six digits, null for infinity."""
    if isinstance(values, np.ndarray):
        return [_rounded(value) for value in values]
    return float(f"{values:.6g}") if np.isfinite(values) else None


def _heatmap(table: Rescored) -> Heatmap:
    effects, about = table.effects, table.about
    first, count = about["first_seed"], about["samples"]
    last, look = first + count - 1, f", {about['look']}" if about["look"] else ""
    return Heatmap(
        effects.normalized,
        row_labels=[f"{row.index}: {name}" if name else f"{row.index}" for row, name in zip(table.rows, table.names)],
        column_labels=effects.attributes,
        title=f"{about.get('network', 'network')}, {table.label}: what each direction changes",
        text=f"scorer {about['scorer']}, {count} samples (seeds {first}-{last}){look}; mean score at the high end of "
        "each range minus that at its low end. Faint: may be chance (95 %, for the matrix as a whole)",
        faint=~effects.significant(),
        legend="standard deviations among unedited samples",
    )


def summary(table: Rescored, most: int = 4) -> list[str]:
    """A line for each direction: its name, and the attributes that it changes most."""
    effects, purity = table.effects, {label.index: label.purity for label in table.labels}
    matrix, sure, lines = effects.normalized, effects.significant(), []
    for place, (row, name) in enumerate(zip(table.rows, table.names)):
        order = [column for column in np.argsort(-np.abs(matrix[place])) if sure[place, column]][:most]
        changes = ", ".join(f"{effects.attributes[column]} {matrix[place, column]:+.2f}" for column in order)
        share = f" (purity {purity[place]:.2f})" if place in purity else ""
        lines.append(f"{row.index:4d}  {name or '(no name)'}{share}: {changes or 'no change beyond chance'}")
    return lines
