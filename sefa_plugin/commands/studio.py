"""The command for the browser: ``studio``."""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress
from typing import Any

import click

from ..system.environment import require_extra
from . import options
from .files import File
from .given import open_for_pictures
from .shell import Command, note, warn

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
@options.whole("--class", "label", low=0, help="Class of the first picture, of a conditional network.")
@options.choice("--device", "auto cpu cuda mps", "auto takes CUDA where there is any.", default="auto")
@options.whole("--port", low=0, high=65535, default=8765, help="Where the page is; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that is listened at.", metavar="HOST")
@click.option("--allow-host", multiple=True, help="A further name that the page is called by.", metavar="NAME")
@click.option("--token", help="What the page's address must end in.  [default: a new one]", metavar="TEXT")
@options.whole("--osc", low=0, high=65535, help="Take messages of Open Sound Control at this port of UDP.")
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
      ssh -L 8765:localhost:8765 server sefa studio --network ffhq.pkl --no-browser
    """
    for package in ("starlette", "uvicorn"):
        require_extra(package, "the studio")
    if given["osc"] is not None:
        require_extra("python-osc", "--osc")
    token = given["token"]
    if given["host"] not in _LOOPBACK and not token:
        raise click.UsageError(
            f"--host {given['host']}: others could reach the page; choose a secret for its address: --token TEXT"
        )
    if token is not None and (len(token) < 8 or not token.isascii() or not token.replace("-", "").isalnum()):
        raise click.UsageError("--token: 8 or more letters, digits and - are needed")
    sessions = [open_for_pictures(given, path) for path in given["network"]]
    from ..rendering.look import Look
    from ..runs.folder import own_folder
    from ..studio.server import Studio, networks_of, serve

    # Not the command as it was typed: it may hold the token.
    pairs = [(one, own_folder(one.about(), ["sefa", "studio", "--network", one.about()["path"]])) for one in sessions]
    look = Look(trunc=given["trunc"], label=given["label"])
    made = Studio(networks_of(pairs, look), token or secrets.token_urlsafe(24).replace("_", "-"), warn)

    def ready(address: str) -> None:
        click.echo(address)
        sys.stdout.flush()
        if made.osc:
            note(f"messages of Open Sound Control are taken at {made.osc} (UDP); the page lists the addresses")
        note("Ctrl-C ends the studio")
        if given["browser"]:
            import webbrowser

            webbrowser.open(address)

    with suppress(KeyboardInterrupt):
        serve(made, given["host"], given["port"], given["allow_host"], ready, given["osc"])
