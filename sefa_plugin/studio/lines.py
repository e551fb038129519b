"""A state as text: the command and the lines of Python that make the same picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..directions.layers import Label
from ..rendering.edits import Edit
from ..runs.command_line import line, portable
from ..runs.recipe import Recipe
from .state import Record, State


def command_of(recipe: Recipe, program: Sequence[str] = ("sefa",)) -> list[str]:
    """The words of `sefa edit` that make a recipe of seeds, or of the ws that the page saves."""
    look = recipe.look
    subjects = ["--seeds", ",".join(map(str, recipe.seeds))] if recipe.ws is None else ["--projected-w", recipe.ws_file]
    words = [*program, "edit", *_network(recipe), *subjects]
    if look.trunc != 1:
        words += _option("--trunc", _number(look.trunc))
    if look.label is not None:
        words += ["--class", str(look.label)]
    if look.noise_mode != "const":
        words += ["--noise-mode", look.noise_mode]
    for edit in recipe.edits:
        words += _option("--edit", _typed(edit))
    return words


def video_of(recipe: Recipe, record: Record, file: str) -> list[str]:
    """The words of `sefa render --recipe` that make a video of a recipe in a file."""
    words = ["sefa", "render", "--recipe", portable(file), *_network(recipe), "--animate", record.kind]
    words += ["--frames", str(record.frames), "--fps", _number(record.fps), "--loop", record.loop]
    words += ["--easing", record.easing, "--video", record.video]
    return [*words, "--size", str(record.size)] if record.size else words


def _typed(edit: Edit) -> str:
    if not Label.of(edit.label).is_kept:
        return edit.typed_with(_signed(edit.distance))
    return f"{edit.label.replace('_', ',')}:{edit.name or edit.index}={_signed(edit.distance)}"


def _network(recipe: Recipe) -> list[str]:
    which = [] if recipe.network["which"] == "G_ema" else ["--which", recipe.network["which"]]
    return ["--network", portable(recipe.network["path"]), *which]


def _option(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _signed(value: float) -> str:
    return ("" if value < 0 else "+") + _number(value)


def shown(words: Sequence[str]) -> str:
    """A command as one line for the shell of this system."""
    return line(words)


def python_of(recipe: Recipe, state: State, files: Mapping[str, str]) -> str:
    """Lines of Python that make a recipe's first picture and save it.

    Args:
        recipe: of one seed.
        state: which the recipe is of.
        files: by layers, directions files of those groups that are not found by default settings.
    """
    groups = list(dict.fromkeys(one.layers for one in state.edits if one.distance))
    given = [f"seeds=[{state.seed}]", f"seed{state.seed:04d}.png"]
    if recipe.ws is not None:
        given = [f"projected={recipe.ws_file!r}", "edited.png"]
    subject, file = given
    look = {"trunc": recipe.look.trunc, "noise_mode": recipe.look.noise_mode, "label": recipe.look.label}
    usual = {"trunc": 1.0, "noise_mode": "const", "label": None}
    given_look = ", ".join(f"{key}={value!r}" for key, value in look.items() if value != usual[key])
    imports = ["Look", "NetworkChoice", "Session", "render"]
    which = "" if recipe.network["which"] == "G_ema" else f", which={recipe.network['which']!r}"
    lines = [
        f"session = Session.open(NetworkChoice({recipe.network['path']!r}{which}))",
        f"scene = session.scene(session.view(Look({given_look}), {subject}))",
    ]
    edits = "[]"
    if groups:
        lines += ["found = {}"]
        plain, kept = [one for one in groups if one not in files], [one for one in groups if one in files]
        if plain:
            imports = ["Factorisation", *imports]
            lines += [f"for layers in {plain!r}:"]
            lines += ["    (group,) = session.directions(Factorisation(layers=layers))"]
            lines += ["    found[layers] = group.directions"]
        if kept:
            imports = ["Directions", *imports]
            lines += [f"found[{one!r}] = Directions.load({files[one]!r})" for one in kept]
        made = [
            f"    edit_of(found[{one.layers!r}], {one.index}, {_number(one.distance)}),\n"
            for one in state.edits
            if one.distance
        ]
        edits = f"[\n{''.join(made)}]"
    lines += [f"edits = {edits}"] if groups else []
    noise = f", noise_mode={recipe.look.noise_mode!r}" if recipe.look.noise_mode != "const" else ""
    lines += [f"(picture,) = render(scene.G, scene.edited(0, {'edits' if groups else '[]'}){noise})"]
    lines += [f'Image.fromarray(picture.squeeze()).save("{file}")']
    head = ["from PIL import Image", "", f"from sefa_plugin import {', '.join(imports)}"]
    head += ["from sefa_plugin.rendering.edits import edit_of"] if groups else []
    return "\n".join([*head, "", *lines]) + "\n"
