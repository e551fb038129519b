"""Train the bundled network and write its file, in one command: ``python -m demo``."""

from __future__ import annotations

from pathlib import Path

import click

from demo import export, refine, train

OUTPUT = next(option for option in export.main.params if option.name == "output")
UPTO = next(option for option in refine.main.params if option.name == "upto")


@click.command(params=[*train.main.params, UPTO, OUTPUT], context_settings={"show_default": True})
@click.pass_context
def main(context: click.Context, output: str, outdir: Path, upto: float, **options: object) -> None:
    """Train on the drawn faces in two stages, then export. Run it again to go on after an interruption."""
    context.invoke(train.main, outdir=outdir, **options)
    context.invoke(refine.main, outdir=outdir, upto=upto, minutes=options["minutes"])
    context.invoke(export.main, checkpoint=str(outdir / refine.CHECKPOINT), output=output)


if __name__ == "__main__":
    main(prog_name="python -m demo")
