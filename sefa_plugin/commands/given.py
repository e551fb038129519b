"""Convert the options of a command to typed settings; lines printed before and after the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..runs.command_line import portable, with_options
from ..system.messages import one_line
from .files import check_folder, refuse_other_content
from .progress import download
from .shell import note, report, typed_command, warn

if TYPE_CHECKING:
    from ..directions.factorization import Factorisation
    from ..directions.kept import KeptDirections
    from ..rendering.look import Label, Look
    from ..runs.folder import Made, Reporter
    from ..runs.output_settings import OutputSettings
    from ..runs.session import Session
    from ..runs.settings import NetworkChoice, Wanted

Given = Mapping[str, Any]  # options by their parameters' names, as click gives them


def network_choice(given: Given, path: str | None = None) -> NetworkChoice:
    """The network of ``--network``, or at another path; options that a command lacks have their defaults."""
    from ..runs.settings import NetworkChoice

    options = ("which", "sha256", "trust_pickle", "allow_local", "strict", "device")
    chosen = {name: given[name] for name in options if name in given}
    return NetworkChoice(given["network"] if path is None else path, **chosen)


def open_session(given: Given, path: str | None = None) -> Session:
    """Open the chosen network, and print its class and sizes to standard error; a device that is named is there."""
    choice = network_choice(given, path)
    shown = str(choice.path)
    if "://" in shown:
        from ..reading.download import without_secrets

        shown = without_secrets(shown)
    report(f"reading {one_line(shown)}", err=True)  # before imports that take a second
    from ..hook import HookError
    from ..reading.network_record import NetworkFileError
    from ..runs.session import Session, device_of

    if choice.device not in ("auto", "cpu"):
        device_of(choice.device)
    try:
        session = Session.open(choice, warn=warn, progress=download(), note=note)
    except (NetworkFileError, HookError):
        refuse_other_content(str(choice.path), "--network" if path is None else "")
        raise
    opened, sizes = session.opened, session.opened.sizes
    report(
        f"{session.name}: {opened.record.class_name} ({opened.hook.name}), {sizes['resolution']} px, "
        f"{sizes['num_ws']} layers, w {sizes['w_dim']}" + (f", {sizes['c_dim']} classes" if sizes["c_dim"] else ""),
        err=True,
    )
    return session


def open_for_pictures(given: Given, path: str | None = None) -> Session:
    """As :func:`open_session`, of a network that can be rendered."""
    session = open_session(given, path)
    session.require_pictures()
    return session


def factorisation(given: Given) -> Factorisation:
    """The settings of the factorisation."""
    from ..directions.factorization import Factorisation
    from ..runs.settings import settings_checked

    with settings_checked():
        if (given["sharpen"] != "none" or given["region"] is not None) and (
            not given["normalize"] or given["torgb"] != "last"
        ):
            option = "--sharpen" if given["region"] is None else "--region"
            raise ValueError(f"{option} uses rows as they are and all ToRGBs: leave out --no-normalize and --torgb")
        if given["sharpen"] != "none" and given.get("directions_file"):
            raise ValueError("--sharpen finds directions, --directions-file has some: leave one of them out")
        if given["region"] is not None and given.get("directions_file"):
            raise ValueError("--region finds directions, --directions-file has some: leave one of them out")
        if given["region"] is not None and given["sharpen"] != "none":
            raise ValueError("--region finds directions of its own with pictures: leave --sharpen out")
        if given.get("directions_file"):
            _check_beside_a_file(given)
        options = ("layers", "space", "normalize", "torgb", "sharpen", "region", "code_samples")
        return Factorisation(**{name: given[name] for name in options})


_OF_FINDING = {  # options of finding directions, with their defaults
    "layers": ("--layers", "all"),
    "space": ("--space", "w"),
    "normalize": ("--no-normalize", True),
    "torgb": ("--torgb", "last"),
    "code_samples": ("--code-samples", None),
}


def _check_beside_a_file(given: Given) -> None:
    for name, (option, usual) in _OF_FINDING.items():
        if given[name] != usual:
            instead = "; --edit-layers chooses what they change" if name == "layers" else ""
            raise ValueError(
                f"{option} is for finding directions, and --directions-file has some: leave {option} out{instead}"
            )


def wanted(given: Given) -> Wanted:
    """The directions that are wanted."""
    from ..runs.settings import Wanted

    keys, file = given["directions"], given["directions_file"]
    return Wanted(
        keys=None if keys is None else tuple(keys),
        count=given["num_directions"],
        file=Path(file) if file else None,
        edit_layers=given["edit_layers"],
        order=given["order"],
    )


def of_each_class(given: Given) -> list[Given]:
    """The options for each class of ``--class 0,2``; the outputs of each go to a folder ``class0``, ``class2``."""
    classes = given["classes"] or ()
    if len(classes) < 2:
        return [given]
    return [{**given, "classes": (one,), "part": f"class{one}"} for one in classes]


def command_of(given: Given, folder: Path | None) -> list[str]:
    """The words that were typed; of one of several classes, with this class and its folder only."""
    command = typed_command()
    if "part" not in given:
        return command
    values = {"--class": [str(given["classes"][0])], "--outdir": [portable(folder)] if folder else []}
    return with_options(command, values)


def label(given: Given) -> Label:
    """The class or label; None where none is typed.

    Raises:
        click.UsageError: both are typed, or several classes.
    """
    classes = given["classes"] or ()
    if classes and given["label"] is not None:
        raise click.UsageError("--class and --label: leave one of them out")
    if len(classes) > 1:
        raise click.UsageError(f"--class {','.join(map(str, classes))}: this command takes one class at a time")
    found: Label = classes[0] if classes else given["label"]
    return found


def look(given: Given) -> Look:
    """Truncation, noise, class and so on."""
    from ..rendering.look import Look

    options = ("trunc", "trunc_cutoff", "noise_mode", "translate", "rotate", "background")
    return Look(
        **{name: given[name] for name in options},
        label=label(given),
        camera=given["camera"] or (0.0, 0.0),
        fov=given["fov_deg"],
        force_fp32=given["precision"] == "float32",
        bf16=given["precision"] == "bf16",
    )


def seeds(given: Given) -> list[int]:
    """The seeds; 0 to 2 where neither seeds nor projected ws are given."""
    if given["seeds"] is not None:
        return list(given["seeds"])
    return [] if given["projected_w"] else [0, 1, 2]


def output_settings(
    given: Given, *, sheet: bool, frames: int = 60, loop: str = "pingpong", easing: str = "linear"
) -> OutputSettings:
    """The settings of outputs, checked; ``frames``, ``loop`` and ``easing`` are the defaults of their options."""
    from ..runs.output_settings import OutputSettings

    output = OutputSettings.of_kind(
        frames=frames if given["frames"] is None else given["frames"],
        loop=given.get("loop") or loop,
        easing=given.get("easing") or easing,
        width=given["size"],
        scale=given["scale"],
        canvas=given["canvas"],
        **{name: given[name] for name in ("video", "fps", "max_mb", "captions")},
        grid=given.get("grid", False),
        sheet=sheet,
    )
    output.check()
    return output


def outdir(given: Given, session: Session, name: str | None = None) -> Path:
    """The folder of outputs, ``--outdir`` or the usual one of the network (or called ``name``); not made yet, but it
    can be."""
    from ..runs.folder import TOP, folder_of

    usual = TOP / name if name else folder_of(session.about())
    folder = (Path(given["outdir"]) if given["outdir"] else usual) / str(given.get("part", ""))
    check_folder(folder)
    return folder


def claimed(given: Given, session: Session, folder: Path) -> Path:
    """Make the folder of outputs for this network; a line is printed where it is not called like the network."""
    from ..runs.folder import claim, own_folder

    network = session.about()
    if given["outdir"]:
        claim(folder, network, command_of(given, folder))
        return folder
    folder = own_folder(network, typed_command())
    if folder.name != session.name:
        plain = folder.with_name(session.name)
        why = f"{plain} holds those of another network" if plain.exists() else "it holds those of this network already"
        note(f"outputs are in {folder}: {why}")
    if "part" in given:
        folder = folder / str(given["part"])
        claim(folder, network, command_of(given, folder))
    return folder


def directions_in(
    given: Given, session: Session, folder: Path, wanted: Wanted, reporter: Reporter | None = None
) -> tuple[Path, list[KeptDirections]]:
    """The folder of outputs, made for this network, and the wanted directions, whose files are in it."""
    groups = session.directions(factorisation(given), wanted, folder, reporter=reporter)
    own = claimed(given, session, folder)
    if own != folder:  # another network's run was faster
        groups = session.directions(factorisation(given), wanted, own, reporter=reporter)
    print_remarks(groups)
    return own, groups


def print_remarks(groups: Iterable[KeptDirections]) -> None:
    """Print notes on tied directions and on those with eigenvalue 0 to standard error."""
    from ..directions.ties import remarks

    for group in groups:
        for line in remarks(group.directions):
            note(line)


def print_made(made: Made, page: bool, single: bool = False) -> None:
    """Print the outputs of a run; if ``single``, its page is also written with all pictures and clips inside."""
    report(f"{made.outdir}: {len(made.names)} outputs made, {made.kept} kept")
    for name in made.names:
        report(f"  {made.outdir / name}")
    if page:
        report(f"Look at {made.outdir / 'index.html'}")
    if single:
        from ..runs.folder import single_page

        path = single_page(made.outdir)
        report(f"{path}: {path.stat().st_size / 1e6:.1f} MB, with its pictures and clips inside")
