"""Local directions: networks of 256 pixels in which one is planted, and ReSeFa's own code on the bundled network."""

from __future__ import annotations

import io
import runpy
import sys
import tempfile
import time
import types
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from . import networks

SMALL = {"channel_base": 1024, "channel_max": 32}
RESOLUTION, W_DIM = 256, 32
PLACE, OTHER = "0.27,0.27,0.3333,0.3333", "0.5,0.3,0.3333,0.3333"  # ninths of the picture
# Those of ReSeFa's code, in 256 pixels.
BOXES = {
    "mouth": "0.3594,0.6602,0.2734,0.1172",
    "eyes": "0.2754,0.4297,0.4492,0.0781",
    "nose": "0.4219,0.4766,0.1797,0.1563",
}
CONTRAST = 0.3  # standard deviation of pictures, and the largest change of the spot for one of w
FURTHEST = 40.0  # units of w
INSIDE = 0.1  # root mean square change of the pixels inside, of the range 0 to 1, at which leaks are compared


def planted(family: str) -> tuple[Any, np.ndarray]:
    """A network of 256 pixels with random weights, and a unit vector of w that changes a spot of its pictures alone.

    A channel of its own carries the spot through all layers, and the last ToRGB shows it as strongly as w goes along
    the vector; no other style depends on that.
    """
    import torch

    from sefa_plugin.directions.codes import covariance
    from sefa_plugin.directions.sharp import scales

    case = networks.Case(family, family, RESOLUTION, dict(SMALL))
    G = networks.ours(case, W_DIM)
    fourth = scales(covariance(G, 2048))[:, 3]  # uncorrelated with the others: what a picture needs no other change for
    axis = torch.from_numpy(fourth / np.linalg.norm(fourth)).float()
    for name, parameter in G.named_parameters():
        if name.endswith("affine.weight"):
            parameter -= torch.outer(parameter @ axis, axis)
        if name.endswith("noise_strength"):
            parameter.zero_()
    layers = [
        layer for name, layer in G.synthesis.named_modules() if hasattr(layer, "affine") and hasattr(layer, "bias")
    ]
    layers = [layer for layer in layers if layer.weight.ndim == 4]
    *hidden, last = [layer for layer in layers if layer.weight.shape[0] > 3] + [layers[-1]]
    for layer in hidden:
        layer.weight[0], layer.weight[:, 0] = 0, 0
        middle = layer.weight.shape[-1] // 2
        layer.weight[0, 0, middle, middle] = 1
        layer.affine.weight[0], layer.affine.bias[0], layer.bias[0] = 0, 1, 0
    if family == "stylegan2":
        G.synthesis.b4.const[0] = 0
        G.synthesis.b4.const[0, 1, 1] = 3
    else:
        first = G.synthesis.input
        first.affine.weight.zero_()
        first.affine.bias.copy_(torch.tensor([1.0, 0, 0, 0]))
        first.freqs[:2], first.phases[:2] = torch.tensor([[1.0, 0], [0, 1.0]]), 0.31  # their sum is largest up left
        first.weight[0] = 0
        first.weight[0, :2] = first.channels**0.5
    shown = G.synthesis(G.mapping(torch.randn(4, W_DIM)), noise_mode="const").std()
    for layer in layers:
        if layer.weight.shape[0] == 3:
            layer.weight *= CONTRAST / shown
    seen: list[Any] = []
    threshold = hidden[len(hidden) // 2]
    hook = threshold.register_forward_hook(lambda layer, given, made: seen.append(made[0, 0].max()))
    ws = torch.zeros(1, G.num_ws, W_DIM)
    G.synthesis(ws, noise_mode="const")
    hook.remove()
    threshold.bias[0] = -0.7 * seen[0] / 2**0.5  # what is below is cut off, by all layers that follow
    last.weight[:, 0] = torch.tensor([1.0, 0.6, 0.2])[:, None, None]
    last.affine.bias[0] = 0
    last.affine.weight[0] = axis
    unit = G.mapping(torch.randn(256, W_DIM, generator=torch.Generator().manual_seed(0)))[:, 0] @ axis
    ws[:] = axis * unit.std()
    shown = G.synthesis(ws, noise_mode="const") - G.synthesis(0 * ws, noise_mode="const")
    last.affine.weight[0] *= CONTRAST / shown.abs().max()
    return G, axis.numpy()


def rows_of_planted(family: str) -> dict[str, Any]:
    """How well and how fast the planted direction is found, on this processor."""
    import torch

    from sefa_plugin import factorize
    from sefa_plugin.directions.region import Region

    G, axis = planted(family)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        other = factorize(G, region=OTHER, folder=folder)
        measured = time.perf_counter()
        found = factorize(G, region=PLACE, folder=folder)
        again = time.perf_counter()
    vector = found.vectors[0]
    z = torch.from_numpy(np.random.RandomState(77).randn(8, W_DIM))
    ws = G.mapping(z)
    sigma = float((ws[:, 0] @ torch.from_numpy(vector)).std())
    changes = [G.synthesis(ws + sign * 2 * sigma * torch.from_numpy(vector)) - G.synthesis(ws) for sign in (-1, 1)]
    squares = sum(np.square(change.numpy()).sum(axis=(0, 1)) for change in changes)
    return {
        "family": family,
        "cosine": abs(float(vector @ axis)),
        "stated": found.inside[0],
        "next": found.inside[1],
        "rendered": float((squares * Region.of(PLACE).weights(RESOLUTION, RESOLUTION)).sum() / squares.sum()),
        "elsewhere": other.inside[0],
        "seconds": (measured - begin, again - measured),
    }


# --- ReSeFa ---------------------------------------------------------------------------------------


@contextmanager
def _stand_ins(script: Path, words: list[str]) -> Any:
    """The modules and the command line that ReSeFa's scripts need to be run for their numbers alone."""
    names = ("cv2", "tqdm", "utils", "utils.image_utils", "utils.parsing_utils", "coordinate")
    held, argv, path = {name: sys.modules.get(name) for name in names}, sys.argv, list(sys.path)
    for name in names[:-1]:
        sys.modules[name] = types.ModuleType(name)
    sys.modules["tqdm"].tqdm = lambda items: items  # type: ignore[attr-defined]
    sys.modules["utils.image_utils"].save_image = lambda *arguments: None  # type: ignore[attr-defined]
    sys.modules["utils.parsing_utils"].parse_index = None  # type: ignore[attr-defined]
    sys.argv, sys.path[:0] = [str(script), *words], [str(script.parent)]
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
        for name, module in held.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def by_resefa(checkout: Path, jacobians: np.ndarray, region: str, full_rank: bool) -> np.ndarray:
    """The first direction of each image, by ``compute_direction.py`` of a checkout: ``[images, w_dim]``.

    Args:
        checkout: a clone of zhujiapeng/resefa.
        jacobians: of pictures of 64 pixels, ``[images, channels, 64, 64, w_dim]``.
        region: one of its regions, whose coordinates are of 256 pixels: the Jacobians' pixels are repeated.
        full_rank: with its option of this name.
    """
    script, found = checkout / "compute_direction.py", []
    with tempfile.TemporaryDirectory() as folder:
        for one in jacobians:
            large = one.repeat(4, axis=1).repeat(4, axis=2)
            np.save(f"{folder}/j.npy", large[None, :, :, :, None].astype(np.float32))
            words = [f"{folder}/j.npy", "--region", region, "--save_dir", folder, "--name", "found"]
            with _stand_ins(script, [*words, *["--full_rank"] * full_rank]), redirect_stdout(io.StringIO()):
                runpy.run_path(str(script), run_name="__main__")
            found.append(np.load(f"{folder}/image_00_region_{region}_name_found.npy")[0])
    return np.stack(found)


def leaks(
    vectors: np.ndarray, region: str, pictures: Callable[[np.ndarray], np.ndarray], ws: np.ndarray, tuning: int = 16
) -> np.ndarray:
    """Share of the squared change that lies outside, of each sample, at equal change inside: ``[samples]``.

    The mean of vectors; each goes as far, to both sides, as the first ``tuning`` samples need for ``INSIDE``.
    """
    from sefa_plugin.directions.region import Region

    before = pictures(ws)
    weights = Region.of(region).weights(*before.shape[2:])

    def squares(vector: np.ndarray, distance: float, some: slice) -> tuple[np.ndarray, np.ndarray]:
        moved = [pictures(ws[some] + sign * distance * vector) - before[some] for sign in (-1, 1)]
        both = (np.square(moved[0]) + np.square(moved[1])).mean(axis=1) / 2
        return (both * weights).sum(axis=(1, 2)) / weights.sum(), (both * (1 - weights)).sum(axis=(1, 2))

    found = []
    for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True):
        distance = 1.0
        for _ in range(6):  # changes grow about as fast as distances
            reached = np.sqrt(squares(vector, distance, slice(tuning))[0].mean())
            distance = min(distance * INSIDE / max(reached, 1e-9), FURTHEST)
        inside, outside = squares(vector, distance, slice(tuning, None))
        inside = inside * weights.sum()
        found.append(np.stack([outside, inside + outside]))
    return np.mean(found, axis=0)


