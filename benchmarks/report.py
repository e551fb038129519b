"""Measurements as rows of text and as JSON, and two of them side by side."""

from __future__ import annotations

import json
from typing import Any

from . import shares


def row(case: Any, results: dict[str, Any], work: float, rates: dict[str, float]) -> dict[str, Any]:
    """One case's results for JSON: seconds per picture, ratios, share of the machine's rate, memory.

    ``work`` counts the floating-point operations of one picture's convolutions; ``rates`` are per second by dtype.
    """
    made = {}
    for name, result in results.items():
        about = result.as_dict()
        if not result.error:
            each = result.typical / case.batch
            about["seconds_per_picture"] = each
            about["share"] = work / each / rates["bfloat16" if name == "ours bfloat16" else "float32"]
        made[name] = about
    return {"case": case.name, "batch": case.batch, "goals": case.goals, "contestants": made}


def parts(result: Any) -> dict[str, Any]:
    """What a contestant of ``shares`` gave, for its row."""
    return {"parts": json.loads(result.given[-1])} if result.given and not result.error else {}


def lines(held: dict[str, Any]) -> list[str]:
    """A row as text, one line for each contestant, its ratios to the others' time in the end."""
    made = held["contestants"]
    shown = []
    for name, about in made.items():
        if "error" in about:
            shown.append(f"{held['case']:13} {name:15} {about['error']}")
            continue
        ratios = [
            f"{other['seconds'] / about['seconds']:.2f}x {against}"
            for against, other in made.items()
            if against in ("plain", "official") and against != name and "seconds" in other
        ]
        shown.append(
            f"{held['case']:13} {name:15} {about['seconds_per_picture']:8.3f} s/picture  share {about['share']:.2f}"
            f"  peak {about['peak_bytes'] / 1e6:5.0f} MB  {', '.join(ratios)}".rstrip()
        )
        if "parts" in about:
            shown.append(f"{'':13} {'':15} {shares.line(about['parts'])}")
    return shown


def job_row(name: str, made: Any) -> dict[str, Any]:
    """One job's results for JSON: seconds and memory of each contestant, and numbers beside their goals."""
    return {"case": name, "contestants": made.contestants, "judged": made.judged}


def job_lines(held: dict[str, Any]) -> list[str]:
    """A job as text: its contestants, then each number with its goal."""
    shown = []
    for name, about in held["contestants"].items():
        if "error" in about:
            shown.append(f"{held['case']:13} {name:15} {about['error']}")
            continue
        line = f"{held['case']:13} {name:15} {about['seconds']:8.3f} s"
        line += f"  peak {about['peak_bytes'] / 1e6:5.0f} MB" if about["peak_bytes"] else ""
        line += f", {about['added_bytes'] / 1e6:.0f} MB above imports" if "added_bytes" in about else ""
        shown.append(line)
    for one in held["judged"]:
        verdict = "met" if one["met"] else "missed"
        number = f"{one['what']}: {one['value']:.2f} (goal {one['sense']} {one['goal']:g}: {verdict})"
        shown.append(f"{held['case']:13} {number}")
    return shown


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What became faster (above 1) or slower, each contestant against itself; other machines are said to be so.

    Between machines the shares of each one's own rate tell more than the seconds.
    """
    shown = []
    for key in ("processor", "instructions", "cores", "torch", "numba", "isa"):
        if before["machine"].get(key) != after["machine"].get(key):
            shown.append(f"{key} differs: {before['machine'].get(key)} and {after['machine'].get(key)}")
    earlier = {held["case"]: held["contestants"] for held in before["rows"]}
    for held in after["rows"]:
        for name, about in held["contestants"].items():
            old = earlier.get(held["case"], {}).get(name, {})
            if "seconds" not in about or "seconds" not in old:
                shown.append(f"{held['case']:13} {name:15} only in one of the two")
                continue
            shown.append(
                f"{held['case']:13} {name:15} {old['seconds'] / about['seconds']:.2f}x the speed, "
                f"{about['peak_bytes'] / max(old['peak_bytes'], 1):.2f}x the memory"
                + (f", share {old['share']:.2f} -> {about['share']:.2f}" if "share" in old and "share" in about else "")
            )
            if "parts" in old and "parts" in about:
                moved = [
                    f"{part} {100 * old['parts'][part]:.0f} -> {100 * about['parts'][part]:.0f} %"
                    for part in shares.PARTS
                ]
                shown.append(f"{'':13} {'':15} {', '.join(moved)}")
    return shown
