"""What only a GPU shows, measured in a few minutes: ``python -m benchmarks gpu``.

Every part takes the device, so that what needs no GPU is tried on a CPU; a part that fails gives its reason.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import contest, machine, networks, rendering, report, shares

FRAMES, REPETITIONS = 60, 5
_NEEDS = "needs a GPU"


def missing(device: str) -> str:
    """Why a device cannot be used; '' if it can."""
    import torch

    if device != "cuda" or torch.cuda.is_available():
        return ""
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    return (
        f"no GPU is here: torch {torch.__version__}, {built}, finds none; nothing was measured "
        "(--device cpu tries the parts that need none)"
    )


def measure(
    cases: Sequence[networks.Case],
    parts: Sequence[str],
    official: str | None,
    device: str,
    seconds: float,
    path: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure parts of all cases, and write what is known so far to a JSON file after each.

    Args:
        cases: rows.
        parts: names of :data:`PARTS`.
        official: folder of the official checkouts, or None.
        device: ``cuda`` or ``cpu``.
        seconds: after which no further part is begun; what is left out is listed.
        path: of the file.
        say: called with lines for the reader.
    """
    precisions = ("float32", "float16") if device == "cuda" else ("float32",)
    rates = {dtype: machine.gemm_rate(dtype, device) for dtype in precisions}
    held: dict[str, Any] = {"machine": {**machine.describe(), "device": device, "rates": rates}, "left_out": []}
    begin = time.monotonic()
    for part in parts:
        for case in cases:
            what = f"{part} {case.name}"
            if time.monotonic() - begin > seconds:
                held["left_out"].append(what)
                continue
            try:
                made = PARTS[part](case, device, official, rates)
            except Exception as error:  # of any kind, of strangers' code and compilers too: the others are measured
                made = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
            held.setdefault(part, {})[case.name] = made
            say(f"{what}: {json.dumps(made)}")
            Path(path).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    for what in held["left_out"]:
        say(f"{what}: left out, the time is over")
    Path(path).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    return held


