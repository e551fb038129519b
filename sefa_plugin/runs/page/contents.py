"""Collect the content of a page from the record of its folder."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...directions.directions import Direction
from ...directions.kept import sets_in
from ...directions.layers import Label
from ...system.messages import spans
from ...system.whole_files import alone_in
from ..command_line import line, place_of
from ..record import About, Manifest
from .html import Card, Section, write_page
from .scores import scored
from .sheets import sheet_of

PAGE = "index.html"
MARK = b'<meta name="generator" content="sefa_plugin">'  # in every page, also of older versions
UNEDITED = "sheets/unedited.jpg"
_CARD = {"label", "index", "direction", "layers"}  # settings of outputs that have a card
_TOGETHER = {  # outputs of several directions, by a setting that only they have: title and text of their section
    "grid": ("All directions at once", "Subjects down, directions across."),
    "plane": ("Two directions at once", "One across, one down."),
}
_ORDER = ("all", "coarse", "middle", "fine")
_TITLES = {"all": "All layers", "z": "Z, before the mapping network", "input": "StyleGAN3's input"}


def packed(heat: np.ndarray) -> str:
    """A small grey picture as text, for the record."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(heat).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


class Pages:
    """Writes the page repeatedly during a run, for at most a small share of its time."""

    SHARE = 0.1  # of the time that passes

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._count = 0
        self._next = 0.0

    def __call__(self, busy: bool) -> None:
        """Write it; while ``busy``, skipped if it was written a short time ago.

        Raises:
            OSError: it cannot be written.
        """
        start = time.monotonic()
        self._count += 1
        if busy and self._count > 2 and start < self._next:
            return
        write_report(self.manifest, busy)
        now = time.monotonic()
        self._next = now + (now - start) / self.SHARE


