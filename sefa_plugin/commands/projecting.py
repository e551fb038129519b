"""The command for photographs: ``project``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..projecting.settings import SPACES, STEPS
from ..runs.command_line import portable
from ..system.messages import readable, without_unprintable
from . import options
from .files import File, Folder
from .given import Given, label, open_for_pictures
from .progress import quiet
from .shell import Command, note, report, typed_command, usage

if TYPE_CHECKING:
    from ..projecting.folder import Outcome, Projecting
    from ..projecting.projector import Projector
    from ..projecting.settings import HowToProject
    from ..runs.session import Session

_TUNED = 300  # steps of --tune
TUNED = "tuned.safetensors"


@click.command(cls=Command)
@click.argument("pictures", type=File("picture"), nargs=-1, required=True, metavar="PICTURES")
@options.network
@click.option(
    "--crop",
    default="center",
    help="center; x,y,size in pixels; eyes=x,y,x,y,x,y (left eye, right eye, mouth: FFHQ's alignment), or eyes with "
    "--landmarks.",
    show_default=True,
    metavar="CROP",
)
@click.option(
    "--landmarks",
    help="A function of yours, which is run: a picture to the three points of --crop eyes.",
    metavar="MODULE:NAME",
)
@click.option(
    "--space",
    "code_space",
    type=click.Choice(SPACES),
    default="w+",
    help="A row for each layer, one for all, or Z (PGGAN always).",
)
@click.option("--steps", "--num-steps", type=click.IntRange(1, 100_000), default=STEPS, help="Steps.", metavar="INT")
@click.option(
    "--prior",
    type=options.within(0),
    default=1.0,
    help="How strongly codes are held near the network's own; more is better for edits, less for likeness.",
    metavar="FLOAT",
)
@click.option("--seed", "sample_seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of the samples.")
@click.option(
    "--class",
    "classes",
    type=options.CLASSES,
    help="Class of a conditional network.  [default: searched]",
    metavar="INT",
)
@click.option("--label", type=options.LABEL, help="A whole label instead of a class.", metavar="NUMBERS|FILE")
@click.option(
    "--noise", "noise_maps", is_flag=True, help="Search noise maps as well; needs --tune, whose network keeps them."
)
@click.option("--encoder", is_flag=True, help="Begin with an encoder of this network, trained once (minutes) and kept.")
@click.option(
    "--tune",
    is_flag=False,
    flag_value=_TUNED,
    default=0,
    type=click.IntRange(0, 100_000),
    help=f"Adapt the network to the picture as well, in so many steps ({_TUNED}); writes tuned.safetensors.",
    metavar="[INT]",
)
@click.option(
    "--perceptual",
    help="A loss of yours, which is run: two batches [N, 3, H, W], 0 to 1, to [N].",
    metavar="MODULE:NAME",
)
@click.option("--save-video", "film", is_flag=True, help="Write proj.mp4, the way there.")
@click.option("--outdir", type=Folder(), required=True, help="Where to put everything.", metavar="DIR")
@options.overwriting("Project again, and replace any file of these names.")
@options.choice("--device", "auto cpu cuda mps", "auto takes CUDA where there is any.", default="auto")
@options.strict
@options.debug
def project(**given: Any) -> None:
    """Project photographs: find the ws whose pictures look like them, to be edited.

    Several pictures, or a folder of them, have a folder each in --outdir. What was stopped goes on with the same
    command.

    \b
    Examples:
      sefa project photo.jpg --network ffhq.pkl --crop eyes=310,402,455,398,384,560 --outdir me
      sefa edit --network ffhq.pkl --projected-w me/projected_w.npz --edit 0=auto
      sefa project *.png --network cats.pkl --outdir cats --save-video
      sefa project photo.jpg --network ffhq.pkl --tune --outdir me
    """
    from ..projecting.settings import Crop

    with usage():
        crop = Crop.parse(given["crop"])
    if (crop == Crop("eyes")) != bool(given["landmarks"]):
        raise click.UsageError(
            "--crop eyes needs --landmarks MODULE:NAME, a detector of yours; or type the three points: "
            "--crop eyes=x,y,x,y,x,y"
            if crop.kind == "eyes"
            else "--landmarks finds the points of --crop eyes: add it"
        )
    places = _places(given["pictures"], Path(given["outdir"]))
    session = open_for_pictures(given)
    from ..projecting.folder import WS
    from ..projecting.functions import landmarks, perceptual
    from ..projecting.projector import Projector
    from ..projecting.settings import HowToProject
    from ..rendering.look import Look

    with usage():
        how = HowToProject(
            crop,
            given["code_space"],
            given["steps"],
            given["prior"],
            given["sample_seed"],
            session.checked(Look(label=label(given))).label,
            given["noise_maps"],
            given["tune"],
            given["encoder"],
            given["perceptual"] or "",
        )
    detector = landmarks(given["landmarks"]) if given["landmarks"] else None
    loss = perceptual(given["perceptual"]) if given["perceptual"] else None
    G = session.generator(Look())
    projector = Projector(G, how, loss)
    if how.encoder:
        _encoder(session, projector)
    for picture, folder in places:
        made = _one(given, session, projector, how, detector, picture, folder)
        report(f"{made.folder}: {made.line}{', kept' if made.kept else ''}")
        report(f"  {made.sentence}")
        network = made.folder / TUNED if how.tune else session.about()["path"]
        words = ["--network", portable(network), "--projected-w", portable(made.folder / WS), "--edit", "0=auto"]
        report(f"  {shlex.join(['sefa', 'edit', *words])}")


def _encoder(session: Session, projector: Projector) -> None:
    """Load the encoder of a network, or train it."""
    from ..projecting.encoder import STEPS

    sizes = session.opened.sizes
    if sizes["num_ws"] == 1 or (sizes["c_dim"] and projector.how.label is None):
        raise click.UsageError(
            "--encoder finds w of one class: type --class" if sizes["c_dim"] else "--encoder finds w, PGGAN has z only"
        )
    began = time.monotonic()
    with _bar("training an encoder", STEPS) as advance:
        projector.encoder(session.about()["digest"], advance)
    if time.monotonic() - began > 5:
        note("the encoder is kept for the next pictures")


def _places(pictures: tuple[str, ...], outdir: Path) -> list[tuple[str, Path]]:
    """Each picture, and the folder of its outputs.

    Raises:
        click.UsageError: a folder holds no pictures.
    """
    from ..projecting.picture import SUFFIXES

    found: list[str] = []
    for given in pictures:
        if not Path(given).is_dir():
            found.append(given)
            continue
        inside = sorted(path for path in Path(given).iterdir() if path.suffix.lower() in SUFFIXES)
        if not inside:
            raise click.UsageError(f"{given}: holds no pictures ({', '.join(SUFFIXES[:4])} ...)")
        found += map(str, inside)
    if len(found) == 1 and not Path(pictures[0]).is_dir():
        return [(found[0], outdir)]
    from ..system.file_names import safe_name

    taken: dict[str, int] = {}
    places = []
    for path in found:
        name = safe_name(Path(path).stem)
        number = taken[name.lower()] = taken.get(name.lower(), 0) + 1
        places.append((path, outdir / (name if number == 1 else f"{name}-{number}")))
    return places


def _one(
    given: Given, session: Session, projector: Projector, how: HowToProject, detector: Any, picture: str, folder: Path
) -> Outcome:
    from dataclasses import asdict, replace

    from ..projecting.folder import FILM, Projecting, kept, key_of
    from ..projecting.picture import read_picture, target_of
    from ..projecting.projector import seconds_of, use_threads

    pixels = read_picture(picture)
    crop = how.crop
    if detector is not None:
        from ..media.pictures import as_rgb

        crop = replace(crop, numbers=detector(as_rgb(pixels), picture))
    high, wide, channels = projector.shape
    target = target_of(pixels, crop, high, wide, channels, picture)
    settings = {**asdict(how), "crop": str(crop)}
    key = key_of(target, settings, session.about()["digest"])
    if not given["overwrite"]:
        held = kept(folder, key, [FILM] * given["film"] + [TUNED] * (how.tune > 0))
        if held is not None:
            return held
    with _bar("drawing samples", projector.samples_to_draw) as advance:
        projector.draw(advance)
    descent = projector.descent(target)
    command = [without_unprintable(word) for word in typed_command()]
    network = session.about()
    about = {
        "picture": without_unprintable(portable(picture)),
        "network": {name: without_unprintable(network[name]) for name in ("path", "name", "which", "digest")},
        "settings": {**settings, "label": descent.manifold.label},
        "size": [*target.shape],
        "command": command,
    }
    work = Projecting(folder, descent, target, key, about, given["film"])
    done = 0 if given["overwrite"] else work.resume()
    if done:
        note(f"{folder}: goes on after {done} of {descent.total} steps")
    use_threads(projector.G)
    report(f"{picture}: {descent.total - done} steps, about {readable(seconds_of(descent))}", err=True)
    with _bar(Path(picture).name, descent.total - done, lambda: f"PSNR {descent.psnr():.1f} dB") as advance:
        with closing(work.run(advance)) as steps:  # so that an interruption here is one of the steps, too
            for _ in steps:
                pass
    if not how.tune:
        return work.write(projector.G, descent.ws)
    return _tuned(session, projector, work)


def _tuned(session: Session, projector: Projector, work: Projecting) -> Outcome:
    """Tune the network to a projected picture, and write it beside the outputs."""
    from ..projecting.tuning import Tuning, tuned_record
    from ..reading.network_file import write_converted

    work.write(projector.G, work.descent.ws, complete=False)
    tuning = Tuning(work.descent, projector.perceptual)
    with _bar("tuning", tuning.total) as advance:
        while not tuning.is_done:
            tuning.step()
            advance(1)
    G = tuning.finished()
    write_converted(tuned_record(session.opened.record, G), work.folder / TUNED)
    return work.write(G, tuning.ws)


@contextmanager
def _bar(name: str, length: int, shown: Any = None) -> Iterator[Any]:
    """A function that moves a bar on a terminal, with a text that is made once a second."""
    if quiet() or not sys.stderr.isatty() or not length:
        yield lambda done: None
        return
    last, text = time.monotonic(), ""

    def advance(done: int) -> None:
        nonlocal last, text
        if shown is not None and time.monotonic() - last > 1:
            last, text = time.monotonic(), shown()
        bar.update(done)

    bar: Any
    with click.progressbar(
        length=length, label=name[:30], file=sys.stderr, width=30, item_show_func=lambda item: text
    ) as bar:
        yield advance
