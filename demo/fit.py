"""Train a network by regression: ``python -m demo.fit``.

A drawn world has a picture for every latent, so no discriminator is needed: the generator's picture of a latent is
brought close to the drawn one, in absolute differences at three sizes; at first the sum of colours after a quarter of
the size, then after half of it, which costs less. Adam, and a moving average of the weights. Interrupted runs go on
from the last checkpoint.

The vases ship as ``--network vases``. Faces (``--world faces``, ``--world other-faces`` with other correlations) serve
to judge methods on further networks of the world whose factors the bundled predictor reads.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from demo import checkpoint, export, vases, world
from demo.network import Generator
from sefa_plugin.reading.network_file import read_network, write_converted

CHECKPOINT = "checkpoint.safetensors"
BATCH = 16
RATE = 0.1  # at the start; it falls as a cosine to nothing. Weights have a standard deviation of 1
STAGES = ((0.0, 4), (0.3, 2), (0.6, 1))  # from this share of the steps on: pictures of the whole size divided by this
RISE = 200  # steps until the rate of a stage is reached
KEPT = 0.998  # of the moving average, in a step
UNSEEN = 1_000_000  # from this seed on latents judge

MAPPING = {"num_layers": 3, "lr_multiplier": 1}  # 0.01 as usual would take long to find the factors in z


class World(NamedTuple):
    """What is drawn.

    Attributes:
        size: pixels, both ways.
        w_dim: numbers of w.
        draw: pictures float32 ``[N, 3, size, size]``, -1 to 1, of latents ``[N, Z_DIM]``.
    """

    size: int
    w_dim: int
    draw: Callable[[torch.Tensor], torch.Tensor]


def _vases(z: torch.Tensor) -> torch.Tensor:
    return vases.draw(vases.factors_of(z))


class _Shares:
    """In place of a ``RandomState``: uniform numbers that are there already ``[N, columns]``, in turn."""

    def __init__(self, shares: np.ndarray) -> None:
        self.shares, self.next = shares, 0

    def uniform(
        self, low: float | np.ndarray = 0.0, high: float | np.ndarray = 1.0, size: int | tuple[int, int] = 0
    ) -> np.ndarray:
        count = size[1] if isinstance(size, tuple) else 1
        taken = self.shares[:, self.next : self.next + count]
        self.next += count
        return low + (high - low) * (taken if isinstance(size, tuple) else taken[:, 0])


def factors_of_faces(z: torch.Tensor, correlations: str = world.USUAL) -> np.ndarray:
    """The factors of faces ``[N, len(world.NAMES)]`` of latents, distributed as those of ``world.sample_factors``."""
    shares = vases.shares_of(z, len(world.NAMES) + 4).numpy()
    return world.sample_factors(_Shares(shares), len(z), correlations)


def _faces(z: torch.Tensor, correlations: str = world.USUAL) -> torch.Tensor:
    drawn = np.stack([world.draw(row) for row in factors_of_faces(z, correlations)])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


Z_DIM = vases.Z_DIM
WORLDS = {
    "vases": World(vases.SIZE, 128, _vases),
    "faces": World(world.SIZE, 64, _faces),
    "other-faces": World(world.SIZE, 64, partial(_faces, correlations=world.OTHER)),
}


def generator(of: World, kind: Callable[..., torch.nn.Module] = Generator) -> torch.nn.Module:
    """A fresh generator."""
    return kind(
        z_dim=Z_DIM,
        c_dim=0,
        w_dim=of.w_dim,
        img_resolution=of.size,
        img_channels=3,
        mapping_kwargs=dict(MAPPING),
        synthesis_kwargs={"channel_base": 2048, "channel_max": 64},
    )


def partial_picture(G: torch.nn.Module, z: torch.Tensor, size: int) -> torch.Tensor:
    """The sum of colours after the block of a size: ``[N, 3, size, size]``, without noise."""
    ws, x, img, row = G.mapping(z), None, None, 0
    for resolution in G.synthesis.block_resolutions:
        if resolution <= size:
            block = getattr(G.synthesis, f"b{resolution}")
            x, img = block(x, img, ws[:, row : row + block.num_conv + 1], "none")
            row += block.num_conv
    return img


def latents(seed: int, count: int) -> torch.Tensor:
    """Latents ``[count, Z_DIM]`` of a seed."""
    return torch.from_numpy(np.random.RandomState(seed).randn(count, Z_DIM))


def loss_of(img: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of pictures ``[N, 3, H, W]`` in full, half and quarter size."""
    total = F.l1_loss(img, drawn)
    for _ in range(2):
        img, drawn = F.avg_pool2d(img, 2), F.avg_pool2d(drawn, 2)
        total = total + F.l1_loss(img, drawn)
    return total


