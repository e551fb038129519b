"""The commands that outputs carry, and the pixels of outputs."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageSequence
from typed_commands import decode

from sefa_plugin.runs.command_line import line

PICTURES = (".jpg", ".png", ".gif", ".mp4")


def comment_of(path: Path) -> str:
    """The comment in the metadata of a picture or a video."""
    if path.suffix == ".mp4":
        words = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
        text = subprocess.run(words, capture_output=True, check=True).stdout.decode()
        found = re.search(r"^comment=((?:\\.|[^\\\n])*(?:\\\n(?:\\.|[^\\\n])*)*)", text, re.M | re.S)
        assert found, text
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.S)
    with Image.open(path) as picture:
        held = picture.text["Comment"] if path.suffix == ".png" else picture.info["comment"]
    return held.decode() if isinstance(held, bytes) else held


def pictures_in(folder: Path) -> dict[str, Path]:
    """Pictures and videos below a folder, by their names in it."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in PICTURES}


def pixels(path: Path) -> list[np.ndarray]:
    """All frames of a picture or a video."""
    if path.suffix == ".mp4":
        return decode(path)
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


def stored(folder: Path) -> Iterator[tuple[str, list[str], str]]:
    """Commands that an output folder holds, the names of the pictures that each belongs to, and where it was found."""
    made = pictures_in(folder)
    for name, path in made.items():
        command, place, *_ = comment_of(path).splitlines()
        assert place.startswith("# run in the folder "), place
        yield command, [name], f"metadata of {name}"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    yield line(record["command"]), [], "run.json"
    for name, entry in record["outputs"].items():
        named = [held for held in made if held == name or held.startswith(f"{name}/")]
        if "command" in entry["about"]:
            yield entry["about"]["command"], named, f"description of {name} in run.json"
        yield line(entry["command"]), named, f"{name} in run.json"
    page = folder / "index.html"
    if page.is_file():
        for command in re.findall(r"<code>(.*?)</code>", page.read_text(encoding="utf-8"), re.S):
            yield html.unescape(command), [], "index.html"
    for table in folder.rglob("rescore-*.json"):
        yield json.loads(table.read_text(encoding="utf-8"))["command"], [], table.name
