"""The commands for one network file: ``info`` (and its audit), ``convert``."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..system.messages import printable
from . import options
from .files import File, Output, check_file, output_path
from .given import open_session
from .progress import download
from .shell import Command, note, report, warn

if TYPE_CHECKING:
    from ..reading.hub import Repository

_OF_LAYERS = ("name", "ws_index", "weight_gain", "style_gain", "channels", "size", "kind")


@click.command(cls=Command)
@click.argument("file", type=File("any"), metavar="FILE")
@options.which
@options.as_json
@click.option(
    "--audit", is_flag=True, help="Say whether the file is exactly what a toolkit writes; exit code 1 if not."
)
@options.allow_local
@options.trust_pickle
@options.strict
@options.debug
def info(
    file: str, which: str, as_json: bool, audit: bool, allow_local: bool, strict: bool, trust_pickle: bool, debug: bool
) -> None:
    """Print what a network file holds; nothing of it is run (unless --trust-pickle).

    With --audit, say whether a file (.pkl, .pt, .npz, .safetensors, .json) is exactly what its writer writes: the exit
    code is then 0, and 1 where anything in it is not, which is listed with its place.

    \b
    Examples:
      sefa info ffhq.pkl
      sefa info ffhq.pkl --json
      sefa info ffhq.pkl --audit
      sefa info hf://owner/name
    """
    if audit:
        if trust_pickle:
            raise click.UsageError("--audit runs nothing, --trust-pickle does: give one of them")
        return _audit(file, as_json, allow_local)
    check_file(file, "", "network")
    from ..networks.opening import open_network
    from ..reading.download import is_url, without_secrets

    if is_url(file):
        from ..reading import hub

        place = hub.place_of(file)
        if place is not None and not place.names_a_file:
            found = hub.inside(place, hub.look(place))
            if [held.path for held in found.files] != [place.path]:
                return _list(found, as_json)
    opened = open_network(
        file,
        which=which,
        strict=strict,
        progress=download(),
        trust_pickle=trust_pickle,
        allow_local=allow_local,
        note=note,
    )
    for text in (*opened.warnings, *opened.notes):
        warn(text)
    record = opened.record
    about = {
        "class": record.class_name,
        "hook": opened.hook.name,
        "source": opened.source,
        "pictures": opened.why_no_pictures or "yes",
        **opened.sizes,
        "which": record.which,
        "entries": list(record.entries),
        "format": record.format,
        "other_globals": list(record.other_globals),
        "layers": [{key: getattr(layer, key) for key in _OF_LAYERS} for layer in opened.layers],
    }
    if as_json:
        click.echo(json.dumps(about, indent=1))
        return
    click.echo(
        f"{without_secrets(file)}: {record.class_name}, read by hook {opened.hook.name}; source: {opened.source}"
    )
    for key in ("resolution", "channels", "num_ws", "z_dim", "w_dim", "c_dim"):
        click.echo(f"  {key:<11}{about[key]}")
    click.echo(f"  {'networks':<11}{', '.join(record.entries)} (this is {record.which})")
    if opened.why_no_pictures:
        click.echo(f"  {'pictures':<11}no: {opened.why_no_pictures}")
    if record.other_globals:
        click.echo(f"  {'unknown':<11}{', '.join(record.other_globals)} (elsewhere in the file; not run)")
    click.echo("  ws  kind     size  channels  layer")
    for layer in opened.layers:
        click.echo(f"  {layer.ws_index:2d}  {layer.kind:<7}{layer.size:6d}{layer.channels:10d}  {layer.name}")


def _list(found: Repository, as_json: bool) -> None:
    """Print which files of a repository may be networks."""
    place = found.place
    files = [(str(replace(place, path=file.path)), file) for file in found.candidates]
    if as_json:
        listed = [{"network": name, "size": file.size, "by_name": file.says} for name, file in files]
        about = {"repository": str(place), "commit": found.commit, "licence": found.licence}
        click.echo(json.dumps({**about, "gated": found.gated, "files": listed}, indent=1))
        return
    count = (
        f"{len(files)} of {len(found.files)} files may be networks" if files else "no file is a network, by its name"
    )
    click.echo(f"{place}: {count}; {found.about}")
    if not files:
        return
    width = max(len(name) for name, _ in files)
    click.echo(f"{'MB':>9}  {'network':<{width}}  by its name")
    for name, file in files:
        click.echo(f"{file.size / 1e6:9.1f}  {printable(name):<{width}}  {file.says}")
    if len(files) == 1:
        click.echo(f"The only one, which --network {shlex.quote(str(place))} takes, too:")
    click.echo(f"sefa info {shlex.quote(files[0][0])}")


def _audit(file: str, as_json: bool, allow_local: bool) -> None:
    from ..hooks.known_sources import origin
    from ..networks.opening import locate
    from ..reading import audit

    found = audit.audit(locate(file, progress=download(), allow_local=allow_local, note=note), origin)
    text = json.dumps(audit.as_json(found), indent=1) if as_json else "\n".join(audit.lines(found))
    click.echo(text)
    click.get_current_context().exit(1 if found.findings else 0)


@click.command(cls=Command)
@options.network
@click.option("--output", type=Output(), help="File to write.  [default: NETWORK.safetensors here]", metavar="FILE")
@options.replace_file
@options.strict
@options.debug
def convert(**given: Any) -> None:
    """Convert a network to safetensors, after which nothing ever unpickles it.

    \b
    Examples:
      sefa convert --network ffhq.pkl --output ffhq.safetensors
    """
    from ..reading.network_file import write_converted

    if given["output"]:
        output_path(given["output"], (".safetensors",), given["overwrite"])
    opened = open_session(given).opened
    path = output_path(given["output"] or f"{opened.record.name}.safetensors", (".safetensors",), given["overwrite"])
    opened.check_unchanged()
    write_converted(opened.record, path)
    report(f"{path}: {opened.record.which} of {opened.record.name}, {path.stat().st_size / 1e6:.1f} MB")
