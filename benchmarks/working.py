"""Contestants of the jobs beside plain rendering: reuse, loading, factorisation; each in a process of its own."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import networks

EDITED_FROM = 12  # the first row of ws that changes where reuse is measured


def edited_frames(case: networks.Case, frames: int, reuse: bool) -> Callable[[int], str]:
    """A video of one seed whose last rows of ws move; gives the digest of its pixels."""
    import torch

    from sefa_plugin.rendering.frames import render
    from sefa_plugin.system.processor import keep_freed_memory

    keep_freed_memory()  # as the commands do
    G = networks.ours(case)
    first = min(EDITED_FROM, G.num_ws - 2)

    def run(number: int) -> str:
        source = torch.Generator().manual_seed(number)
        with torch.no_grad():
            ws = G.mapping(torch.randn(1, networks.W_DIM, generator=source), None)
        direction = torch.randn(networks.W_DIM, generator=source)
        schedule = ws.repeat(frames, 1, 1)
        schedule[:, first:] += torch.linspace(-1, 1, frames)[:, None, None] * direction / direction.norm()
        total = hashlib.sha256()
        for picture in render(G, [schedule], force_fp32=True, unchanged_rows=first if reuse else 0):
            total.update(picture)
        return total.hexdigest()

    return run


def preview(case: networks.Case, pixels: int | None, quick: bool) -> Callable[[int], None]:
    """A picture of other ws each time, up to some pixels, ``quick`` as the studio's previews are computed."""
    import torch

    from sefa_plugin.generators.quick import Quick
    from sefa_plugin.rendering.frames import render
    from sefa_plugin.system.processor import keep_freed_memory

    keep_freed_memory()  # as the commands do
    G, prepared = networks.ours(case), Quick() if quick else None

    def run(number: int) -> None:
        source = torch.Generator().manual_seed(number)
        with torch.no_grad():
            ws = G.mapping(torch.randn(1, networks.W_DIM, generator=source), None)
        next(render(G, [ws], up_to=pixels, quick=prepared))

    return run


def write_network(path: str, case: networks.Case, checkout: str | None) -> None:
    """Write ``G``, ``D`` and ``G_ema`` with random weights as a pickle of NVIDIA's kind.

    With a checkout its own code makes and pickles them; else the demo's, whose classes are like them.
    """
    import copy
    import pickle

    import torch

    torch.manual_seed(0)
    sizes = {"channel_base": 32768, **{k: v for k, v in case.synthesis.items() if k.startswith("channel")}}
    if checkout:
        networks.use_checkout(checkout)
        from training import networks as module
    else:
        from demo.export import persistent_module

        module = persistent_module()
    held = {
        "G": module.Generator(512, 0, 512, case.resolution, 3, mapping_kwargs={}, synthesis_kwargs=dict(sizes)),
        "D": module.Discriminator(c_dim=0, img_resolution=case.resolution, img_channels=3, **sizes),
    }
    held = {name: network.eval().requires_grad_(False) for name, network in held.items()}
    held["G_ema"] = copy.deepcopy(held["G"])
    with open(path, "wb") as file:
        pickle.dump({**held, "training_set_kwargs": None, "augment_pipe": None}, file)


def our_load(path: str) -> Callable[[int], Any]:
    """Load ``G_ema`` without running the file; all that is imported for it is there already."""
    import concurrent.futures  # noqa: F401

    import sefa_plugin.generators.stylegan2  # noqa: F401
    from sefa_plugin.hooks import all_hooks
    from sefa_plugin.networks.building import load_network

    list(all_hooks())
    return lambda number: load_network(path)


def official_load(path: str, checkout: str) -> Callable[[int], Any]:
    """Load ``G_ema`` as the official scripts do."""
    networks.use_checkout(checkout)
    import legacy
    import training.networks  # noqa: F401 - what the file's source imports

    def run(number: int) -> Any:
        with open(path, "rb") as file:
            return legacy.load_network_pkl(file)["G_ema"]

    return run


def channels(case: networks.Case) -> list[int]:
    """Rows of the style weights that SeFa factorises: those of all convolutions, and of the last ToRGB."""
    base, most = case.synthesis.get("channel_base", 32768), case.synthesis.get("channel_max", 512)
    rows, before, size = [min(base // 4, most)], min(base // 4, most), 8
    while size <= case.resolution:
        now = min(base // size, most)
        rows += [before, now]
        before, size = now, size * 2
    return [*rows, before]


class _Factorisation:
    """Draws weights, and hands them to what is measured."""

    def __init__(self, case: networks.Case, wrap: Callable[[list[Any]], Any], run: Callable[[Any], Any]) -> None:
        self.rows, self.wrap, self.run = channels(case), wrap, run

    def prepare(self, number: int) -> Any:
        """Weights ``[channels, w_dim]``, float32, of the number."""
        import numpy as np

        draw = np.random.RandomState(number)
        return self.wrap([draw.randn(rows, networks.W_DIM).astype(np.float32) for rows in self.rows])

    def __call__(self, held: Any) -> Any:
        return self.run(held)


def our_factorisation(case: networks.Case, layers: str) -> Callable[[Any], Any]:
    """``factorize_groups`` of all layers together, or of each."""
    from sefa_plugin.directions.factorization import factorize_groups
    from sefa_plugin.hook import StyleLayer

    def layered(weights: list[Any]) -> list[Any]:
        return [StyleLayer(f"layer{row}", weight, row, "conv", 1.0) for row, weight in enumerate(weights)]

    return _Factorisation(case, layered, lambda held: factorize_groups(held, layers))


def authors_factorisation(case: networks.Case, checkout: str) -> Callable[[Any], Any]:
    """``factorize_weight`` of the authors' `utils.py`, around a network that has nothing but its style weights.

    Of their file only this function and the one it calls are run: the rest imports their models and OpenCV.
    """
    import numpy as np
    import torch
    from torch import nn

    namespace: dict[str, Any] = {"np": np, "parse_gan_type": lambda generator: "stylegan2"}
    source = (Path(checkout) / "utils.py").read_text(encoding="utf-8")
    exec(compile(_only(source, ("factorize_weight", "parse_indices")), "utils.py", "exec"), namespace)

    def generator(weights: Sequence[Any]) -> Any:
        held = nn.Module()
        held.synthesis = nn.Module()
        held.num_layers = len(weights)
        for row, weight in enumerate(weights):
            layer = nn.Module()
            layer.style = nn.Module()
            layer.style.weight = nn.Parameter(torch.from_numpy(weight))
            held.synthesis.add_module(f"output{row // 2}" if row == len(weights) - 1 else f"layer{row}", layer)
        return held

    return _Factorisation(case, generator, namespace["factorize_weight"])


def _only(source: str, functions: Sequence[str]) -> ast.Module:
    """A module of some functions of a source."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in functions]
    return tree
