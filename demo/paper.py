"""Every table and figure of docs/evaluation.md, from scratch: ``python -m demo.paper``, or ``make paper``.

The experiments of the paper on the bundled network, whose factors are known. Results go to docs/evaluation/, and the
numbers in the text of docs/evaluation.md, which stand between comments, are replaced by what has been found. Every
conclusion there is a claim of ``demo.claims``, checked anew each time.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sefa_plugin.system.processor import share_cores

share_cores()  # before anything imports torch

import numpy as np  # noqa: E402

from demo.claims import claims_of  # noqa: E402
from demo.world import faces  # noqa: E402
from sefa_plugin.commands.progress import Progress  # noqa: E402
from sefa_plugin.evaluate.experiments import baselines, hierarchy, truth  # noqa: E402
from sefa_plugin.evaluate.methods.methods import METHODS  # noqa: E402
from sefa_plugin.evaluate.samples.bench import Bench  # noqa: E402
from sefa_plugin.evaluate.samples.parts import Parts  # noqa: E402
from sefa_plugin.evaluate.scorers.interface import features_of  # noqa: E402
from sefa_plugin.evaluate.scorers.scorers import load_scorer  # noqa: E402
from sefa_plugin.evaluate.tables.heatmap import Heatmap  # noqa: E402
from sefa_plugin.evaluate.tables.table import Table, written  # noqa: E402
from sefa_plugin.networks.building import load_network  # noqa: E402
from sefa_plugin.system.messages import readable  # noqa: E402
from sefa_plugin.system.processor import keep_freed_memory  # noqa: E402
from sefa_plugin.system.whole_files import whole_file  # noqa: E402

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT, FOLDER = "evaluation.md", "evaluation"
DRAWN = 5000  # seed of the drawn faces that edited pictures are compared with: none of them was trained on
_VALUE = re.compile(r"<!--=([^>]+?)-->.*?<!--/-->", re.DOTALL)
_BLOCK = re.compile(r"<!-- from: ([^ ]+) -->\n.*?<!-- end -->", re.DOTALL)


class PaperError(Exception):
    """The text asks for something that no experiment gives."""


@dataclass(frozen=True)
class Size:
    """How much of everything is measured.

    Attributes:
        count: directions of each variant; a method has one for each attribute.
        samples: those of the table of methods.
        scored, codes: what InterFaceGAN and GANSpace learn from.
        portraits: pictures of a Fréchet distance.
        layer_samples, layer_count: samples and directions of a layer.
        sets, set_samples: sets of samples of the variants, and how many are in one.
    """

    count: int = 10
    samples: int = 200
    scored: int = 8000
    codes: int = 20_000
    portraits: int = 1000
    layer_samples: int = 120
    layer_count: int = 4
    sets: int = 2
    set_samples: int = 80

    def pictures(self, attributes: int, layers: int, variants: int) -> int:
        """How many are rendered, about."""
        methods = 2 * self.samples * len(METHODS) * attributes
        single = 2 * self.layer_samples * self.layer_count * (layers + 4)
        varied = 2 * self.set_samples * self.sets * (self.count * (variants - 2) + 2 * attributes)
        return methods + self.scored + 7 * self.portraits + single + varied


QUICK = Size(2, 6, 100, 200, 10, 4, 1, 1, 6)


class Paper:
    """The experiments on one or several networks, the first of which is looked at closely.

    ``only``: the factors that are measured; all without any.
    """

    def __init__(
        self, networks: Sequence[str], size: Size, parts: Parts, progress: Progress, only: Sequence[str] = ()
    ) -> None:
        self.size = size
        scorer = load_scorer("demo", only=only)
        self.benches = [
            Bench(load_network(path), scorer, count=size.samples, parts=parts, advance=progress.advance)
            for path in networks
        ]
        self.bench, self.scorer = self.benches[0], scorer
        self.attributes = self.bench.samples.trial(scorer)
        self.variants = truth.fitting(self.bench.G)
        layers = len(hierarchy.factorised(self.bench.G, 1))
        pictures = size.pictures(len(self.attributes), layers, len(self.variants))
        progress.expect(pictures)

    def methods(self) -> tuple[list[baselines.Outcome], Any]:
        """The table of methods, and the Fréchet distances of unedited samples."""
        size = self.size
        pictures, _ = faces(DRAWN, size.portraits)
        real = features_of(self.scorer, pictures)
        count = min(len(self.attributes), self.bench.G.w_dim)
        found = baselines.find(self.bench, METHODS, count, scored=size.scored, codes=size.codes, skip=_left_out)
        floor = baselines.floors(self.bench, self.scorer, real, size.portraits)
        return baselines.compare(self.bench, found, self.scorer, real, size.portraits), floor

    def levels(self) -> list[hierarchy.Level]:
        """What each layer changes."""
        bench = self.bench.replace(count=self.size.layer_samples)
        return hierarchy.levels(bench, hierarchy.factorised(bench.G, self.size.layer_count))

    def units(self) -> list[truth.Unit]:
        """Variants and baselines on each set of samples of each network."""
        size, units = self.size, []
        for network, bench in enumerate(self.benches):
            for at in range(size.sets):
                first = bench.samples.seeds.start + at * size.set_samples
                unit = bench.replace(count=size.set_samples, first=first)
                units.append(
                    truth.measure_unit(
                        unit, self.variants, size.count, size.scored, size.codes, seed=at, network=network
                    )
                )
        return units


def _left_out(name: str, error: Exception) -> None:
    click.echo(f"{name} is left out: {error}", err=True)


def write(folder: Path, paper: Paper, start: float | None) -> dict[str, Any]:
    """Run everything and write tables and figures; gives what the text may ask for: values, and blocks by name.

    ``start`` is when it began, None where that says nothing of how long it takes.
    """
    outcomes, floor = paper.methods()
    found = paper.levels()
    units = paper.units()
    results = truth.gather(units, paper.variants)
    size = paper.size
    tables: dict[str, Table] = {
        "methods": baselines.table_of(outcomes, floor),
        "agreement": baselines.agreement_of(outcomes),
        "rescoring": baselines.by_attribute(outcomes, "change", "Re-scoring of each attribute"),
        "disentanglement": baselines.by_attribute(outcomes, "share", "Disentanglement of each attribute"),
        "layers": hierarchy.table_of(found),
        "homes": hierarchy.homes(found),
        "variants": truth.table_of(results),
        "differences": truth.differences(results),
        "correlations": truth.by_factor(results, "correlation", "Correlation of each factor"),
    }
    for name, table in tables.items():
        table.write(folder / f"{name}.csv")
    sefa = outcomes[0]
    figures = {
        "rescoring": _directions(sefa),
        "supervised": _directions(next(one for one in outcomes if one.found.method == "interfacegan")),
        "layers": hierarchy.heatmap(found),
        "correlations": truth.heatmap(results, "correlation", "Correlation of distance and factor"),
        "shares": truth.heatmap(results, "share", "Disentanglement of each factor"),
    }
    for name, figure in figures.items():
        figure.write(folder / f"{name}.png")
    claims = claims_of(outcomes, found, units)
    about = {
        "network": paper.bench.G.sefa.digest[:12],
        "networks": len(paper.benches),
        "minutes": "" if start is None else readable(time.perf_counter() - start),
        **{key: getattr(size, key) for key in Size.__dataclass_fields__},
        "set_total": size.sets * size.set_samples,
        "attributes": len(sefa.summary.names),
        "floor": floor[0],
        "floor.real": floor[1],
        **_values(outcomes, results),
    }
    blocks = {name: table.markdown() for name, table in tables.items()}
    for name, held in claims.items():
        blocks[f"claims-{name}"] = "".join(f"* {claim}\n" for claim in held)
    everything = {
        "values": {key: _plain(value) for key, value in about.items()},
        "claims": {name: [[str(claim), claim.verdict] for claim in held] for name, held in claims.items()},
        "methods": baselines.details(outcomes),
        "layers": hierarchy.details(found),
        "truth": truth.details(results),
    }
    with whole_file(folder / "paper.json") as part:
        part.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    return {"values": about, "blocks": blocks}


def _directions(outcome: baselines.Outcome) -> Heatmap:
    names = outcome.found.directions.names
    return Heatmap(
        outcome.summary.matrix,
        [f"{at} {names[at]}".strip() for at in range(len(names))],
        outcome.summary.names,
        f"{outcome.title}: what each direction changes",
        "Mean change from one end of the range to the other, in standard deviations of the attribute.",
    )


def _values(outcomes: Sequence[baselines.Outcome], results: Sequence[truth.Result]) -> dict[str, Any]:
    """Numbers by the names that the text calls them by: ``sefa.share``, ``truth/ToRGB always.share``."""
    values: dict[str, Any] = {}
    for one in outcomes:
        for measure in ("change", "share", "preserved", "rank", "variety", "correlation"):
            values[f"{one.found.method}.{measure}"] = one.summary.mean(measure)
        values[f"{one.found.method}.frechet"], values[f"{one.found.method}.real"] = one.frechet, one.real
        values[f"{one.found.method}.seconds"] = one.found.seconds
        values[f"{one.found.method}.like-sefa"] = one.like_sefa
        if "validation" in one.found.about:
            for key in ("validation", "remaining"):
                values[f"{one.found.method}.{key}"] = float(np.nanmean(list(one.found.about[key].values())))
    for result in results:
        for measure, found in result.values.items():
            values[f"truth/{result.variant}.{measure}"] = found
    return values


def _plain(value: Any) -> Any:
    return value.as_list() if hasattr(value, "as_list") else value


def filled(text: str, found: Mapping[str, Any]) -> str:
    """The text with its numbers and tables replaced.

    Raises:
        PaperError: it asks for what there is not.
    """

    def value(match: re.Match) -> str:
        key = match[1]
        if found["values"].get(key) == "":  # not known anew: what is there stays
            return match[0]
        if key not in found["values"]:
            raise PaperError(f"the text asks for {key!r}; there are {', '.join(found['values'])[:300]}")
        return f"<!--={key}-->{written(found['values'][key])}<!--/-->"

    def block(match: re.Match) -> str:
        if match[1] not in found["blocks"]:
            raise PaperError(f"the text asks for the table {match[1]!r}; there are {', '.join(found['blocks'])}")
        return f"<!-- from: {match[1]} -->\n{found['blocks'][match[1]]}<!-- end -->"

    return _BLOCK.sub(block, _VALUE.sub(value, text))


def target_of(docs: str | None, quick: bool, work: str) -> Path:
    """Where results go: numbers of a quick run never into the document that ships, unless its folder is named."""
    if docs is not None:
        return Path(docs)
    return Path(work) / "docs" if quick else DOCS


@click.command()
@click.option("--network", "networks", multiple=True, default=("demo",), help="May be repeated: several trainings.")
@click.option("--score-only", default="", help="Factors to measure, like turn,smile.  [default: all]", metavar="LIST")
@click.option("--quick", is_flag=True, help="Too few samples for any conclusion: does it run?")
@click.option("--resume", is_flag=True, help="Use what an earlier run with the same settings has measured.")
@click.option(
    "--work", default="sefa-out/paper", show_default=True, help="Where measurements are kept.", metavar="FOLDER"
)
@click.option(
    "--docs", help="Folder of evaluation.md.  [default: docs; for --quick a copy in --work]", metavar="FOLDER"
)
def main(networks: tuple[str, ...], score_only: str, quick: bool, resume: bool, work: str, docs: str | None) -> None:
    """Run the experiments and fill in the document."""
    keep_freed_memory()
    start = time.perf_counter()
    parts = Parts(work)
    if not resume:
        parts.clear()
    target = target_of(docs, quick, work)
    before = ((DOCS if docs is None else target) / TEXT).read_text(encoding="utf-8")
    text, folder = target / TEXT, target / FOLDER
    draft = Path(work) / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    with Progress() as progress:
        only = [name.strip() for name in score_only.split(",") if name.strip()]
        paper = Paper(networks, QUICK if quick else Size(), parts, progress, only)
        found = write(draft, paper, None if resume else start)
    after = filled(before, found)  # fails before anything of the document is touched
    for path in sorted(draft.iterdir()):
        with whole_file(folder / path.name) as part:
            shutil.copyfile(path, part)
    with whole_file(text) as part:
        part.write_text(after, encoding="utf-8")
    click.echo(f"{text}: filled in, {folder}, {readable(time.perf_counter() - start)}")


if __name__ == "__main__":
    main()
