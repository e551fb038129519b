"""From the record of a folder to its page: what is there, in words, with the command that makes it again."""

from __future__ import annotations

import base64
import io
import os
import re
import shlex
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .atomic import alone_in
from .describe import heat_picture
from .directions import Directions, DirectionsFileError
from .layers import is_selection
from .manifest import Manifest
from .page import Card, Section, write_page
from .regular_file import open_regular
from .report_scores import scored
from .spectrum import remark_on, spans

PAGE = "index.html"
_LARGEST_HEAT = 256  # pixels a side
_UNFOLDING, _FEW_PIXELS = 100, 1 << 22  # pixels of a sheet for each byte of its file, and how many any may have
_BREAKS = {
    "low": "; the low side ends where pictures break",
    "high": "; the high side ends where pictures break",
    "both": "; both sides end where pictures break",
}
_CARD = {"label", "index", "direction", "layers"}  # settings of what has one
_ORDER = ("all", "coarse", "middle", "fine")
_TITLES = {"all": "All layers", "z": "Z, before the mapping network", "input": "StyleGAN3's input"}


def about_direction(directions: Directions, index: int, ends: tuple[float, float]) -> dict[str, Any]:
    """Words about one direction: title, name, eigenvalue, and a range in units of w and in sigmas."""
    name, (found, _, changed) = directions.names[index], directions.label.partition("@")
    found = found if directions.origin else f"layers {found}"
    place = "Z" if directions.space == "z" else f"{found}{f', edited at {changed}' if changed else ''}"
    value = directions.eigenvalues[index]
    low, high = (f"{end:+.3g}" if end else "0" for end in ends)
    sigma = directions.sigmas[index]
    sized = f" ({ends[0] / sigma:+.1f} to {ends[1] / sigma:+.1f} sigmas)" if sigma else ""
    if directions.ranges[index] == ends and directions.broken[index]:  # not one that was typed
        sized += _BREAKS[directions.broken[index]]
    return {
        "title": f"direction {index}{f' ({name})' if name else ''} of {place}",
        "name": name,
        "eigenvalue": "not known" if directions.origin and not value else f"{value:.4g}",
        "range": f"{low} to {high} units of {directions.space}{sized}",
        "note": remark_on(directions, index),
        "normalize": directions.normalize,
        "torgb": directions.torgb,
        "origin": directions.origin,
    }


_OPTIONS = {"label": "--class", "fov": "--fov-deg"}  # where a look's word is not the option's


def reproduce(manifest: Manifest, settings: dict[str, Any], about: dict[str, Any]) -> str:
    """The command that makes the outputs of one direction again.

    The network comes by its file's name alone: folders of the maker's machine go into no picture.
    """
    words = ["gen_sefa.py", "--network", file_of(manifest.network["path"])]
    found, _, changed = settings["label"].partition("@")
    if about.get("origin"):
        words += ["--directions-file", "FILE.safetensors"]
    elif settings["space"] == "z":
        words += ["--space", "z"]
    elif found != "all":
        words += ["--layers", _typed(found)]
    words += ["--edit-layers", _typed(changed)] if changed else []
    words += ["--directions", str(settings["index"])]
    film = settings["film"]
    words.append(f"--distance={film['low']:g},{film['high']:g}")
    words += subject_words(settings)
    words += [] if about["normalize"] else ["--no-normalize"]
    words += [] if about["torgb"] == "last" else ["--torgb", about["torgb"]]
    usual = {"frames": 60, "fps": 30.0, "loop": "pingpong", "easing": "linear", "video": "mp4"}
    for key, value in usual.items():
        if film.get(key, value) != value:
            words += [f"--{key}", f"{film[key]:g}" if key in ("frames", "fps") else film[key]]
    words += ["--captions"] if film.get("captions") else []
    return f"python {' '.join(map(shlex.quote, words))}  # sefa_plugin {__version__}"


def file_of(network: str) -> str:
    """A network's file without its folder, or its address."""
    return network if "://" in network else re.split(r"[/\\]", network)[-1]


