"""First stage of the bundled network's training: ``python -m demo.train --outdir DIR``; ``demo.refine`` is the second.

Non-saturating logistic loss (Goodfellow et al. 2014), R1 penalty on real pictures every 16 steps
(Mescheder et al. 2018; lazily, as in StyleGAN2), Adam, and an exponential moving average of the
generator. Interrupted runs go on from the last checkpoint; equal seeds give equal runs on one machine.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo import checkpoint
from demo.network import Discriminator, Generator
from demo.world import OTHER, USUAL, faces

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out."""

    seed: int = 0
    pictures: int = 24_000  # how many faces are drawn
    resolution: int = 64
    z_dim: int = 64
    w_dim: int = 64
    mapping_layers: int = 3
    channel_base: int = 1024
    channel_max: int = 64
    batch: int = 16
    learning_rate: float = 0.0025
    r1_gamma: float = 0.1
    r1_every: int = 16
    ema_kimg: float = 5.0  # half-life of the moving average
    correlations: str = USUAL  # of the factors of the faces

    def generator(self) -> Generator:
        """A fresh generator."""
        sizes = {"channel_base": self.channel_base, "channel_max": self.channel_max}
        mapping = {"num_layers": self.mapping_layers}
        return Generator(self.z_dim, 0, self.w_dim, self.resolution, 3, mapping, sizes)

    def discriminator(self) -> Discriminator:
        """A fresh discriminator."""
        return Discriminator(0, self.resolution, 3, self.channel_base, self.channel_max)


