"""Positions of sliders with a name, in one plain file of the network's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ..reading.json_file import parsed, read_bounded
from ..runs.settings import SettingsError
from ..system.regular_files import reading
from ..system.whole_files import alone_in, whole_file
from .state import Id, Sent, Slider

NAME, MOST, MAX_BYTES = "presets.json", 200, 1 << 22
_Title = Annotated[str, Meta(min_length=1, max_length=100)]
_Sliders = Annotated[tuple[Slider, ...], Meta(max_length=200)]


class Preset(Sent, frozen=True):
    """Positions of sliders."""

    name: _Title
    edits: _Sliders


class Setting(Sent, frozen=True):
    """A preset as a browser sends it; without edits it is removed."""

    network: Id
    name: _Title
    edits: _Sliders = ()


class _File(Sent, frozen=True):
    presets: Annotated[tuple[Preset, ...], Meta(max_length=MOST)]
    format: Literal["sefa_presets"] = "sefa_presets"
    version: Literal[1] = 1


def presets_in(folder: Path) -> tuple[Preset, ...]:
    """The presets of a folder; none where it has no such file.

    Raises:
        SettingsError: the file cannot be used.
    """
    path = folder / NAME
    if not path.exists():
        return ()
    with reading(path, SettingsError):
        data = read_bounded(path, MAX_BYTES)
    try:
        held: _File = parsed(data, _File)
    except ValueError as error:
        raise SettingsError(f"{path}: holds no presets that can be used: {error}") from None
    return held.presets


def set_preset(folder: Path, setting: Setting) -> tuple[Preset, ...]:
    """Add, replace or remove a preset; returns all.

    Raises:
        SettingsError: there are too many, the name is not printable, or the file cannot be used.
        OSError: the file cannot be written.
    """
    if not setting.name.isprintable():
        raise SettingsError("the name of a preset holds a line break")
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        others = [one for one in presets_in(folder) if one.name != setting.name]
        return _written(folder, [*others, Preset(setting.name, setting.edits)] if setting.edits else others)


def add_presets(folder: Path, more: Sequence[Preset]) -> tuple[str, ...]:
    """Add presets of elsewhere to those of a folder; returns the names under which they were added.

    One whose name is taken by other positions gets a number appended; the same positions are left out.

    Raises:
        SettingsError: there are too many, or the file cannot be used.
        OSError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        made = {one.name: one for one in presets_in(folder)}
        added = []
        for one in more:
            names = [one.name, *(f"{one.name[:90]} {number}" for number in range(2, MOST + 2))]
            name = next(name for name in names if name not in made or made[name].edits == one.edits)
            if name not in made:
                made[name] = Preset(name, one.edits)
                added.append(name)
        if added:
            _written(folder, list(made.values()))
    return tuple(added)


def _written(folder: Path, made: Sequence[Preset]) -> tuple[Preset, ...]:
    if len(made) > MOST:
        raise SettingsError(f"there would be more than {MOST} presets; remove some first")
    with whole_file(folder / NAME) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(_File(tuple(made))), indent=1) + b"\n")
    return tuple(made)