def subject_words(settings: dict[str, Any]) -> list[str]:
    """What a person types for the subjects of an output and how they are looked at."""
    seeds = [label.split()[1] for label in settings["subjects"] if label.startswith("seed ")]
    words = ["--seeds", ",".join(seeds)] if seeds else []
    words += ["--projected-w", "FILE.npz"] if settings["projected"] else []
    return words + look_words(settings["look"])


def look_words(look: Mapping[str, Any]) -> list[str]:
    """What a person types for a look (its fields, by name), where that is not the usual one."""
    words = []
    plain = {"trunc": 1.0, "trunc_cutoff": None, "noise_mode": "const", "label": None, "rotate": 0.0, "fov": 18.837}
    for key, usual in plain.items():
        if look.get(key, usual) != usual:
            words += [_OPTIONS.get(key) or f"--{key.replace('_', '-')}", f"{look[key]}"]
    if any(look["translate"]):
        words.append("--translate={:g},{:g}".format(*look["translate"]))
    if any(look.get("camera", ())):
        words.append("--camera={:g},{:g}".format(*look["camera"]))
    return words + (["--precision", "bf16"] if look.get("bf16") else [])


def _typed(label: str) -> str:
    """What a person types for a group of layers."""
    return re.sub(r"^layer0?", "", label).replace("_", ",")


def command_of(manifest: Manifest) -> str:
    """The command of the whole run, likewise without folders."""
    return without_folders(manifest.command)


def without_folders(command: Sequence[str]) -> str:
    """A command as one line, in which things on the maker's machine go by their own names alone."""
    return " ".join(shlex.quote(_without_folder(word)) for word in command)


def packed(heat: np.ndarray) -> str:
    """A small grey picture as text, for the record."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(heat).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _unpacked(text: Any) -> np.ndarray | None:
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
    cards: dict[str, dict[int, dict[str, Any]]] = {}
    grids, planes = [], []
    for name, entry in manifest.outputs.items():
        settings, about = entry.get("settings", {}), entry.get("about") or {}
        if not about.get("title") or not (manifest.outdir / name).exists():
            continue
        if "grid" in settings:
            grids.append(_card(manifest, "grid", {"video": name, **about}))
            continue
        if "plane" in settings:
            held = {"sheet" if name.startswith("sheets/") else "video": name}
            planes.append(_card(manifest, f"plane{len(planes)}", {**held, **about}))
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


def _without_folder(word: str) -> str:
    """A page is shown to others: where things lie on the maker's machine stays out of it."""
    if "://" in word or not re.search(r"[/\\]", word):
        return word
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + re.split(r"[/\\]", value.rstrip("/\\"))[-1]


def _rank(item: tuple[str, Any]) -> tuple[int, str]:
    """All, coarse, middle, fine, then the rest by name."""
    return _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER), item[0]


def _card(manifest: Manifest, anchor: str, about: dict[str, Any], index: int | None = None) -> Card:
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


def _row(outdir: Path, about: dict[str, Any]) -> list[tuple[str, np.ndarray]]:
    cells = _cells(outdir / "sheets/unedited.jpg", about.get("boxes"))
    return list(zip(about.get("columns", ()), cells[0])) if cells else []


def _cells(path: Path, boxes: Any) -> list[list[np.ndarray]]:
    """The pictures of a sheet, cut out of it; none where the file cannot be read."""
    from PIL import Image

    try:
        with open_regular(path) as file, _without_warnings(), Image.open(file, formats=["JPEG"]) as sheet:
            pixels = sheet.width * sheet.height
            if pixels > _FEW_PIXELS and pixels > _UNFOLDING * os.fstat(file.fileno()).st_size:
                return []  # no sheet of ours
            rgb = np.asarray(sheet.convert("RGB"))
        if any(x + wide > rgb.shape[1] or y + high > rgb.shape[0] for row in boxes for x, y, wide, high in row):
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
        for index, name in enumerate(held.names):
            digest = hashlib.sha256(held.vectors[index].tobytes()).hexdigest()
            names[held.label, index, digest] = name, held.purity[index]
    return names
