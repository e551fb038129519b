"""The commands that make outputs again, and descriptions of directions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from ..directions.directions import Directions
from ..directions.kept import KeptDirections
from ..directions.layers import Label
from ..directions.region import region_of
from ..directions.ties import remark_on
from ..rendering.edits import Edit
from ..rendering.look import Look
from ..rendering.shards import View
from ..rendering.typed_edits import AGAIN, TypedAxis, TypedEdit, parse_edit
from .command_line import NOT_AGAIN, line, portable, program_of, values_of, with_options
from .output_settings import OutputSettings
from .recipe import Recipe
from .record import About
from .settings import NetworkChoice, Wanted


def of_direction(
    command: Sequence[str], directions: Directions, index: int, ends: tuple[float, float], measured: bool = False
) -> str:
    """The command that makes the outputs of one direction again, from the command that made those of several.

    Args:
        command, directions, index: the command, and which direction.
        ends, measured: its range, and whether that was measured.
    """
    values = {"-K": [], "--num-directions": [], "--order": [], "--outdir": [], "--directions": [f"{index}"]}
    found = Label.of(directions.label).layers
    if directions.space == "w" and not any(word.startswith("--directions-file") for word in command):
        usual = found == "all" and program_of(command)[-1:] != ["demo"]  # which takes other layers where none are typed
        values["--layers"] = [] if usual else [found.replace("_", ",")]
    values["--distance"] = [_range(ends, measured)]
    return line(with_options(command, values, (*NOT_AGAIN, "--grid")))


def of_edits(command: Sequence[str], edits: Sequence[Edit]) -> str:
    """The command that makes the pictures of a recipe again: with the numbers and distances of its edits, if any."""
    typed = [parse_edit(value) for value in values_of(command, "--edit")]
    exact = [
        _direction(one, edit, f"{'+' if edit.distance >= 0 else ''}{number(edit.distance)}")
        for one, edit in zip(typed, edits)
    ]
    return line(with_options(command, {"--outdir": [], "--edit": exact}, NOT_AGAIN))


def of_plane(
    command: Sequence[str], typed: Sequence[TypedAxis], edits: Sequence[Edit], ends: Sequence[tuple[float, float]]
) -> str:
    """The command that makes the outputs of a plane again, with its ranges."""
    ranges = (_range(span, one.measured) for one, span in zip(typed, ends))
    across, down = map(_direction, typed, edits, ranges)
    return line(with_options(command, {"--outdir": [], "--across": [across], "--down": [down]}, NOT_AGAIN))


def of_run(command: Sequence[str]) -> str:
    """The command of a whole run, without the folder of its outputs."""
    return line(with_options(command, {"--outdir": []}, NOT_AGAIN))


def _direction(typed: TypedEdit | TypedAxis, edit: Edit, distance: str) -> str:
    """A direction with its number, since names change, and its layers as typed."""
    group, rows = (f"{typed.group}:" if typed.group else ""), (f"@{typed.rows}" if typed.rows else "")
    return f"{group}{edit.index}={distance}{rows}"


def _range(ends: tuple[float, float], measured: bool) -> str:
    return f"{AGAIN if measured else ''}{','.join(map(number, ends))}"


def number(value: float) -> str:
    """A number with all digits that it has: ``2``, ``-0.1``."""
    return repr(float(value)).removesuffix(".0")


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
        "title": f"Direction {index}{f' ({entry.name})' if entry.name else ''}, {place}",
        "name": entry.name,
        "eigenvalue": "not known" if directions.origin and not entry.eigenvalue else f"{entry.eigenvalue:.4g}",
        "range": f"{low} to {high} units of {directions.space}{sized}",
        "note": "; ".join(filter(None, (remark_on(directions, index), directions.acts_in(index)))),
        "normalize": directions.normalize,
        "torgb": directions.torgb,
        "origin": directions.origin,
    }


# --- runs from Python -----------------------------------------------------------------------------

_OPTIONS = {"fov": "--fov-deg"}  # where the option is not named like the field of a look


def from_python(
    choice: NetworkChoice,
    view: View,
    groups: Sequence[KeptDirections],
    wanted: Wanted,
    output: OutputSettings,
    distance: tuple[float, float] | None,
) -> list[str]:
    """The command that makes what ``make_outputs`` makes; no words where directions, ws or a mask are in no file."""
    if not groups:
        return []
    held = groups[0].directions
    region = region_of(held)
    if (view.given and not view.ws_file) or (wanted.file is None and (held.origin or (region and region.mask))):
        return []
    words = ["gen-sefa"] if output.sheet else ["sefa", "render"]
    words += ["--network", portable(choice.path)]
    for option, value in (("--which", choice.which), ("--sha256", choice.sha256), ("--device", choice.device)):
        words += [option, value] if value and value not in ("G_ema", "auto") else []
    flags = {"--trust-pickle": choice.trust_pickle, "--allow-local": choice.allow_local, "--strict": choice.strict}
    words += [option for option, given in flags.items() if given]
    words += ["--seeds", ",".join(map(str, view.seeds))] if view.seeds else []
    words += ["--projected-w", portable(view.ws_file)] if view.given else []
    words += _look_words(view.look)
    if wanted.file is not None:
        words += ["--directions-file", portable(wanted.file)]
    else:
        words += ["--space", "z"] if held.space == "z" else ["--layers", _layers(groups)]
        if region is not None:
            words += ["--region", region.numbers]
        elif held.sharpen != "none":
            words += ["--sharpen", held.sharpen]
        else:
            words += [] if held.normalize else ["--no-normalize"]
            words += [] if held.torgb == "last" else ["--torgb", held.torgb]
    words += ["--edit-layers", wanted.edit_layers] if wanted.edit_layers else []
    words += [f"--directions={','.join(map(str, wanted.keys))}"] if wanted.keys is not None else []
    words += ["-K", f"{wanted.count or held.dim}"] if wanted.keys is None else []
    words += ["--order", wanted.order] if wanted.keys is None and wanted.order != "strength" else []
    words += [f"--distance={','.join(map(number, distance))}"] if distance else []
    return words + _output_words(output)


def of_explored(recipe: Recipe, sets: Collection[Directions]) -> str:
    """The command that makes the pictures of a recipe of seeds, whose edits are along directions of these sets.

    '' where such a command would not find the directions: imported ones, and those of unlike factorisations.
    """
    hows = {(held.normalize, held.torgb) for held in sets}
    if len(hows) > 1 or any(held.origin for held in sets):
        return ""
    words = ["sefa", "edit", "--network", recipe.network["path"], "--seeds", ",".join(map(str, recipe.seeds))]
    words += _look_words(recipe.look)
    for normalize, torgb in hows:
        words += [] if normalize else ["--no-normalize"]
        words += [] if torgb == "last" else ["--torgb", torgb]
    for edit in recipe.edits:
        words += ["--edit", replace(edit, name="").typed]
    return line(words)


def _layers(groups: Sequence[KeptDirections]) -> str:
    labels = dict.fromkeys(Label.of(group.directions.label).layers for group in groups)
    return ",".join(label.replace("_", ",") for label in labels)


def _look_words(look: Look) -> list[str]:
    """Options for the parts of a look that differ from the default."""
    held, usual, words = asdict(look), asdict(Look()), []
    for key in ("trunc", "trunc_cutoff", "noise_mode", "label", "rotate", "fov"):
        if key == "label" and look.label is not None:
            if isinstance(look.label, int):
                words.append(f"--class={look.label}")
            else:
                words.append(f"--label={','.join(map(number, look.label))}")
        elif held[key] != usual[key]:
            words.append(f"{_OPTIONS.get(key) or '--' + key.replace('_', '-')}={held[key]}")
    words += [f"--{key}={held[key][0]},{held[key][1]}" for key in ("translate", "camera") if any(held[key])]
    if look.background:
        words.append("--background=#" + bytes(look.background).hex())
    precision = "bf16" if look.bf16 else "float32" if look.force_fp32 else ""
    return words + (["--precision", precision] if precision else [])


def _output_words(output: OutputSettings) -> list[str]:
    usual, words = OutputSettings.of_kind(output.video), ["--video", output.video]
    for key in ("frames", "fps", "loop", "easing"):
        if getattr(output, key) != getattr(usual, key):
            words += [f"--{key}", f"{getattr(output, key)}"]
    if output.max_width != usual.max_width:
        words += ["--size", f"{output.max_width or 'native'}"]
    words += ["--scale", f"{output.scale}"] if output.scale else []
    words += ["--canvas", output.canvas] if output.canvas else []
    if output.video == "gif" and output.max_bytes != usual.max_bytes:
        words += ["--max-mb", number((output.max_bytes or 1e12) / 1e6)]
    return words + ["--captions"] * output.captions + ["--grid"] * output.grid
