"""Positions of sliders with a name, and what moves them on stage, in one plain file of the network's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Optional

import msgspec
from msgspec import Meta, structs

from ..reading.json_file import fitting, parsed, read_bounded
from ..runs.settings import SettingsError
from ..system.regular_files import reading
from ..system.whole_files import alone_in, whole_file
from .state import Id, Sent, Slider

NAME, MOST, MOST_CONTROLS, MAX_BYTES = "presets.json", 200, 1000, 1 << 22
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


class Control(Sent, frozen=True):
    """What moves a control of the stage: an address of OSC, or a knob of MIDI (``midi 1 cc 7``: of channel 1)."""

    control: Annotated[str, Meta(pattern=r"^[^\s]{1,250}$")]
    source: Annotated[str, Meta(pattern=r"^(/[^\s]{1,199}|midi \d{1,2} (cc|note|bend) \d{1,3})$")]


class Learned(Sent, frozen=True):
    """A source that a browser has learned for a control; None forgets it."""

    network: Id
    control: Annotated[str, Meta(pattern=r"^[^\s]{1,250}$")]
    source: Optional[str] = None


Controls = dict[str, str]  # by source


class _File(Sent, frozen=True):
    presets: Annotated[tuple[Preset, ...], Meta(max_length=MOST)]
    controls: Annotated[tuple[Control, ...], Meta(max_length=MOST_CONTROLS)] = ()
    format: Literal["sefa_presets"] = "sefa_presets"
    version: Literal[1] = 1


def presets_in(folder: Path) -> tuple[Preset, ...]:
    """The presets of a folder; none where it has no such file.

    Raises:
        SettingsError: the file cannot be used.
    """
    return _read(folder).presets


def controls_in(folder: Path) -> Controls:
    """The controls that were learned, by their sources, in the file of the presets.

    Raises:
        SettingsError: the file cannot be used.
    """
    return {one.source: one.control for one in _read(folder).controls}


def _read(folder: Path) -> _File:
    path = folder / NAME
    if not path.exists():
        return _File(())
    with reading(path, SettingsError):
        data = read_bounded(path, MAX_BYTES)
    try:
        held: _File = parsed(data, _File)
    except ValueError as error:
        raise SettingsError(f"{path}: holds no presets that can be used: {error}") from None
    return held


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
        held = _read(folder)
        others = [one for one in held.presets if one.name != setting.name]
        made = [*others, Preset(setting.name, setting.edits)] if setting.edits else others
        return _written(folder, structs.replace(held, presets=tuple(made))).presets


def learn(folder: Path, learned: Learned) -> Controls:
    """Set what moves a control, and nothing else any more; returns the controls by source.

    Raises:
        ValueError: this is no source, or there are too many.
        OSError, SettingsError: as :func:`set_preset`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        held = _read(folder)
        made = [one for one in held.controls if one.control != learned.control and one.source != learned.source]
        if learned.source is not None:
            made.append(fitting({"control": learned.control, "source": learned.source}, Control))
        if len(made) > MOST_CONTROLS:
            raise SettingsError(f"{MOST_CONTROLS} controls are learned already")
        _written(folder, structs.replace(held, controls=tuple(made)))
    return {one.source: one.control for one in made}


def add_presets(folder: Path, more: Sequence[Preset], controls: Sequence[Control] = ()) -> tuple[str, ...]:
    """Add presets and controls of elsewhere to those of a folder; returns the names under which presets were added.

    One whose name is taken by other positions gets a number appended; the same positions are left out. A source and a
    control that are in use keep theirs.

    Raises:
        SettingsError: there are too many, or the file cannot be used.
        OSError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        held = _read(folder)
        made = {one.name: one for one in held.presets}
        added = []
        for one in more:
            names = [one.name, *(f"{one.name[:90]} {number}" for number in range(2, MOST + 2))]
            name = next(name for name in names if name not in made or made[name].edits == one.edits)
            if name not in made:
                made[name] = Preset(name, one.edits)
                added.append(name)
        used = {text for one in held.controls for text in (one.control, one.source)}
        free = [one for one in controls if not {one.control, one.source} & used][: MOST_CONTROLS - len(held.controls)]
        if added or free:
            _written(folder, _File(tuple(made.values()), (*held.controls, *free)))
    return tuple(added)


def _written(folder: Path, made: _File) -> _File:
    if len(made.presets) > MOST:
        raise SettingsError(f"there would be more than {MOST} presets; remove some first")
    with whole_file(folder / NAME) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    return made
