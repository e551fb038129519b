"""From shards to what a run of each network makes, a table of all directions, and a page of all networks."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from ..evaluate.experiments.rescore import FOLDER as EVALUATE
from ..runs.folder import claim, write_page
from ..runs.plan import Plan
from ..runs.record import NAME as RECORD_OF_RUN
from ..runs.record import Manifest, digest_of, read_record
from ..system.claims import claimed
from ..system.whole_files import whole_file, whole_folder
from .job import COMMAND, PLACE, PLAN, BatchError, Block, Job
from .renders import plan_in
from .running import WAIT, Done, about
from .shard import CLAIMS, MADE, final_folder, folder_of, record_of

TABLE, PARQUET, PAGE = "table.jsonl", "table.parquet", "index.html"
_SHOWN = ("title", "eigenvalue", "range", "words", "where")  # of the description of an output
MARK = "<!-- sefa batch -->"


@dataclass(frozen=True)
class Merged:
    """What was merged.

    Attributes:
        folders: of networks, and of their classes.
        missing: lines, one for each shard or output that is not among them.
    """

    folders: tuple[Path, ...]
    missing: tuple[str, ...]


def merge(folder: Path, job: Job, warn: Callable[[str], None], partial: bool = False) -> Merged:
    """Put the outputs of all shards where plain runs put them, and write the table and the page.

    Args:
        folder, job: the job and its folder.
        warn: called with one line where shards were computed in different ways.
        partial: merge what is there; what is missing is named in the result and on the page.

    Raises:
        BatchError: shards are missing or damaged, or made by different versions; nothing was merged.
        SettingsError: a folder holds something else.
        OSError: a file cannot be read or written.
    """
    done = Done(folder, job)
    missing = _missing(job, done)
    if missing and not partial:
        more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise BatchError(
            f"{folder}: not all is there: {'; '.join(missing[:3])}{more} "
            "(make the rest: sefa batch --outdir DIR, with --retry-failed what failed; or merge with --partial)"
        )
    made = {block.id: failed for block in job.blocks if (failed := done.failed(block)) is not None}
    _check(folder, job, made, warn)
    (folder / PLACE / CLAIMS).mkdir(exist_ok=True)
    while True:
        with claimed(folder / PLACE / CLAIMS / "merge") as ours:  # others that have made shards merge as well
            if ours:
                return _joined(folder, job, made, missing)
        time.sleep(WAIT)


def _joined(folder: Path, job: Job, made: dict[str, dict[str, str]], missing: Sequence[str]) -> Merged:
    """Put all outputs in place, and write the table and the page."""
    groups = defaultdict[Path, list[Block]](list)
    for block in job.blocks:
        groups[final_folder(folder, job, block)].append(block)
    rows: list[dict[str, object]] = []
    folders = []
    for place, blocks in groups.items():
        there = [block for block in blocks if block.id in made]
        ends = [block for block in there if block.kind == COMMAND]
        if ends and not made[ends[0].id]:
            rows += _rows_of_tables(place)
            folders.append(place)
        elif there and blocks[-1].kind != COMMAND and there[0].kind == PLAN and not made[there[0].id]:
            rows += _join(place, folder, job, there, made)
            folders.append(place)
    with whole_file(folder / TABLE) as part:
        part.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    _write_parquet(folder / PARQUET, rows)
    _write_page(folder, folders, missing)
    return Merged(tuple(folders), tuple(missing))


def _write_parquet(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write the table as Parquet, too, where pyarrow is installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        return
    columns: dict[str, list[object]] = {name: [row.get(name) for row in rows] for row in rows for name in row}
    for name, cells in columns.items():
        if any(isinstance(cell, str) for cell in cells):  # of several tables, some with numbers there
            columns[name] = [cell if cell is None else str(cell) for cell in cells]
    with whole_file(path) as part:
        parquet.write_table(pyarrow.table(columns), part)


def _missing(job: Job, done: Done) -> list[str]:
    lines = [f"{network.path}: {network.problem}" for network in job.networks if network.problem]
    for block in job.blocks:
        failed = done.failed(block)
        if failed is None and not done.has(block):
            lines.append(f"shard {block.id} ({about(job, block)}) is not made")
        lines += [f"{about(job, block)}: {item} failed: {why}" for item, why in (failed or {}).items()]
    return lines


def _check(folder: Path, job: Job, made: dict[str, dict[str, str]], warn: Callable[[str], None]) -> None:
    """Check versions and digests of all shards that are there."""
    ways: dict[str, str] = {}
    for block in job.blocks:
        record = record_of(folder, block) if block.id in made else None
        if record is None:
            continue
        for name, version in record.versions.items():
            if name != "python" and job.versions.get(name) != version:
                raise BatchError(
                    f"shard {block.id} ({about(job, block)}) was made on {record.machine} with {name} {version}, the "
                    f"job is of {job.versions.get(name)}: versions are not mixed; remove {folder_of(folder, block)}"
                )
        if record.computed:
            ways.setdefault(json.dumps({**record.computed, "at_once": 0}, sort_keys=True), record.machine)
        for name, (digest, _) in record.files.items():
            if digest_of(folder_of(folder, block) / name) != digest:
                place = folder_of(folder, block)
                raise BatchError(f"{place / name}: is damaged; remove {place}, and run sefa batch --outdir {folder}")
    if len(ways) > 1:
        warn(f"pictures were computed in {len(ways)} ways, on {', '.join(ways.values())}: they may differ by rounding")


def _join(
    place: Path, folder: Path, job: Job, blocks: Sequence[Block], made: dict[str, dict[str, str]]
) -> list[dict[str, object]]:
    """Put the outputs of one network in place, with its record and page; returns rows of the table."""
    plan = plan_in(folder_of(folder, blocks[0]))
    claim(place, plan.network, plan.command)
    manifest = Manifest(place, plan.command, plan.network)
    for path in sorted((folder_of(folder, blocks[0]) / MADE).glob("*")):
        if not (place / path.name).exists():  # else with names that were given since
            _put(path, place / path.name)
    for block in blocks[1:]:
        source = folder_of(folder, block) / MADE
        _, entries = read_record(source / RECORD_OF_RUN) if (source / RECORD_OF_RUN).exists() else ({}, {})
        for name, entry in entries.items():
            if manifest.outputs.get(name) != entry or not manifest.is_current(name, entry.settings):
                _put(source / name, place / name)
                manifest.outputs[name] = entry
    manifest.write()
    write_page(manifest)
    return _rows(plan, manifest, job, blocks[0])


def _put(source: Path, target: Path) -> None:
    """A file, or a folder of frames, at another place as well."""
    if source.is_dir():
        with whole_folder(target) as part:
            for path in source.iterdir():
                _link(path, part / path.name)
    else:
        with whole_file(target) as part:
            _link(source, part)


def _link(source: Path, target: Path) -> None:
    """The same file at another place; a copy where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _rows(plan: Plan, manifest: Manifest, job: Job, block: Block) -> list[dict[str, object]]:
    """A row for each output that is there."""
    rows: list[dict[str, object]] = []
    for output in plan.outputs:
        entry = manifest.outputs.get(output.name)
        if entry is None:
            continue
        shown = {key: entry.about[key] for key in _SHOWN if key in entry.about}
        place = {"network": job.networks[block.network].name, "part": block.part, "digest": plan.network["digest"]}
        numbers = {"index": entry.settings.get("index"), "label": entry.settings.get("label")}
        rows.append({**place, "output": output.name, "sha256": entry.sha256, **numbers, **shown})
    return rows