def rows(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Seconds per picture of ours, plain operators, and the official code without and with its plugins."""
    made = [
        contest.Entry("ours float32", "benchmarks.rendering:our_pictures", (case.name, "float32", device)),
        contest.Entry("plain", "benchmarks.rendering:plain_pictures", (case.name, device)),
    ]
    if device == "cuda":
        made.append(contest.Entry("ours float16", "benchmarks.rendering:our_pictures", (case.name, "float16", device)))
    if official:
        checkout = str(Path(official) / case.checkout)
        for name, plugins in (("official, no plugins", False), ("official", True)):
            arguments = (case.name, checkout, device, plugins)
            made.append(contest.Entry(name, "benchmarks.rendering:official_pictures", arguments))
    results = contest.compete(made, REPETITIONS)
    work = networks.convolution_work(networks.ours(case))
    row: dict[str, Any] = report.row(case, results, work, {**rates, "bfloat16": rates.get("float16", 1.0)})
    return row


def parts(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Shares of convolutions, filters and memory traffic in the kernels' time."""
    draw = rendering.our_pictures(case.name, "float32", device)
    draw(0)
    return shares.measured(lambda: draw(1), device)


def agreement(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """How far pictures of the network's own precision are from float32, and those from the CPU's, in 255ths."""
    import torch

    G, ws = _network(case, device)
    with torch.no_grad():
        full, own = (_levels(G.synthesis(ws, noise_mode="const", force_fp32=whole)) for whole in (True, False))
        here = G.cpu()
        reference = _levels(here.synthesis(ws.cpu(), noise_mode="const", force_fp32=True))
    return {
        "own against float32": _apart(own, full),
        "float32 against the CPU's": _apart(full, reference),
    }


def memory(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Bytes of the weights, and the most that one picture and a batch of eight need beside them."""
    import torch

    if device != "cuda":
        return {"error": _NEEDS}
    made = {}
    G, ws = _network(case, device)
    weights = torch.cuda.memory_allocated()
    for count in (1, 8):
        torch.cuda.reset_peak_memory_stats()
        with torch.no_grad():
            G.synthesis(ws[:1].repeat(count, 1, 1), noise_mode="const")
        made[f"{count} at once"] = torch.cuda.max_memory_allocated() - weights
    return {"weights": weights, **made}


def frames(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Frames a second of a loop that waits for each copy, and of one that copies into pinned memory meanwhile."""
    import torch

    G, ws = _network(case, device)

    def picture(number: int) -> torch.Tensor:
        with torch.no_grad():
            img = G.synthesis(ws[:1] * (1 + number / FRAMES / 100), noise_mode="const")
        return (img * 127.5 + 128).clamp(0, 255).to(torch.uint8)

    def waiting() -> list[int]:
        return [int(picture(number).cpu()[0, 0, 0, 0]) for number in range(FRAMES)]

    def pinned() -> list[int]:
        held, copied, seen = [], [], []
        for number in range(FRAMES + 1):
            if number < FRAMES:
                made = picture(number)
                if number < 2:
                    held.append(torch.empty(made.shape, dtype=made.dtype, pin_memory=True))
                    copied.append(torch.cuda.Event())
                held[number % 2].copy_(made, non_blocking=True)
                copied[number % 2].record()
            if number:
                copied[(number - 1) % 2].synchronize()
                seen.append(int(held[(number - 1) % 2][0, 0, 0, 0]))
        return seen

    made: dict[str, Any] = {"waiting": FRAMES / _seconds(waiting, device, 3)}
    if device != "cuda":
        return {**made, "pinned": _NEEDS}
    return {**made, "pinned": FRAMES / _seconds(pinned, device, 3), "same": waiting() == pinned()}


def graphs(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Seconds of one picture as calls and as a CUDA graph, and whether they are the same."""
    import torch

    if device != "cuda":
        return {"error": _NEEDS}
    G, ws = _network(case, device)
    given = ws[:1].clone()

    def usual() -> torch.Tensor:
        with torch.no_grad():
            made: torch.Tensor = G.synthesis(given, noise_mode="const")
        return made

    usual()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            usual()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = usual()
    graph.replay()
    return {
        "calls": _seconds(usual, device),
        "graph": _seconds(graph.replay, device),
        "same": bool(torch.equal(made, usual())),
    }


def compiled(case: networks.Case, device: str, official: str | None, rates: dict[str, float]) -> dict[str, Any]:
    """Seconds of one picture as it is and under ``torch.compile``, of compiling, and how far they are apart."""
    import torch

    G, ws = _network(case, device)
    with torch.no_grad():
        quick = torch.compile(G.synthesis)
        begin = time.perf_counter()
        made = quick(ws[:1], noise_mode="const")
        _wait(device)
        first = time.perf_counter() - begin
        usual = G.synthesis(ws[:1], noise_mode="const")
        return {
            "compiling": first,
            "calls": _seconds(lambda: G.synthesis(ws[:1], noise_mode="const"), device),
            "compiled": _seconds(lambda: quick(ws[:1], noise_mode="const"), device),
            **_apart(_levels(made), _levels(usual)),
        }


PARTS: dict[str, Callable[[networks.Case, str, str | None, dict[str, float]], dict[str, Any]]] = {
    "rows": rows,
    "parts": parts,
    "agreement": agreement,
    "memory": memory,
    "frames": frames,
    "graphs": graphs,
    "compile": compiled,
}


def _network(case: networks.Case, device: str) -> tuple[Any, Any]:
    """The generator of a case, and ws of two seeds."""
    import torch

    G = networks.ours(case).to(device)
    z = torch.randn(2, networks.W_DIM, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        return G, G.mapping(z, None)


def _levels(img: Any) -> Any:
    return (img.float() * 127.5 + 128).clamp(0, 255).cpu()


def _apart(one: Any, other: Any) -> dict[str, float]:
    distance = (one - other).abs()
    return {"mean": float(distance.mean()), "most": float(distance.max())}


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def _seconds(run: Callable[[], object], device: str, repetitions: int = 20) -> float:
    """The median of some calls."""
    taken = []
    for _ in range(repetitions + 1):
        begin = time.perf_counter()
        run()
        _wait(device)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:])
