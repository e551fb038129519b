"""From the record of a folder to its page: what is there, in words."""

from __future__ import annotations

import base64
import io
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...directions.directions import Directions
from ...directions.file import DirectionsFileError
from ...directions.layers import is_selection
from ...media.effect import heat_picture
from ...system.messages import spans
from ...system.regular_files import open_regular
from ...system.whole_files import alone_in
from ..record import About, Manifest
from ..reproduce import command_of
from .html import Card, Section, write_page
from .scores import scored

PAGE = "index.html"
_LARGEST_HEAT = 256  # pixels a side
_UNFOLDING, _FEW_PIXELS = 100, 1 << 22  # pixels of a sheet for each byte of its file, and how many any may have
Boxes = Sequence[Sequence[tuple[int, int, int, int]]]  # x, y, width, height in pixels, by rows
_CARD = {"label", "index", "direction", "layers"}  # settings of what has one
_ORDER = ("all", "coarse", "middle", "fine")
_TITLES = {"all": "All layers", "z": "Z, before the mapping network", "input": "StyleGAN3's input"}


def packed(heat: np.ndarray) -> str:
    """A small grey picture as text, for the record."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(heat).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _unpacked(text: str) -> np.ndarray | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as heat:
            return np.array(heat.convert("L")) if max(heat.size) <= _LARGEST_HEAT else None
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError):
        return None


class Pages:
    """Writes the page again and again while a run goes on, but never spends much of its time on that."""

    SHARE = 0.1  # of the time that passes

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._count = 0
        self._next = 0.0

    def __call__(self, busy: bool) -> None:
        """Write it; while ``busy``, perhaps not this time.

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


def write_report(manifest: Manifest, busy: bool = False) -> Path:
    """Write ``index.html`` of all that the record holds; gives its path.

    Raises:
        OSError: it cannot be written; an older page stays.
    """
    manifest.outdir.mkdir(parents=True, exist_ok=True)
    with alone_in(manifest.outdir):  # of two runs in one folder, the last page shows what both have made
        manifest.refresh()
        return _write_report(manifest, busy)


def _write_report(manifest: Manifest, busy: bool) -> Path:
    named = _names(manifest.outdir)
    cards: dict[str, dict[int, About]] = {}
    grids: list[Card] = []
    planes: list[Card] = []
    for name, entry in manifest.outputs.items():
        settings, about = entry.get("settings", {}), entry.get("about") or {}
        if not about.get("title") or not (manifest.outdir / name).exists():
            continue
        if "grid" in settings:
            grids.append(_card(manifest, "grid", {"video": name, **about}))
            continue
        if "plane" in settings:
            kind = "sheet" if name.startswith("sheets/") else "video"
            planes.append(_card(manifest, f"plane{len(planes)}", {kind: name, **about}))
            continue
        if not settings.keys() >= _CARD or "name" not in about:
            continue
        kind = "sheet" if name.startswith("sheets/") else "video"
        card = cards.setdefault(settings["label"], {}).setdefault(settings["index"], {})
        card.update({key: value for key, value in about.items() if kind == "sheet" or key not in card})
        card[kind] = name
        card["direction"] = settings["direction"]
        key = settings["label"], settings["index"], settings["direction"]
        card["name"], card["purity"] = named.get(key, (about["name"], None))
        card["layers"] = settings["layers"]
    shown = {label: {index: card["direction"] for index, card in held.items()} for label, held in cards.items()}
    scores = scored(manifest, {key: name for key, (name, _) in named.items()}, shown)
    sections = []
    for label, held in sorted(cards.items(), key=_rank):
        rows = next(iter(held.values()))["layers"]
        text = f"Edits change {'row' if len(rows) == 1 else 'rows'} {spans(rows)} of ws."
        for index, card in held.items():
            card["moves"] = scores.moves.get((label, index, card["direction"]), "")
        made = [_card(manifest, f"{label}-dir{index:02d}", held[index], index) for index in sorted(held)]
        sections.append(Section(f"layers-{label}", _section_title(label), text, made))
    if grids:
        sections.append(Section("grids", "All directions at once", "Subjects down, directions across.", grids))
    if planes:
        sections.append(Section("planes", "Two directions at once", "One across, one down.", planes))
    network = manifest.network
    facts = [("network", network["name"]), ("class", f"{network['class']} ({network['hook']})")]
    path = manifest.outdir / PAGE
    unedited = manifest.outputs.get("sheets/unedited.jpg", {})
    write_page(
        path,
        title=f"Editing directions of {network['name']}",
        facts=facts,
        sections=sections,
        unedited=_row(manifest.outdir, unedited.get("about") or {}),
        command=command_of(manifest),
        busy=busy,
        matrices=scores.matrices,
    )
    return path