def _rows_of_tables(place: Path) -> list[dict[str, object]]:
    """The rows of all tables of an evaluation."""
    rows: list[dict[str, object]] = []
    for path in sorted((place / EVALUATE).glob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            names, *cells = csv.reader(file)
        columns = [_typed(column) for column in zip(*cells)]
        rows += [{"network": place.name, "table": path.stem, **dict(zip(names, row))} for row in zip(*columns)]
    return rows


def _typed(column: Sequence[str]) -> Sequence[object]:
    """The cells of a column: numbers where all of them are, None where they are empty."""
    for kind in (int, float):
        try:
            return [kind(cell) if cell else None for cell in column]
        except ValueError:
            continue
    return [cell or None for cell in column]


def _write_page(folder: Path, folders: Sequence[Path], missing: Sequence[str]) -> None:
    """Write the page of all networks, with the unedited row and the first sheet of each."""
    parts = [
        MARK,
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>Networks</title>",
        "<style>body{font:16px sans-serif;margin:2em auto;max-width:70em;padding:0 1em}img{max-width:100%}"
        "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8bf}}</style>",
        f"<h1>{len(folders)} networks</h1>",
    ]
    if missing:
        parts.append("<h2>Not here</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in missing) + "</ul>")
    for place in folders:
        name = place.relative_to(folder).as_posix()
        page = f"{quote(name)}/{PAGE}" if (place / PAGE).exists() else f"{quote(name)}/"
        parts.append(f"<h2><a href='{page}'>{escape(name)}</a></h2>")
        sheets = [place / "sheets" / "unedited.jpg", *sorted((place / "sheets").glob("*-dir*.jpg"))[:1]]
        sheets += sorted((place / EVALUATE).glob("*.png"))
        parts += [
            f"<p><img loading='lazy' alt='' src='{quote(sheet.relative_to(folder).as_posix())}'></p>"
            for sheet in sheets
            if sheet.exists()
        ]
    with suppress(FileNotFoundError):
        if MARK not in (folder / PAGE).read_text(encoding="utf-8", errors="replace"):
            raise BatchError(f"{folder / PAGE}: was not made by this program, and would be replaced; move it away")
    with whole_file(folder / PAGE) as part:
        part.write_text("\n".join(parts) + "\n", encoding="utf-8")
