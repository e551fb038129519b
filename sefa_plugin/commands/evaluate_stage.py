"""What the commands of `sefa evaluate` that stand on a bench share: options, an open network, where results go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from .evaluate import scorer_given
from .progress import Progress
from .shell import usage
from .stages import generator_given, open_given

FOLDER, PARTS = "evaluate", "parts"


class Stage:
    """An open network, its bench, and the folder for what comes of it."""

    def __init__(
        self, given: dict[str, Any], progress: Progress, network: str | None = None, scorer: Any = None
    ) -> None:
        from ..evaluate.samples.bench import Bench
        from ..evaluate.samples.parts import Parts
        from ..runs.folder import check_folder, output_folder

        self.opened = open_given({**given, "network": network or given["network"]})
        if self.opened.why_no_pictures:
            raise click.ClickException(f"{self.opened.record.path}: {self.opened.why_no_pictures}")
        self.outdir = output_folder(given["outdir"], "truth" if given.get("also") else self.opened.record.name)
        check_folder(self.outdir)
        self.folder = self.outdir / FOLDER
        parts = Parts(self.folder / PARTS)
        if given["overwrite"]:
            parts.clear()
        G, look = generator_given(self.opened, given)
        scorer = scorer or scorer_given(given, str(next(G.parameters()).device))
        with usage():
            self.bench = Bench(
                G,
                scorer,
                look,
                count=given["samples"],
                first=given["first_seed"],
                parts=parts,
                advance=progress.advance,
            )
        self.attributes, self.pace = self.bench.trial()

    def about(self, **more: Any) -> dict[str, Any]:
        """What a result says of where it comes from."""
        from ..runs.reproduce import without_folders

        bench = self.bench
        return {
            "network": self.opened.record.name,
            "digest": self.opened.record.digest(),
            "scorer": getattr(bench.scorer, "title", ""),
            "samples": len(bench.samples),
            "first_seed": bench.samples.seeds.start,
            "trunc": bench.look.trunc,
            "command": without_folders(sys.argv),
            **more,
        }

    def write(
        self, stem: str, table: Any, about: dict[str, Any], kinds: Sequence[str] = ("csv", "json", "png")
    ) -> None:
        """Write a table in several formats, and say so."""
        for kind in kinds:
            path = self.folder / f"{stem}.{kind}"
            table.write(path, {"command": about["command"]} if kind == "png" else about)
            click.echo(f"  {path}")