def is_foreign_page(path: Path) -> bool:
    """Whether there is a file of this name that was not made by :func:`write_report`.

    Not through a link that leads out of the folder, where nothing is written.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file() or path.resolve().parent != path.parent.resolve():
        return False
    with open(path, "rb") as stream:
        return MARK not in stream.read(1 << 16)


def write_report(manifest: Manifest, busy: bool = False) -> Path:
    """Write ``index.html`` of all that the record holds; returns its path.

    Raises:
        OSError: it cannot be written; an older page stays.
    """
    manifest.outdir.mkdir(parents=True, exist_ok=True)
    with alone_in(manifest.outdir):  # with two runs in one folder, the last page shows the outputs of both
        manifest.refresh()
        return _write_report(manifest, busy)


@dataclass
class _Found:
    """The outputs of one direction.

    Attributes:
        digest, layers: of the direction, and the rows of ws that it changes.
        about: description of its sheet in the record, or else of its video.
        made: paths of the two by ``sheet`` and ``video``.
    """

    digest: str = ""
    layers: Sequence[int] = ()
    about: About = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)


def _write_report(manifest: Manifest, busy: bool) -> Path:
    by_label, by_rows = _entries(manifest.outdir)
    found: dict[str, dict[int, _Found]] = {}
    together: dict[str, list[Card]] = {word: [] for word in _TOGETHER}
    for name, entry in manifest.outputs.items():
        settings, about = entry.settings, entry.about
        if not about.get("title") or not (manifest.outdir / name).exists():
            continue
        kind = "sheet" if name.startswith("sheets/") else "video"
        word = next((word for word in _TOGETHER if word in settings), None)
        if word:
            anchor = f"{word}{len(together[word])}"
            together[word].append(_card(manifest, anchor, about["title"], about, {kind: name}))
        elif settings.keys() >= _CARD and "name" in about:
            one = found.setdefault(settings["label"], {}).setdefault(settings["index"], _Found())
            one.digest, one.layers = settings["direction"], settings["layers"]
            one.about = about if kind == "sheet" else {**about, **one.about}
            one.made[kind] = name
    shown = {label: {index: one.digest for index, one in held.items()} for label, held in found.items()}
    for label, held in found.items():  # the file may hold the same set under another label: coarse, 0-2
        for index, one in held.items():
            now = by_rows.get((tuple(one.layers), index, one.digest))
            by_label |= {(label, index, one.digest): now} if now is not None else {}
    scores = scored(manifest, {key: entry.name for key, entry in by_label.items()}, shown)
    sections = []
    for label, held in sorted(found.items(), key=_rank):
        rows = next(iter(held.values())).layers
        text = f"Edits change {'row' if len(rows) == 1 else 'rows'} {spans(rows)} of ws."
        cards = []
        for index, one in sorted(held.items()):
            key = label, index, one.digest
            now = by_label.get(key)
            name, star = (one.about["name"], "") if now is None else (now.name, " ★" if now.starred else "")
            facts = [("moves", scores.moves[key])] if key in scores.moves else []
            if now is not None:
                facts += [] if now.purity is None else [("name", f"by re-scoring, purity {now.purity:.2f}")]
                facts += [("your note", now.note)] if now.note else []
            title = f"Direction {index}{star}"
            cards.append(_card(manifest, f"{label}-dir{index:02d}", title, one.about, one.made, name, facts))
        sections.append(Section(f"layers-{label}", _section_title(label), text, cards))
    sections += [Section(f"{word}s", *_TOGETHER[word], cards) for word, cards in together.items() if cards]
    network = manifest.network
    unedited = manifest.outputs.get(UNEDITED)
    path = manifest.outdir / PAGE
    write_page(
        path,
        title=f"Editing directions of {network['name']}",
        facts=[("network", network["name"]), ("class", f"{network['class']} ({network['hook']})")],
        sections=sections,
        unedited=sheet_of(manifest.outdir, UNEDITED, unedited.about) if unedited and unedited.about else None,
        command=line(manifest.command),
        place=place_of(manifest.place) if manifest.place else "",
        busy=busy,
        matrices=scores.matrices,
    )
    return path


def _section_title(label: str) -> str:
    found, sharpen, changed = about = Label.of(label)
    title = _TITLES.get(found, f"{found.capitalize()} layers" if about.is_selection else found)
    title += "" if sharpen == "none" else f", sharpened by {sharpen}"
    return f"{title}, edited at {changed}" if changed else title


def _rank(item: tuple[str, object]) -> tuple[int, str]:
    """All, coarse, middle, fine, then the rest by name."""
    return _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER), item[0]


def _card(
    manifest: Manifest,
    anchor: str,
    title: str,
    about: About,
    made: Mapping[str, str],
    name: str = "",
    facts: Sequence[tuple[str, str]] = (),
) -> Card:
    """A card with the files of ``made`` (``sheet``, ``video``); ``facts`` follow those of the record."""
    return Card(
        anchor=anchor,
        title=title,
        name=name,
        words=about.get("words", ()),
        where=about.get("where", ""),
        facts=[*((key, about[key]) for key in ("eigenvalue", "note", "range") if about.get(key)), *facts],
        command=about.get("command", ""),
        place="" if about.get("outdir", "") in ("", manifest.place) else place_of(about["outdir"]),
        heat=about.get("heat", ""),
        sheet=sheet_of(manifest.outdir, made["sheet"], about) if "sheet" in made else None,
        video=made.get("video", ""),
    )


def _entries(
    outdir: Path,
) -> tuple[dict[tuple[str, int, str], Direction], dict[tuple[tuple[int, ...], int, str], Direction]]:
    """Directions in the files, by label or layers, index and digest; their names may be newer than the record."""
    by_label, by_rows = {}, {}
    for held in sets_in(outdir).values():
        for index, entry in enumerate(held.entries):
            digest = hashlib.sha256(entry.vector.tobytes()).hexdigest()
            by_label[held.label, index, digest] = by_rows[held.layers, index, digest] = entry
    return by_label, by_rows
