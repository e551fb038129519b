"""Collect the content of a page from the record of its folder."""

from __future__ import annotations

import base64
import hashlib
import io
import math
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
from ..command_line import line, place_of, values_of
from ..record import About, Entry, Manifest
from .edited import edited
from .html import Card, Matrix, Section, Star, write_page
from .looks import Looks
from .playing import Made, play_of, play_of_plane
from .scores import scored
from .sheets import sheet_of

PAGE, SINGLE = "index.html", "index-single.html"
STARS = "stars.json"  # the file that the page offers
MARK = b'<meta name="generator" content="sefa_plugin">'  # in every page, also of older versions
UNEDITED = "sheets/unedited.jpg"
_CARD = {"label", "index", "direction", "layers"}  # settings of outputs that have a card
_TOGETHER = {  # outputs of several directions, by a setting that only they have: title and text of their section
    "grid": ("All directions at once", "Subjects down, directions across."),
    "plane": ("Two directions at once", "One across, one down."),
}
_EDITED = ("Edits", "Pictures made with sefa edit, and videos made of them with sefa render.")
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


def write_report(manifest: Manifest, busy: bool = False, single: bool = False) -> Path:
    """Write ``index.html`` of all that the record holds; returns its path.

    Args:
        manifest: the record.
        busy: whether more is being made.
        single: write ``index-single.html``, which holds its pictures and videos.

    Raises:
        OSError: it cannot be written; an older page stays.
    """
    manifest.outdir.mkdir(parents=True, exist_ok=True)
    with alone_in(manifest.outdir):  # with two runs in one folder, the last page shows the outputs of both
        manifest.refresh()
        return _write_report(manifest, busy, single)


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


def _write_report(manifest: Manifest, busy: bool, single: bool) -> Path:
    outputs = {name: entry for name, entry in manifest.outputs.items() if _is_shown(manifest, name, entry)}
    looks = Looks(outputs)
    sections, matrices = _directions(manifest, outputs, looks)
    for word, (title, text) in _TOGETHER.items():
        made = [(name, entry.about) for name, entry in outputs.items() if word in entry.settings]
        cards = [
            _card(manifest, f"{word}{at}", about["title"], about, {_kind(name): name}, "", looks.of(name))
            for at, (name, about) in enumerate(made)
        ]
        sections += [Section(f"{word}s", title, text, cards)] if cards else []
    edits = edited(manifest)
    sections += [Section("edits", *_EDITED, edits)] if edits else []
    network, unedited = manifest.network, manifest.outputs.get(UNEDITED)
    path = manifest.outdir / (SINGLE if single else PAGE)
    write_page(
        path,
        title=f"Editing directions of {network['name']}",
        facts=[("network", network["name"]), ("architecture", f"{network['class']} ({network['hook']})")]
        + looks.common,
        sections=sections,
        unedited=sheet_of(manifest.outdir, UNEDITED, unedited.about) if unedited and unedited.about else None,
        command=line(manifest.command),
        place=place_of(manifest.place) if manifest.place else "",
        busy=busy,
        matrices=matrices,
        naming=line(["sefa", "name", manifest.place or ".", "--from", STARS]),
        single=single,
    )
    return path


def _is_shown(manifest: Manifest, name: str, entry: Entry) -> bool:
    return bool(entry.about.get("title")) and (manifest.outdir / name).exists()


def _kind(name: str) -> str:
    return "sheet" if name.startswith("sheets/") else "video"


def _directions(
    manifest: Manifest, outputs: Mapping[str, Entry], looks: Looks
) -> tuple[list[Section], Sequence[Matrix]]:
    """A section for each group of layers, and the tables of scores."""
    by_label, by_rows = _entries(manifest.outdir)
    found: dict[str, dict[int, _Found]] = {}
    for name, entry in outputs.items():
        settings, about = entry.settings, entry.about
        if not settings.keys() >= _CARD or "name" not in about or _TOGETHER.keys() & settings.keys():
            continue
        one = found.setdefault(settings["label"], {}).setdefault(settings["index"], _Found())
        one.digest, one.layers = settings["direction"], settings["layers"]
        one.about = about if _kind(name) == "sheet" else {**about, **one.about}
        one.made[_kind(name)] = name
    shown = {label: {index: one.digest for index, one in held.items()} for label, held in found.items()}
    for label, held in found.items():  # the file may hold the same set under another label: coarse, 0-2
        for index, one in held.items():
            now = by_rows.get((tuple(one.layers), index, one.digest))
            by_label |= {(label, index, one.digest): now} if now is not None else {}
    clean = values_of(manifest.command, "--order")[-1:] == ["clean"]
    scores = scored(manifest, {key: entry.name for key, entry in by_label.items()}, shown)
    sections = []
    for label, held in sorted(found.items(), key=_rank):
        first = next(iter(held.values()))
        rows, origin = first.layers, first.about.get("origin")
        found_by = f"Imported: {origin}." if origin else "Found by SeFa, in closed form from the weights."
        text = f"{found_by} Edits change {'row' if len(rows) == 1 else 'rows'} {spans(rows)} of ws."
        cards = []
        now_of = {index: by_label.get((label, index, one.digest)) for index, one in held.items()}
        places = {index: now.score.place for index, now in now_of.items() if clean and now is not None and now.score}
        text += " Those that do one thing come first." if places else ""
        for index in sorted(held, key=lambda index: (places.get(index, math.inf), index)):
            one, now = held[index], now_of[index]
            key = label, index, one.digest
            name = one.about["name"] if now is None else now.name
            facts = [("your note", now.note)] if now is not None and now.note else []
            facts += [("moves", scores.moves[key])] if key in scores.moves else []
            if now is not None and now.purity is not None:
                facts += [("name", f"by re-scoring, purity {now.purity:.2f}")]
            facts += looks.of(next(iter(one.made.values())))
            star = Star(label, index, one.digest, one.layers, now is not None and now.starred)
            anchor = f"{label}-dir{index:02d}"
            notes = one.about.get("note"), None if now is None else now.changes_alike
            about = {**one.about, "note": "; ".join(filter(None, notes))}
            cards.append(_card(manifest, anchor, f"Direction {index}", about, one.made, name, facts, star))
        sections.append(Section(f"layers-{label}", _section_title(label), text, cards))
    return sections, scores.matrices


def _section_title(label: str) -> str:
    about = Label.of(label)
    found, changed = about.layers, about.rows
    title = _TITLES.get(found, f"{found.capitalize()} layers" if about.is_selection else found)
    title += about.found_by
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
    name: str,
    facts: Sequence[tuple[str, str]],
    star: Star | None = None,
) -> Card:
    """A card with the files of ``made`` (``sheet``, ``video``)."""
    sheet = sheet_of(manifest.outdir, made["sheet"], about) if "sheet" in made else None
    held = {kind: Made(name, manifest.outputs[name], sheet.pictures if sheet else None) for kind, name in made.items()}
    terms = {"eigenvalue": "eigenvalue", "range": "range", "note": "remark"}
    return Card(
        anchor=anchor,
        title=title,
        name=name,
        words=about.get("words", ()),
        where=about.get("where", ""),
        facts=facts,
        details=[(term, about[key]) for key, term in terms.items() if about.get(key)],
        command=about.get("command", ""),
        place="" if about.get("outdir", "") in ("", manifest.place) else place_of(about["outdir"]),
        heat=about.get("heat", ""),
        sheet=sheet,
        video=made.get("video", ""),
        play=play_of(held.get("sheet"), held.get("video")) if star else play_of_plane(held["sheet"]) if sheet else None,
        star=star,
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
