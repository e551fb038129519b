"""Prepare the re-scoring tables of a folder for its page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ...directions.layers import Label
from ...reading.json_file import parsed, read_bounded
from ..record import Manifest
from .html import Matrix

DirectionKey = tuple[str, int, str]  # label, index, digest
MOST = 4  # attributes named in a card
_MOST_BYTES = 1 << 26  # of a table
_RENDERED = (".png", ".csv", ".json")


@dataclass(frozen=True)
class Scored:
    """Re-scoring of the directions of a folder.

    Attributes:
        matrices: for the page.
        moves: by label, index and digest of a direction, what it changes most, in words.
    """

    matrices: tuple[Matrix, ...]
    moves: Mapping[DirectionKey, str]


def scored(manifest: Manifest, names: Mapping[DirectionKey, str], shown: Mapping[str, Mapping[int, str]]) -> Scored:
    """Read the tables in the record; one that cannot be read is left out.

    Args:
        names: present names by label, index and digest.
        shown: by label and index the digests of the directions that have a card. Rows with another digest, of
            directions found with other options, are left out.
    """
    matrices: list[Matrix] = []
    moves: dict[DirectionKey, str] = {}
    for name, entry in manifest.outputs.items():
        if not entry.settings.get("rescore"):
            continue
        if entry.settings.get("network") != manifest.network.get("digest"):
            continue
        try:
            held = parsed(read_bounded(manifest.outdir / name, _MOST_BYTES))
            matrix, moves_of = _of(manifest, name, held, names, shown)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        if matrix.rows:
            matrices.append(matrix)
        moves.update(moves_of)
    return Scored(tuple(matrices), moves)


def _of(
    manifest: Manifest,
    name: str,
    held: dict[str, Any],
    names: Mapping[DirectionKey, str],
    shown: Mapping[str, Mapping[int, str]],
) -> tuple[Matrix, dict[DirectionKey, str]]:
    label, attributes = str(held["label"]), [str(word) for word in held["attributes"]]
    rows, values, sure, moves_of = [], [], [], {}
    for item in held["directions"]:
        index = int(item["index"])
        row, certain = [float(value) for value in item["normalized"]], [bool(flag) for flag in item["significant"]]
        if not len(row) == len(certain) == len(attributes) or not all(map(math.isfinite, row)):
            raise ValueError("a row of another length")
        cards = [card for card, held_by in shown.items() if index in held_by and str(Label.of(card).plain) == label]
        card = next((card for card in cards if shown[card][index] == item["digest"]), "")
        if cards and not card:
            continue
        key = (card or label, index, item["digest"])
        rows.append((f"{card}-dir{index:02d}" if card else "", str(index), names.get(key, str(item["name"]))))
        values.append(row)
        sure.append(certain)
        order = [place for place in sorted(range(len(row)), key=lambda place: -abs(row[place])) if certain[place]]
        words = ", ".join(f"{attributes[place]} {row[place]:+.2f}" for place in order[:MOST]) or "nothing beyond chance"
        moves_of[key] = words
    files = [PurePosixPath(name).with_suffix(suffix).as_posix() for suffix in _RENDERED]
    first, count = int(held["first_seed"]), int(held["samples"])
    look = f", {held['look']}" if held.get("look") else ""
    text = (
        f"Mean score at the high end of each range minus that at its low end, in standard deviations among "
        f"{count} unedited samples (seeds {first}-{first + count - 1}); scorer {held['scorer']}{look}. "
        "Without colour: may be chance (95 %, for the table as a whole)."
    )
    title = f"What the directions of {'Z' if label == 'z' else f'layers {label}'} change"
    there = tuple(path for path in files if (manifest.outdir / path).is_file())
    return Matrix(f"scores-{label}", title, text, attributes, rows, values, sure, there), moves_of