def _section_title(label: str) -> str:
    found, _, changed = label.partition("@")
    title = _TITLES.get(found, f"{found.capitalize()} layers" if is_selection(found) else found)
    return f"{title}, edited at {changed}" if changed else title


def _rank(item: tuple[str, object]) -> tuple[int, str]:
    """All, coarse, middle, fine, then the rest by name."""
    return _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER), item[0]


def _card(manifest: Manifest, anchor: str, about: About, index: int | None = None) -> Card:
    heat = _unpacked(about["heat"]) if about.get("heat") else None
    sheet, columns = about.get("sheet", ""), about.get("columns", ())
    facts = [(key, about[key]) for key in ("eigenvalue", "note", "range", "moves") if about.get(key)]
    if about.get("purity") is not None:
        facts.append(("name", f"by re-scoring, purity {about['purity']:.2f}"))
    return Card(
        anchor=anchor,
        title=about["title"] if index is None else f"Direction {index}",
        name=about.get("name", ""),
        words=tuple(about.get("words", ())),
        where=about.get("where", ""),
        facts=tuple(facts),
        command=about.get("command", ""),
        heat=None if heat is None else heat_picture(heat),
        rows=_cells(manifest.outdir / sheet, about.get("boxes")) if sheet else (),
        row_labels=about.get("rows", ()) if sheet else (),
        column_labels=columns if sheet else (),
        marked=columns.index("0") if sheet and "0" in columns else None,
        axes=about.get("axes", Card.axes),
        sheet=sheet,
        video=about.get("video", ""),
    )


def _row(outdir: Path, about: About) -> list[tuple[str, np.ndarray]]:
    cells = _cells(outdir / "sheets/unedited.jpg", about.get("boxes"))
    return list(zip(about.get("columns", ()), cells[0])) if cells else []


def _cells(path: Path, boxes: Boxes | None) -> list[list[np.ndarray]]:
    """The pictures of a sheet, cut out of it; none where the file cannot be read."""
    from PIL import Image

    try:
        with open_regular(path) as file, _without_warnings(), Image.open(file, formats=["JPEG"]) as sheet:
            pixels = sheet.width * sheet.height
            if pixels > _FEW_PIXELS and pixels > _UNFOLDING * os.fstat(file.fileno()).st_size:
                return []  # no sheet of ours
            rgb = np.asarray(sheet.convert("RGB"))
        if boxes is None or any(
            x + wide > rgb.shape[1] or y + high > rgb.shape[0] for row in boxes for x, y, wide, high in row
        ):
            return []
        return [[rgb[y : y + high, x : x + wide] for x, y, wide, high in row] for row in boxes]
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError):
        return []


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of large pictures on standard error; large sheets are usual."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _names(outdir: Path) -> dict[tuple[str, int, str], tuple[str, float | None]]:
    """Present names and their purity by label, index and digest of the direction: one may have been given since."""
    import hashlib

    names = {}
    for path in sorted(outdir.glob("directions*.safetensors")):
        try:
            held = Directions.load(path)
        except DirectionsFileError:
            continue
        for index, entry in enumerate(held.entries):
            digest = hashlib.sha256(entry.vector.tobytes()).hexdigest()
            names[held.label, index, digest] = entry.name, entry.purity
    return names