class Training:
    """Networks, optimisers and counters; one :meth:`step` at a time."""

    PARTS: tuple[str, ...] = ("G", "D", "G_ema", "G_opt", "D_opt")  # that have a state

    def __init__(self, recipe: Recipe, pictures: np.ndarray) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.pictures = pictures  # uint8 [count, H, W, 3]
        self.G, self.D = recipe.generator(), recipe.discriminator()
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        lazy = recipe.r1_every / (recipe.r1_every + 1)  # fewer penalties, so smaller steps in between
        rate = recipe.learning_rate
        self.G_opt = torch.optim.Adam(self.G.parameters(), rate, betas=(0.0, 0.99), eps=1e-8)
        self.D_opt = torch.optim.Adam(self.D.parameters(), rate * lazy, betas=(0.0, 0.99**lazy), eps=1e-8)
        self.steps = 0

    @property
    def images(self) -> int:
        """Real pictures shown so far."""
        return self.steps * self.recipe.batch

    def step(self) -> dict[str, float]:
        """One update of both networks and of the average; gives the losses."""
        recipe = self.recipe
        # Numbers follow the step, so that an interrupted run goes on as if it had not been.
        rng = np.random.RandomState((recipe.seed * 1_000_003 + self.steps) % 2**32)
        torch.manual_seed(int(rng.randint(2**31)))
        z = torch.from_numpy(rng.randn(2, recipe.batch, recipe.z_dim)).float()
        real = self.pictures[rng.randint(len(self.pictures), size=recipe.batch)]
        real = torch.from_numpy(real).permute(0, 3, 1, 2).float() / 127.5 - 1

        self.D.requires_grad_(False)
        fake = self.G(z[0])
        loss_G = F.softplus(-self.D(self.seen(fake))).mean() + self.more_of_generator(fake)
        self.G_opt.zero_grad(set_to_none=True)
        loss_G.backward()
        self.G_opt.step()

        self.D.requires_grad_(True)
        with torch.no_grad():
            fake = self.G(z[1])
        penalise = self.steps % recipe.r1_every == 0
        scores = self.D(self.seen(real.requires_grad_(penalise)))
        loss_D = F.softplus(self.D(self.seen(fake))).mean() + F.softplus(-scores).mean()
        total = loss_D
        if penalise:
            (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
            total = total + slope.square().sum((1, 2, 3)).mean() * (recipe.r1_gamma / 2 * recipe.r1_every)
        self.D_opt.zero_grad(set_to_none=True)
        total.backward()
        self.D_opt.step()
        self.more_of_step(real.detach(), fake)
        self.average()
        self.steps += 1
        return {"G": loss_G.item(), "D": loss_D.item()}

    def seen(self, img: torch.Tensor) -> torch.Tensor:
        """Pictures ``[N, C, H, W]`` as the discriminator gets them."""
        return img

    def more_of_generator(self, fake: torch.Tensor) -> torch.Tensor | float:
        """A further loss of the generator, of its pictures."""
        return 0.0

    def more_of_step(self, real: torch.Tensor, fake: torch.Tensor) -> None:
        """What else learns from these pictures."""

    def average(self) -> None:
        """Move the averaged generator; early on its memory is short."""
        half = min(self.recipe.ema_kimg * 1000, max(self.images, 1) * 0.05 + 1)
        self.move_average(0.5 ** (self.recipe.batch / half))

    def move_average(self, keep: float) -> None:
        """Move the averaged generator towards the present one, of which it takes a share of ``1 - keep``."""
        with torch.no_grad():
            for held, new in zip(self.G_ema.parameters(), self.G.parameters()):
                held.lerp_(new, 1 - keep)
            for held, new in zip(self.G_ema.buffers(), self.G.buffers()):
                held.copy_(new)

    def state(self) -> dict:
        """All that a later run needs to go on."""
        parts = {name: getattr(self, name).state_dict() for name in self.PARTS}
        return {"recipe": asdict(self.recipe), "steps": self.steps, **parts}

    def restore(self, state: dict) -> None:
        """Go on from :meth:`state`."""
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps = state["steps"]

    def samples(self, columns: int = 8, seed: int = 7) -> np.ndarray:
        """A sheet of ``columns`` x ``columns`` pictures of the averaged generator, uint8 [H, W, 3]."""
        z = np.random.RandomState(seed).randn(columns**2, self.recipe.z_dim)
        with torch.no_grad():
            img = self.G_ema(torch.from_numpy(z), noise_mode="const")
        img = (img * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        side = self.recipe.resolution
        grid = img.reshape(columns, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
        return grid.reshape(columns * side, columns * side, 3)


def drawn_faces(outdir: Path, seed: int, pictures: int, correlations: str = USUAL) -> np.ndarray:
    """The training pictures, drawn once and kept in ``outdir``."""
    kind = "" if correlations == USUAL else f"-{correlations}"
    path = outdir / f"faces-{seed}-{pictures}{kind}.npy"
    if not path.exists():
        click.echo(f"drawing {pictures} faces ...")
        part = path.with_suffix(".part.npy")
        np.save(part, faces(seed, pictures, correlations)[0])
        os.replace(part, path)
    return np.load(path)


def save(training: Training, path: Path) -> None:
    """Write the checkpoint, and beside it a sheet of samples."""
    checkpoint.write(path, training.state())
    Image.fromarray(training.samples()).save(path.with_name(f"samples-{training.images // 1000:04d}k.png"))


def run(training: Training, path: Path, kimg: float, every: float) -> None:
    """Train up to ``kimg`` thousand pictures, saving to ``path`` every ``every`` minutes and at the end."""
    start, first, saved = time.time(), training.images, time.time()
    losses: dict[str, float] = {}
    while training.images < kimg * 1000:
        losses = training.step()
        if not all(np.isfinite(list(losses.values()))):
            raise click.ClickException(f"the losses are no numbers any more after {training.images} pictures")
        if training.steps % 50 == 0:
            speed = (training.images - first) / (time.time() - start)
            left = (kimg * 1000 - training.images) / speed / 60
            text = f"{training.images / 1000:7.1f} kimg  {speed:5.1f} img/s  {left:4.0f} min left"
            click.echo("  ".join([text, *(f"{name} {loss:.2f}" for name, loss in losses.items())]))
        if time.time() - saved > every * 60:
            save(training, path)
            saved = time.time()
    save(training, path)


@click.command(context_settings={"show_default": True})
@click.option("--outdir", type=click.Path(file_okay=False, path_type=Path), default="sefa-out/demo-training")
@click.option("--kimg", type=click.FloatRange(min=0, min_open=True), default=384, help="Thousands of pictures to show.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the faces, the weights and the latents.")
@click.option("--correlations", type=click.Choice([USUAL, OTHER]), default=USUAL, help="Of the factors of the faces.")
@click.option("--minutes", type=click.FloatRange(min=0), default=3, help="Between checkpoints.")
@click.option("--fresh", is_flag=True, help="Start anew even where a checkpoint exists.")
def main(outdir: Path, kimg: float, seed: int, correlations: str, minutes: float, fresh: bool) -> None:
    """Train the bundled network. Run it again to go on after an interruption."""
    outdir.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(seed=seed, correlations=correlations)
    training = Training(recipe, drawn_faces(outdir, seed, recipe.pictures, correlations))
    path = outdir / CHECKPOINT
    if path.exists() and not fresh:
        state = checkpoint.read(path)
        if state["recipe"] != asdict(recipe):
            raise click.ClickException(f"{path}: is of another recipe; use --fresh or another --outdir")
        training.restore(state)
        click.echo(f"going on from {training.images / 1000:.1f} kimg")
    run(training, path, kimg, minutes)


if __name__ == "__main__":
    main()
