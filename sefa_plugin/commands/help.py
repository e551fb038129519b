"""What ``--help`` prints beside the texts of commands and options: headings of options, whole summaries."""

from __future__ import annotations

import click

# Options by the names of their parameters; those that are in no list come last.
HEADINGS = {
    "Network": ("network", "which", "sha256", "trust_pickle", "allow_local", "also"),
    "Recipe": ("recipe", "animate", "other_network"),
    "Directions": (
        *("edits", "across", "down", "apart", "wanted", "marks"),
        *("num_directions", "order", "directions", "directions_file", "edit_layers", "distance"),
        *("layers", "space", "normalize", "torgb", "sharpen", "region", "code_samples", "rows", "vectors"),
        *("starred", "note", "undo", "stars"),
    ),
    "Pictures": (
        *("seeds", "projected_w", "classes", "label", "trunc", "trunc_cutoff", "noise_mode"),
        *("translate", "rotate", "camera", "fov_deg", "background"),
    ),
    "Projection": (
        *("crop", "landmarks", "code_space", "steps", "prior", "sample_seed", "noise_maps", "encoder", "tune"),
        *("perceptual", "film"),
    ),
    "Videos": (
        "video",
        "frames",
        "fps",
        "loop",
        "easing",
        "path",
        "grid",
        "captions",
        "size",
        "scale",
        "canvas",
        "max_mb",
    ),
    "Scores": ("scorers", "attributes", "score_only", "clip_model", "clip_weights", "features", "real"),
    "Experiment": (
        *("methods", "variants", "sets", "samples", "first_seed", "train_samples", "seed"),
        *("only", "condition", "files", "no_names"),
        *("ask", "texts", "repeats", "catches", "synonyms", "keep_all", "write_names", "named_files"),
    ),
    "Job": ("shard", "workers", "engine", "ray_address", "evaluate", "status", "retry_failed", "partial"),
    "Page": (
        *("port", "host", "allow_host", "token", "osc", "share_safe", "public", "prefix", "allow_frame", "browser"),
    ),
    "Output": ("outdir", "static", "output", "layout", "single_file", "overwrite", "as_json", "dry_run"),
}
OTHERS = "Running"
FEW = 8


def write_options(options: list[click.Option], ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of a command under headings; a few options need none."""
    places = {name: (heading, at) for heading, names in HEADINGS.items() for at, name in enumerate(names)}
    found: dict[str, list[tuple[int, tuple[str, str]]]] = {heading: [] for heading in (*HEADINGS, OTHERS)}
    for option in options:
        record = option.get_help_record(ctx)
        if record is not None:
            heading, at = places.get(option.name or "", (OTHERS, 0))
            found[heading].append((at, record))
    sections = {
        heading: [record for _, record in sorted(rows, key=lambda item: item[0])] for heading, rows in found.items()
    }
    if len(options) <= FEW:
        sections = {"Options": [record for rows in sections.values() for record in rows]}
    for heading, records in sections.items():
        if records:
            with formatter.section(heading):
                formatter.write_dl(records)


def summary(text: str | None) -> str:
    """The first sentence of a command's help, whole and without its full stop; click cuts it off."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".")