class Fit:
    """Generator, its moving average, optimiser and counter; one :meth:`step` at a time."""

    def __init__(self, steps: int, seed: int = 0, name: str = "vases") -> None:
        torch.manual_seed(seed)
        self.name, self.world = name, WORLDS[name]
        self.G = generator(self.world)
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.G.parameters(), RATE, betas=(0.9, 0.99), eps=1e-8)
        self.seed, self.steps, self.done = seed, steps, 0

    def step(self) -> float:
        """One update; gives the loss."""
        z = latents(self.seed * 500_000 + self.done, BATCH)
        begun, times = next((begun, times) for begun, times in reversed(STAGES) if self.done >= begun * self.steps)
        rising = min(1.0, (self.done - begun * self.steps + 1) / RISE)  # new layers change the gradients of all
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * rising * 0.5 * (1 + np.cos(np.pi * self.done / self.steps))
        img = partial_picture(self.G, z, self.world.size // times)
        loss = loss_of(img, F.avg_pool2d(self.world.draw(z), times))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        keep = min(KEPT, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for held, new in zip(self.G_ema.parameters(), self.G.parameters()):
                held.lerp_(new, 1 - keep)
            self.G_ema.mapping.w_avg.copy_(self.G.mapping.w_avg)
        self.done += 1
        return float(loss.detach())

    def state(self) -> dict:
        """All that a later run needs to go on."""
        parts = {name: getattr(self, name).state_dict() for name in ("G", "G_ema", "optimiser")}
        return {"world": self.name, "seed": self.seed, "steps": self.steps, "done": self.done, **parts}

    def restore(self, state: dict) -> None:
        """Go on from :meth:`state`."""
        for name in ("G", "G_ema", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.done = state["done"]


def accuracy(G: torch.nn.Module, of: World, count: int = 64) -> tuple[float, float]:
    """PSNR in decibels of the pictures of unseen latents against the drawn ones: the median and the lowest."""
    z = latents(UNSEEN, count)
    with torch.no_grad():
        error = (G(z, noise_mode="none").clamp(-1, 1) - of.draw(z)).square().mean((1, 2, 3))
    decibels = 10 * torch.log10(4 / error)
    return float(decibels.median()), float(decibels.min())


def write_network(G_ema: torch.nn.Module, of: World, path: Path) -> None:
    """Write the network in the format of ``sefa convert``, with the mean of w measured."""
    G = generator(of, export.persistent_module().Generator).eval().requires_grad_(False)
    G.load_state_dict(G_ema.state_dict())
    G.mapping.w_avg.copy_(export.measured_w_avg(G))
    with tempfile.TemporaryDirectory() as folder:
        pickled = Path(folder, "fitted.pkl")
        export.write({"G_ema": G}, str(pickled))
        write_converted(read_network(str(pickled)), path)


def sheet(G: torch.nn.Module, of: World, columns: int = 6) -> Image.Image:
    """Drawn pictures and those of the network, in turns of rows."""
    z = latents(UNSEEN + 1, 2 * columns)
    with torch.no_grad():
        both = torch.stack([of.draw(z), G(z, noise_mode="none")])
    both = (both * 127.5 + 128).clamp(0, 255).to(torch.uint8).reshape(2, 2, columns, 3, of.size, of.size)
    return Image.fromarray(both.permute(1, 0, 4, 2, 5, 3).reshape(4 * of.size, columns * of.size, 3).numpy())


@click.command(context_settings={"show_default": True})
@click.option("--world", "name", type=click.Choice(list(WORLDS)), default="vases", help="What is drawn.")
@click.option("--outdir", type=click.Path(file_okay=False, path_type=Path), help="  [default: sefa-out/WORLD-training]")
@click.option("--steps", type=click.IntRange(min=1), default=4000, help=f"Of {BATCH} pictures each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the weights and the latents.")
@click.option("--minutes", type=click.FloatRange(min=0), default=3, help="Between checkpoints.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="  [default: OUTDIR/WORLD.safetensors]")
def main(name: str, outdir: Path | None, steps: int, seed: int, minutes: float, output: Path | None) -> None:
    """Train on drawn pictures and write the network. Run it again to go on after an interruption."""
    outdir = outdir or Path("sefa-out", f"{name}-training")
    output = output or outdir / f"{name}.safetensors"
    outdir.mkdir(parents=True, exist_ok=True)
    fit, path = Fit(steps, seed, name), outdir / CHECKPOINT
    if path.exists():
        state = checkpoint.read(path)
        if (state["world"], state["seed"], state["steps"]) != (name, seed, steps):
            words = "--world {world} --seed {seed} --steps {steps}".format(**state)
            raise click.ClickException(f"{path}: has {words}")
        fit.restore(state)
        click.echo(f"going on from step {fit.done}")

    def save() -> None:
        checkpoint.write(path, fit.state())
        sheet(fit.G_ema, fit.world).save(outdir / "samples.png")

    start = saved = time.time()
    first = fit.done
    while fit.done < steps:
        loss = fit.step()
        if fit.done % 50 == 0:
            left = (steps - fit.done) * (time.time() - start) / (fit.done - first) / 60
            click.echo(f"step {fit.done}  loss {loss:.4f}  {left:.0f} min left")
        if time.time() - saved > minutes * 60:
            save()
            saved = time.time()
    save()
    write_network(fit.G_ema, fit.world, output)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    click.echo(
        "PSNR against the drawn pictures: median {:.1f} dB, lowest {:.1f} dB".format(*accuracy(fit.G_ema, fit.world))
    )


if __name__ == "__main__":
    main()
