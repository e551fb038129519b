"""Wrong turns on the command line: words that no option takes, options given twice; each line says what to type."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import PurePath

import click

_SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors")
# Of `sefa`, for those who type them after gen-sefa; there demo is taken for the network.
COMMANDS = (
    *(
        "render",
        "sheet",
        "edit",
        "project",
        "plane",
        "compare",
        "import",
        "export",
        "info",
        "factorize",
        "sharpen",
        "name",
        "convert",
    ),
    *("batch", "merge", "studio", "preset", "study", "evaluate", "register", "unregister"),
)
_ONCE = ("network", "directions_file", "projected_w", "recipe")  # parameters of one file
_LISTS = ("LIST", "LAYERS")  # metavars of options that take several, separated by commas


def check(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Refuse words that belong to no option, and options of lists or files that are given twice.

    Raises:
        click.UsageError: one line that says what to type instead.
    """
    _, rest, order = command.make_parser(ctx).parse_args(args=list(args))
    if ctx.resilient_parsing or any(param.is_eager for param in order):
        return
    if rest:
        raise click.UsageError(_about_words(command, ctx, args, rest, any(p.name == "network" for p in order)))
    for param in order:
        if isinstance(param, click.Option) and not param.multiple and order.count(param) > 1:
            if param.metavar in _LISTS:
                raise click.UsageError(f"{param.opts[-1]}: given twice; type one list, separated by commas")
            if param.name in _ONCE:
                raise click.UsageError(f"{param.opts[-1]}: given twice; run the command once for each")


def _about_words(
    command: click.Command, ctx: click.Context, args: Sequence[str], rest: Sequence[str], with_network: bool
) -> str:
    called, first = ctx.command_path, rest[0]
    if first in COMMANDS and ctx.parent is None:
        return f"{first}: is a command of `sefa`; type: sefa {first}"
    if "network" in (param.name for param in command.params) and not with_network and _is_network(first):
        if len(rest) > 1 and all(map(_is_network, rest)):
            loop = _loop(f"{called} --network", PurePath(first).suffix)
            return f"--network: takes one file, {len(rest)} were given; run the command once for each, like: {loop}"
        return f"{first}: the network is given by an option; type: {called} --network {first}"
    taker = _taker(command, args, first)
    if taker and all(PurePath(word).suffix for word in rest):
        fill = called if taker.isupper() else f"{called} {taker}"
        return (
            f"{taker}: takes one file, {len(rest) + 1} were given; "
            f"run the command once for each, like: {_loop(fill, PurePath(first).suffix)}"
        )
    return f"{first}: belongs to no option; lists are typed with commas (0,1,2), text with spaces in quotes"


def _taker(command: click.Command, args: Sequence[str], word: str) -> str:
    """The argument of one file, or the option of one file that was typed before a word; '' if there is none."""
    for param in command.params:
        if isinstance(param, click.Argument) and param.metavar == "FILE":
            return param.metavar
    before = [text.partition("=")[0] for text in args[: args.index(word)] if text.startswith("--")]
    takes = {name for param in command.params if "FILE" in (param.metavar or "") for name in param.opts}
    return before[-1] if before and before[-1] in takes else ""


def _is_network(word: str) -> bool:
    from ..reading.download import BUNDLED

    return word in BUNDLED or "://" in word or word.endswith(_SUFFIXES)


def _loop(command: str, suffix: str) -> str:
    """A line of the shell that runs a command for each file."""
    if os.name == "nt":
        return f'for %f in (*{suffix}) do {command} "%f"'
    return f'for file in *{suffix}; do {command} "$file"; done'


def no_command(group: click.Group, ctx: click.Context, word: str) -> str:
    """A line for a word that is no command of a group."""
    called = ctx.command_path
    if _is_network(word):
        return f"{word}: a command comes first, like: {called} render --network {word}"
    near = difflib.get_close_matches(word, group.commands, 1)
    return f"{word}: is no command of `{called}`" + (
        f"; type: {called} {near[0]}" if near else f"; there are {', '.join(group.commands)}"
    )


def no_option(group: click.Group, ctx: click.Context, option: str) -> str | None:
    """A line for an option before the command; None where no command of the group has it."""
    for name, command in group.commands.items():
        if any(option in param.opts for param in command.params):
            return f"{option}: a command comes first, like: {ctx.command_path} {name} {option}"
    return None
