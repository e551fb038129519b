"""Make the pictures of the documentation again, by the commands that it gives: ``python -m demo.pictures``.

They show the bundled networks: when these change, so do they, and what is said of them has to be looked at.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from demo.audit import shown
from sefa_plugin import calibrate, factorize, style_layers
from sefa_plugin.commands.cli import gen_sefa, sefa
from sefa_plugin.networks.building import load_network
from sefa_plugin.rendering.edits import edit_of
from sefa_plugin.rendering.look import Look
from sefa_plugin.rendering.scene import Scene
from sefa_plugin.rendering.shards import Shard, View

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SAMPLES_SEED = 7  # as the sheets that the training writes

SEEDS = "--seeds 13,16,10,5"  # faces that turned out well
VASES = "--seeds 9,20,22,0"
PLANE = "--across middle:2 --down middle:1 --seeds 16 --video none"  # of sefa plane --network demo
EDIT = "--seeds 5,16,18,4 --edit 2=+1.9 --edit coarse:0=-1"  # of sefa edit --network demo
WALK = "--animate walk --frames 40 --video gif"  # of sefa render --recipe, which EDIT wrote
GIF = "--video gif --size"
EASING = "--easing sine"

# what follows gen_sefa.py --network -> picture -> what it is called there
PICTURES = {
    f"demo --layers middle --directions 2 {SEEDS} --video none": {"sheet.jpg": "sheets/middle-dir02.jpg"},
    "demo --layers coarse,middle,fine --directions 0,2,5 --seeds 16,10,5 --video none": {
        "coarse.jpg": "sheets/coarse-dir00.jpg",
        "middle.jpg": "sheets/middle-dir02.jpg",
        "fine.jpg": "sheets/fine-dir05.jpg",
    },
    "demo --layers middle --directions 2 --seeds 16,10,5 --trunc 0.5 --video none": {
        "truncated.jpg": "sheets/middle-dir02.jpg"
    },
    "demo --distance 1.5 --directions 1,7 --seeds 16,5 --video none": {
        "fixed1.jpg": "sheets/all-dir01.jpg",
        "fixed7.jpg": "sheets/all-dir07.jpg",
    },
    f"demo --layers coarse --directions 0,2,3,5 --seeds 16,10,5 --grid --captions {EASING} --frames 16 {GIF} 420": {
        "grid.gif": "videos/coarse-grid.gif"
    },
    f"vases --sharpen layers --directions 0,1,2,5 {VASES} --grid {EASING} --frames 13 {GIF} 640": {
        "vases.gif": "videos/all-sharp-grid.gif"
    },
}


def samples(columns: int = 8) -> np.ndarray:
    """``columns`` x ``columns`` pictures of the bundled network: uint8 ``[H, W, 3]``."""
    G = load_network("demo")
    z = np.random.RandomState(SAMPLES_SEED).randn(columns**2, G.z_dim)
    img = shown(G, torch.from_numpy(z))
    rows = np.split(img, columns)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def rows_of(count: int, sharpen: str, order: str, seed: int, columns: int = 7) -> np.ndarray:
    """Pictures along directions of the vases, each from end to end of its range: uint8 ``[H, W, 3]``."""
    G = load_network("vases")
    found = calibrate(G, factorize(G, sharpen=sharpen, order=order, num_directions=count))
    scene = Scene(G, View(Look(), (seed,)))
    rows = []
    for index in range(count):
        ends = found.ranges[index]
        assert ends is not None
        steps = np.linspace(*ends, columns).tolist()
        rows.append(
            np.concatenate(list(scene.pictures(Shard.along(scene.view, edit_of(found, index, 1.0), steps))), axis=1)
        )
    return np.concatenate(rows)


def pulls(sharpen: str, count: int = 12, cell: int = 24) -> np.ndarray:
    """How alike two directions of the vases pull the layers: white not at all, black the same, uint8 ``[H, W, 3]``.

    With ``G_l``, products of the changes of styles in layer l: the root of the sum of ``(G_l)_ij^2``, scaled to 1 on
    the diagonal.
    """
    vectors = factorize(load_network("vases"), sharpen=sharpen, num_directions=count).vectors.astype(np.float64)
    squares = np.zeros((count, count))
    for layer in style_layers(load_network("vases")):
        changes = np.asarray(layer.weight, dtype=np.float64) * layer.weight_gain @ vectors.T
        squares += np.square(changes.T @ changes)
    alike = np.sqrt(squares / np.sqrt(np.outer(np.diagonal(squares), np.diagonal(squares))))
    grey = np.rint(255 * (1 - alike)).astype(np.uint8)
    return np.repeat(grey.repeat(cell, axis=0).repeat(cell, axis=1)[..., None], 3, axis=2)


def call(command: click.Command, start: str, options: str, outdir: Path) -> None:
    """Run one of the plugin's commands."""
    command.main([*start.split(), *options.split(), "--outdir", str(outdir)], standalone_mode=False)


def take(folder: Path, pattern: str, target: Path) -> None:
    """Copy the one file of this kind."""
    (found,) = folder.glob(pattern)
    shutil.copy(found, target)


@click.command(context_settings={"show_default": True})
@click.option("--outdir", type=click.Path(file_okay=False, path_type=Path), default=IMAGES)
def main(outdir: Path) -> None:
    """Make the pictures of the documentation again."""
    outdir = outdir.resolve()
    outdir.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # pictures carry their commands, with the folder as it was typed
        for index, (options, pictures) in enumerate(PICTURES.items()):
            made = Path(f"{index}")
            call(gen_sefa, "--network", options, made)
            for name, output in pictures.items():
                shutil.copy(made / output, outdir / name)
        plane, edit, walk = Path("plane"), Path("edit"), Path("walk")
        call(sefa, "plane --network demo", PLANE, plane)
        take(plane, "**/*.jpg", outdir / "plane.jpg")
        call(sefa, "edit --network demo", EDIT, edit)
        call(sefa, f"render --recipe {edit}", WALK, walk)
        take(walk, "**/*.gif", outdir / "walk.gif")
        os.chdir(here)
    Image.fromarray(samples()).save(outdir / "samples.png")
    ways = {"none": ("none", "strength"), "layers": ("layers", "strength"), "clean": ("layers", "clean")}
    for name, way in ways.items():
        Image.fromarray(rows_of(6, *way, seed=9)).save(outdir / f"sharpen-{name}.jpg", quality=90)
    both = [pulls("none"), pulls("layers")]
    between = np.full((len(both[0]), 24, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([both[0], between, both[1]], axis=1)).save(outdir / "sharpen-pulls.png")


if __name__ == "__main__":
    main(prog_name="python -m demo.pictures")
