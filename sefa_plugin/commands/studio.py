"""The command for the browser: ``studio``."""

from __future__ import annotations

import re
import secrets
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from ..system.environment import require_extra
from . import options
from .address import check_address
from .files import File
from .given import Given, open_for_pictures
from .main_job import SEEDS
from .shell import Command, note, warn


@click.command(cls=Command)
@click.option(
    "--network",
    type=File("network"),
    required=True,
    multiple=True,
    help="Network file (.pkl, .pt, .safetensors), URL, or 'demo' for the bundled one. Any number of times.",
    metavar="FILE|URL",
)
@options.which
@options.allow_local
@options.trust_pickle
@click.option("--trunc", type=options.FLOAT, default=1.0, help="Truncation psi of the first picture.", metavar="FLOAT")
@options.whole("--seed", low=0, high=2**32 - 1, help="Seed of the first picture.  [default: 0; 13 of demo]")
@options.whole("--class", "label", low=0, help="Class of the first picture, of a conditional network.")
@options.choice("--device", "auto cpu cuda mps", "auto takes CUDA where there is any.", default="auto")
@options.whole("--port", low=0, high=65535, default=8765, help="Where the page is; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that is listened at.", metavar="HOST")
@click.option("--allow-host", multiple=True, help="A further name that the page is called by.", metavar="NAME")
@click.option("--token", help="What the page's address must end in.  [default: a new one]", metavar="TEXT")
@options.whole("--osc", low=0, high=65535, help="Take messages of Open Sound Control at this port of UDP.")
@click.option("--share-safe", is_flag=True, help="For strangers: nothing they do is kept, and all is bounded.")
@click.option("--public", is_flag=True, help="With --share-safe: without a token, for whoever finds the page.")
@click.option("--prefix", help="Path of the page behind another server, like /sefa.", metavar="PATH")
@click.option("--allow-frame", multiple=True, help="A site that may show the page inside of its own.", metavar="URL")
@click.option("--browser/--no-browser", default=True, help="Open the page.")
@options.strict
@options.debug
def studio(**given: Any) -> None:
    """Look at directions in the browser: drag, name, keep and record them.

    The page is on this computer alone. Its address is printed; whoever has it can use the page.

    \b
    Examples:
      sefa studio --network demo
      sefa studio --network ffhq.pkl --network cats.pkl --trunc 0.7
      sefa studio --network ffhq.pkl --osc 9000       # faders and knobs of other programs
      sefa studio --network ffhq.pkl --share-safe --host 0.0.0.0 --token for-friends-only
      ssh -L 8765:localhost:8765 server sefa studio --network ffhq.pkl --no-browser
    """
    for package in ("starlette", "uvicorn"):
        require_extra(package, "the studio")
    if given["osc"] is not None:
        require_extra("python-osc", "--osc")
    token = _token(given)
    prefix = (given["prefix"] or "").rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", prefix):
        raise click.UsageError(f"--prefix {given['prefix']!r:.60}: expected a path like /sefa")
    for page in given["allow_frame"]:
        if not re.fullmatch(r"https?://[A-Za-z0-9.*-]+(:\d+)?", page):
            raise click.UsageError(
                f"--allow-frame {page!r:.60}: expected an address without a path, like https://site.org"
            )
    sessions = [open_for_pictures(given, path) for path in given["network"]]
    from ..rendering.look import Look
    from ..runs.folder import folder_of, own_folder
    from ..studio.server import Studio, networks_of, serve

    shared = given["share_safe"]
    if shared:  # nothing is written there
        pairs = [(one, folder_of(one.about())) for one in sessions]
    else:  # not the command as it was typed: it may hold the token
        made_by = ["sefa", "studio", "--network"]
        pairs = [(one, own_folder(one.about(), [*made_by, one.about()["path"]])) for one in sessions]
    seeds = [_first_seed(path) if given["seed"] is None else given["seed"] for path in given["network"]]
    networks = networks_of(pairs, Look(trunc=given["trunc"], label=given["label"]), shared, seeds)

    def ready(address: str) -> None:
        click.echo(address)
        sys.stdout.flush()
        if made.osc:
            note(f"messages of Open Sound Control are taken at {made.osc} (UDP); the page lists the addresses")
        note("Ctrl-C ends the studio")
        if given["browser"]:
            import webbrowser

            webbrowser.open(address)

    with ExitStack() as held, suppress(KeyboardInterrupt):
        made = Studio(networks, token, warn, shared, _scratch(held) if shared else None)
        serve(
            made,
            given["host"],
            given["port"],
            given["allow_host"],
            ready,
            osc=given["osc"],
            frames=given["allow_frame"],
            prefix=prefix,
        )


def _first_seed(network: str) -> int:
    """The seed of the first picture: of the bundled faces, one that turned out well."""
    return SEEDS[0] if network == "demo" else 0


def _scratch(held: ExitStack) -> Path | None:
    """A folder until the end of the studio; None where this computer has no place for one."""
    try:
        return Path(held.enter_context(TemporaryDirectory(prefix="sefa-")))
    except OSError:
        note("no folder for temporary files can be written (TMPDIR names one): visitors get no videos")
        return None


def _token(given: Given) -> str:
    """The token that the page needs; '' where whoever finds it may use it.

    Raises:
        click.UsageError: options that do not go together, or a token that is too short.
    """
    token = given["token"]
    if given["public"] and (token is not None or not given["share_safe"]):
        raise click.UsageError("--public is for --share-safe, and has no --token")
    if given["share_safe"] and given["osc"] is not None:
        raise click.UsageError("--osc moves what one page shows, --share-safe is for many: leave one of them out")
    check_address(given["host"], token, given["public"])
    return "" if given["public"] else token or secrets.token_urlsafe(24).replace("_", "-")
