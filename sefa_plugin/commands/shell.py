"""Errors and warnings of commands: one line, an exit code, a traceback only with ``--debug``."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..reading.download import without_secrets
from ..runs.command_line import portable, portable_words
from ..system import environment
from ..system.interrupts import INTERRUPTED, STOPPED, exit_code, stoppable
from ..system.messages import one_line
from ..system.processor import is_out_of_memory, limit_threads, share_cores
from . import arguments, files, help
from .progress import QUIET, Progress, quiet

USAGE, FAILURE = 2, 1
SETTINGS = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}  # of click


def warn(text: str) -> None:
    """Print a one-line warning to standard error.

    Raises:
        click.ClickException: instead of it, with ``--strict``.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("strict"):
        raise click.ClickException(f"{text} (refused because of --strict)")
    Progress.say(f"Warning: {one_line(without_secrets(text))}")


def note(text: str) -> None:
    """Print a one-line note to standard error; not with ``--quiet``."""
    report(f"Note: {one_line(text)}", err=True)


def report(text: str, err: bool = False) -> None:
    """Print what a command does or has made; not with ``--quiet``."""
    if not quiet():
        click.echo(text, err=err)


@contextmanager
def usage() -> Iterator[None]:
    """Turn a ``ValueError`` into a usage error, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def explain(error: BaseException) -> tuple[str, int]:
    """Return the message and the exit code for an exception that ended a command."""
    stopped = exit_code(error)
    if stopped or isinstance(error, click.Abort):
        return STOPPED, stopped or INTERRUPTED
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        value = error.param.metavar if isinstance(error.param, click.Option) else ""
        line = error.format_message().rstrip(".")
        return f"{line}{f' {value}' if value else ''}; see {error.ctx.command_path} --help", error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, OSError):
        place = error.filename or ("standard output" if _raised_by_printing(error) else "")
        return f"{place}{': ' if place else ''}{error.strerror or error}", FAILURE
    if isinstance(error, ModuleNotFoundError):
        lacking = environment.missing()
        if lacking:
            return lacking, FAILURE
    if is_out_of_memory(error):
        return (
            "out of memory, even for one picture at a time; close what else needs memory, or try --device cpu",
            FAILURE,
        )
    if type(error).__module__.startswith("sefa_plugin"):  # a ValueError of this package is a usage error
        return str(error), USAGE if isinstance(error, ValueError) else FAILURE
    kind = type(error).__name__
    return f"unexpected {kind}: {error} (run it again with --debug to see where)", FAILURE


def typed_command() -> list[str]:
    """The words of the running command, with its program as it was called, for records; see ``portable_words``."""
    context = click.get_current_context().find_root()
    words = context.meta[_WORDS]
    program = context.meta.get(_PROGRAM) or _program(context.command.name or "", words)
    return [*program, *portable_words(words)]


def run_as(program: Sequence[str], command: click.Command, words: Sequence[str]) -> None:
    """Run a command in this process without a line printed, as if its words were typed after those of a program."""
    with command.make_context(program[-1], list(words)) as context:
        context.meta.update({_PROGRAM: list(program), QUIET: True})
        command.invoke(context)


_WORDS, _PROGRAM = "sefa_plugin.words", "sefa_plugin.program"  # of the command line, in click's context


def _program(name: str, words: Sequence[str]) -> list[str]:
    """How this process was started, if it was with these words; else the name of the command."""
    script = sys.argv[0]
    if list(words) != list(map(_expanded, sys.argv[1:])):
        return [name]
    if Path(script).name == "__main__.py":
        return [_python(), "-m", "sefa_plugin"]
    return [_python(), portable(script)] if script.endswith(".py") else [_short(script)]


def _python() -> str:
    """This Python as it was called."""
    called = getattr(sys, "orig_argv", [""])[0]  # Python 3.10
    return _short(called or sys.executable)


def _short(program: str) -> str:
    """A program's name where the shell finds it under that, else its path."""
    name = Path(program).stem if os.name == "nt" else Path(program).name
    found = shutil.which(name)
    known = os.sep not in program or (found is not None and os.path.abspath(found) == os.path.abspath(program))
    return name if known else portable(program)


def _raised_by_printing(error: BaseException) -> bool:
    """Whether click's printing raised an error, which has no file name; it is taken to be on standard output."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_globals.get("__name__") == "click.utils"


def _open_streams() -> None:
    """Open closed standard streams as the null device, so that no output file gets their numbers."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is ``number``
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115 - to the end


class OneLineErrors(click.Command):
    """A command that prints an error as one line; a traceback only with ``--debug``."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command; see ``click.Command.main``."""
        share_cores()
        limit_threads()
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        words = [_expanded(word) for word in (sys.argv[1:] if args is None else args)]
        _open_streams()
        if hasattr(sys.stdout, "reconfigure"):  # file names may not be encodable in the terminal's encoding
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with stoppable():
                args = args if os.name == "nt" else words  # on Windows click expands them
                result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            if "--debug" in words and not isinstance(error, click.ClickException):
                raise
            line, code = explain(error)
            click.echo(f"Error: {one_line(without_secrets(line))}", err=True)
            sys.exit(code)
        sys.exit(result if isinstance(result, int) else 0)

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first sentence of the help, not cut off."""
        return help.summary(self.help)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under headings."""
        help.write_options([param for param in self.get_params(ctx) if isinstance(param, click.Option)], ctx, formatter)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As ``click.Command.make_context``; notes the words of the command line."""
        words = list(args)
        context = super().make_context(info_name, args, parent, **extra)
        context.meta.setdefault(_WORDS, words)
        return context


def _expanded(word: str) -> str:
    """A word of the command line, with the home folder for ``~/``, which shells leave after ``=`` and in quotes."""
    found = re.match(r"(--[\w-]+=)?(?=~[/\\])", word)
    return found[0] + os.path.expanduser(word[found.end() :]) if found else word


class Command(OneLineErrors):
    """A single command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words; wrong turns that are known have a line that says what to type."""
        arguments.check(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Check that the current folder exists, and run; see ``click.Command.invoke``."""
        try:
            os.getcwd()
        except OSError:  # libraries of PyTorch would abort the process
            raise click.ClickException("the current folder is gone; change to one that is there") from None
        files.check(ctx)
        return super().invoke(ctx)


class Group(OneLineErrors, click.Group):
    """A group of commands, listed in the order in which they were written."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words before the command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            line = arguments.no_option(self, ctx, error.option_name)
            if line is None:
                raise
            raise click.UsageError(line) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a word."""
        if not ctx.resilient_parsing and args and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(arguments.no_command(self, ctx, args[0]))
        return super().resolve_command(ctx, args)