def compared(checkout: Path | None, samples: int, say: Callable[[str], None]) -> None:
    """Print the table of leaks on the bundled network."""
    import torch

    from sefa_plugin import factorize, load_network
    from sefa_plugin.directions.codes import covariance
    from sefa_plugin.directions.picture_grams import changes
    from sefa_plugin.directions.region import Region
    from sefa_plugin.directions.sharp import scales
    from sefa_plugin.evaluate.statistics.bootstrap import interval, resampling

    G = load_network("demo")
    draw = np.random.RandomState(4)
    with torch.no_grad():
        ws = G.mapping(torch.from_numpy(draw.randn(samples + 16, G.z_dim)))[:, 0].numpy()
    basis = scales(covariance(G, 8192))
    inverse = np.linalg.pinv(basis)
    everywhere = range(G.num_ws)
    # Jacobians with respect to w itself, of ReSeFa's number of images.
    seen = [
        np.tensordot(inverse.T, one.numpy(), axes=1)
        for one in changes(G, basis, everywhere, range(100, 105), lambda n: None)
    ]
    jacobians = np.moveaxis(np.stack(seen), 1, -1)

    def pictures(some: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            rows = torch.from_numpy(some).float()[:, None].repeat(1, G.num_ws, 1)
            return np.concatenate([G.synthesis(part).numpy() for part in rows.split(32)]) / 2

    again = resampling(samples)
    sefa = factorize(G).vectors[:32]
    say("| region | method | share outside | change outside |\n|---|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, box in BOXES.items():
            ours = factorize(G, region=box, folder=folder).vectors[:1]
            weights = Region.of(box).weights(64, 64)
            inside = [(np.square(np.tensordot(sefa, np.moveaxis(one, -1, 0), axes=1)).sum(axis=1)) for one in jacobians]
            shares = np.mean([(one * weights).sum(axis=(1, 2)) / one.sum(axis=(1, 2)) for one in inside], axis=0)
            methods = {"ours": ours, "SeFa's most local of 32": sefa[[shares.argmax()]]}
            if checkout is not None:
                methods["ReSeFa"] = by_resefa(checkout, jacobians, name, False)
                methods["ReSeFa, full rank"] = by_resefa(checkout, jacobians, name, True)
            for method, vectors in methods.items():
                outside, whole = leaks(vectors, box, pictures, ws)
                share = interval(outside.sum() / whole.sum(), (again @ outside) / (again @ whole))
                pixels = (1 - weights).sum()
                drawn = 255 * np.sqrt((again @ outside) / samples / pixels)
                each = interval(255 * np.sqrt(outside.mean() / pixels), drawn)
                say(f"| {name} | {method} | {share} | {each} |")


def report(
    checkout: str | None, samples: int, families: tuple[str, ...], looked_at: int, say: Callable[[str], None]
) -> None:
    """Print both tables; planted directions are found with ``looked_at`` samples, and measured on half as many."""
    from sefa_plugin.directions import sharpening

    if families:
        say("| planted in | cosine | inside, as stated | as rendered | next direction | first region | another |")
        say("|---|---:|---:|---:|---:|---:|---:|")
    import torch

    usual = sharpening.FOUND_WITH, sharpening.APART
    sharpening.FOUND_WITH, sharpening.APART = looked_at, looked_at // 2
    for family in families:
        with torch.no_grad():
            row = rows_of_planted(family)
        first, another = row["seconds"]
        say(
            f"| {row['family']} | {row['cosine']:.4f} | {row['stated']:.1%} | {row['rendered']:.1%} | "
            f"{row['next']:.1%} | {first:.0f} s | {another:.1f} s |"
        )
    sharpening.FOUND_WITH, sharpening.APART = usual
    if samples:
        compared(None if checkout is None else Path(checkout), samples, say)
