"""The command that makes an output again, and descriptions of directions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from .. import __version__
from ..directions.directions import Directions
from ..directions.layers import Label
from ..directions.ties import remark_on
from ..rendering.look import Look
from .output_settings import OutputSettings
from .recipe import NAME, Recipe
from .record import About, Manifest, Settings


def command_for(recipe: Recipe, kind: str = "", output: OutputSettings | None = None) -> str:
    """The command that makes the stills of a recipe again, or its video; paths are reduced to file names."""
    if output is not None:
        words = ["sefa", "render", "--recipe", NAME, "--animate", kind, "--frames", f"{output.frames}"]
        words += ["--fps", f"{output.fps:g}", "--loop", output.loop, "--easing", output.easing, "--video", output.video]
    else:
        words = ["sefa", "edit", "--network", file_of(recipe.network["path"])]
        words += ["--seeds", ",".join(map(str, recipe.seeds))] if recipe.seeds else []
        words += ["--projected-w", recipe.ws_file or "FILE.npz"] if recipe.ws is not None else []
        words += look_words(asdict(recipe.look))
        words += [word for edit in recipe.edits for word in ("--edit", edit.command)]
        words += [] if all(edit.normalize for edit in recipe.edits) else ["--no-normalize"]
        words += [word for torgb in {edit.torgb for edit in recipe.edits} - {"last"} for word in ("--torgb", torgb)]
    return f"{' '.join(map(shlex.quote, words))}  # sefa_plugin {__version__}"


_BREAKS = {
    "low": "; the low side ends where pictures break",
    "high": "; the high side ends where pictures break",
    "both": "; both sides end where pictures break",
}


def about_direction(directions: Directions, index: int, ends: tuple[float, float]) -> About:
    """Describe one direction: title, name, eigenvalue, and range in units of w and in sigmas."""
    entry = directions.entries[index]
    place = "Z" if directions.space == "z" else Label.of(directions.label).words
    low, high = (f"{end:+.3g}" if end else "0" for end in ends)
    sized = f" ({ends[0] / entry.sigma:+.1f} to {ends[1] / entry.sigma:+.1f} sigmas)" if entry.sigma else ""
    if entry.range == ends and entry.broken:  # measured, not typed
        sized += _BREAKS[entry.broken]
    return {
        "title": f"direction {index}{f' ({entry.name})' if entry.name else ''} of {place}",
        "name": entry.name,
        "eigenvalue": "not known" if directions.origin and not entry.eigenvalue else f"{entry.eigenvalue:.4g}",
        "range": f"{low} to {high} units of {directions.space}{sized}",
        "note": remark_on(directions, index),
        "normalize": directions.normalize,
        "torgb": directions.torgb,
        "origin": directions.origin,
    }


_OPTIONS = {"label": "--class", "fov": "--fov-deg"}  # where the option is not named like the field of a look


def reproduce(network: str, settings: Settings, about: About) -> str:
    """The command that makes the outputs of one direction again.

    Of the path ``network`` only the file name is used, so that folders of this computer are not published.
    """
    words = ["gen_sefa.py", "--network", file_of(network)]
    found, _, changed = settings["label"].partition("@")
    if about.get("origin"):
        words += ["--directions-file", "FILE.safetensors"]
    elif settings["space"] == "z":
        words += ["--space", "z"]
    elif found != "all":
        words += ["--layers", _typed(found)]
    words += ["--edit-layers", _typed(changed)] if changed else []
    words += ["--directions", str(settings["index"])]
    output = settings["film"]
    words.append(f"--distance={output['low']:g},{output['high']:g}")
    words += subject_words(settings)
    words += [] if about["normalize"] else ["--no-normalize"]
    words += [] if about["torgb"] == "last" else ["--torgb", about["torgb"]]
    usual = {"frames": 60, "fps": 30.0, "loop": "pingpong", "easing": "linear", "video": "mp4"}
    for key, value in usual.items():
        if output.get(key, value) != value:
            words += [f"--{key}", f"{output[key]:g}" if key in ("frames", "fps") else output[key]]
    words += ["--captions"] if output.get("captions") else []
    return f"python {' '.join(map(shlex.quote, words))}  # sefa_plugin {__version__}"


def file_of(network: str) -> str:
    """A network's file without its folder, or its address."""
    return network if "://" in network else re.split(r"[/\\]", network)[-1]


def subject_words(settings: Settings) -> list[str]:
    """Options for the subjects and the look of an output."""
    seeds = [label.split()[1] for label in settings["subjects"] if label.startswith("seed ")]
    words = ["--seeds", ",".join(seeds)] if seeds else []
    words += ["--projected-w", "FILE.npz"] if settings["projected"] else []
    return words + look_words(settings["look"])


def look_words(look: Settings) -> list[str]:
    """Options for a look (its fields, by name) that differ from the default."""
    words, usual_look = [], asdict(Look())
    for key in ("trunc", "trunc_cutoff", "noise_mode", "label", "rotate", "fov"):
        if look.get(key, usual_look[key]) != usual_look[key]:
            words += [_OPTIONS.get(key) or f"--{key.replace('_', '-')}", f"{look[key]}"]
    if any(look["translate"]):
        words.append("--translate={:g},{:g}".format(*look["translate"]))
    if any(look.get("camera", ())):
        words.append("--camera={:g},{:g}".format(*look["camera"]))
    precision = "bf16" if look.get("bf16") else "float32" if look.get("force_fp32") else ""
    return words + (["--precision", precision] if precision else [])


def _typed(label: str) -> str:
    """The label of a group of layers as an option's value."""
    return re.sub(r"^layer0?", "", label).replace("_", ",")


def command_of(manifest: Manifest) -> str:
    """The command of the whole run, with paths reduced to file names."""
    return without_folders(manifest.command)


def without_folders(command: Sequence[str]) -> str:
    """A command as one line, with paths reduced to file names."""
    return " ".join(shlex.quote(_without_folder(word)) for word in command)


def _without_folder(word: str) -> str:
    """A word with a path reduced to its last part: outputs are published, folders of this computer are not."""
    if "://" in word or not re.search(r"[/\\]", word):
        return word
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + re.split(r"[/\\]", value.rstrip("/\\"))[-1]
