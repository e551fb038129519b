"""Second stage of the bundled network's training: ``python -m demo.refine``, after ``python -m demo.train``.

After the first stage the discriminator knows nearly every sample by its texture, and the generator hears little
about what it draws too seldom: deep wrinkles, wide smiles, glasses. So from here on

* the discriminator sees pictures through noise, of another strength for each (instance noise, Sonderby et al. 2017;
  of many strengths, as in Diffusion-GAN, Wang et al. 2023), which hides texture; it fades as the stage goes on,
* a second, small one, the critic, sees only what a frozen predictor of the factors makes of the pictures (as in
  Projected GAN, Sauer et al. 2021). That predictor is trained for this on the training faces. It is not the one that
  ships, which therefore can judge the result (``python -m demo.audit``),
* the mapping network, whose weights are stored large and so move slowly, takes larger steps,
* rates fall, the moving average is longer, and convolutions run in bfloat16 where the processor has it.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo import checkpoint, predictor, train
from demo.half import HalfConvolutions
from demo.world import NAMES, sample_factors
from sefa_plugin.evaluate.scorers.predictor import FactorNet, load_predictor, save_predictor
from sefa_plugin.rendering.set_up import cpu_has_bfloat16

CHECKPOINT = "refined.safetensors"
READER = "reader.safetensors"
KIMG = 552.272  # thousands of pictures, those of the first stage included


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of the second stage."""

    reader: predictor.Recipe = predictor.Recipe(seed=4000, pictures=24_000, epochs=8)  # its faces: the generator's
    halving: float = 40.0  # kimg in which the rates fall to a half
    noise: float = 0.4  # greatest standard deviation at first, in pictures from -1 to 1
    noise_halving: float = 80.0  # kimg
    mapping_speed: float = 10.0
    ema_kimg: float = 10.0
    critic_rate: float = 0.001
    critic_weight: float = 1.0  # of its loss, beside the discriminator's
    critic_gamma: float = 1.0  # of its R1 penalty, on standardised features


class Critic(nn.Module):
    """Features ``[N, features]`` to one number each, higher for real ones; it sees how those of a batch differ."""

    def __init__(self, features: int, width: int = 128) -> None:
        super().__init__()
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Sequential(nn.Linear(2 * width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.second(F.leaky_relu(self.first(x), 0.2)), 0.2)
        spread = (x.var(dim=0, unbiased=False) + 1e-8).sqrt().expand(len(x), -1)
        return self.last(torch.cat([x, spread], dim=1))


class Refinement(train.Training):
    """Goes on from the first stage's networks; one :meth:`step` at a time."""

    PARTS = (*train.Training.PARTS, "critic", "critic_opt", "scale")

    def __init__(
        self, first: dict[str, Any], pictures: np.ndarray, reader: FactorNet, recipe: Recipe = Recipe()
    ) -> None:
        """Start from the state of the first stage.

        Args:
            first: :meth:`demo.train.Training.state` at the end of the first stage.
            pictures: uint8 ``[count, H, W, 3]``, the training faces.
            reader: the predictor that the critic looks through.
        """
        super().__init__(train.Recipe(**first["recipe"]), pictures)
        for name in ("G", "D", "G_ema"):
            getattr(self, name).load_state_dict(first[name])
        self.steps = self.first_steps = first["steps"]
        self.stage = recipe
        mapping = list(self.G.mapping.parameters())
        self.G_opt = torch.optim.Adam(
            [{"params": list(self.G.synthesis.parameters())}, {"params": mapping}], betas=(0.0, 0.99), eps=1e-8
        )
        self.reader = reader.eval().requires_grad_(False)
        self.scale = nn.BatchNorm1d(FactorNet.FEATURES + len(NAMES), affine=False)  # of features, over the faces
        self.critic = Critic(FactorNet.FEATURES + len(NAMES))
        self.critic_opt = torch.optim.Adam(self.critic.parameters(), recipe.critic_rate, betas=(0.0, 0.99), eps=1e-8)
        self.measure_scale()

    @property
    def since(self) -> float:
        """Thousands of pictures since the first stage."""
        return (self.steps - self.first_steps) * self.recipe.batch / 1000

    def measure_scale(self, count: int = 2048) -> None:
        """Mean and variance of the features over the first ``count`` faces."""
        x = torch.from_numpy(np.array(self.pictures[:count])).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            rows = torch.cat([torch.cat(self.reader(part)[::-1], 1) for part in x.split(256)])
        self.scale.running_mean.copy_(rows.mean(dim=0))
        self.scale.running_var.copy_(rows.var(dim=0) + 1e-3)
        self.scale.eval()

    def read(self, img: torch.Tensor) -> torch.Tensor:
        """What the critic sees of pictures ``[N, 3, H, W]``: ``[N, 142]``, about of unit variance."""
        return self.scale(torch.cat(self.reader(predictor.soiled(img, self.stage.reader))[::-1], dim=1))

    def precision(self) -> AbstractContextManager:
        """What a step runs within."""
        if not cpu_has_bfloat16():
            return nullcontext()
        for network in (self.G, self.D, self.reader):
            network.to(memory_format=torch.channels_last)
        return HalfConvolutions()

    def step(self) -> dict[str, float]:
        """One update of all networks and of the average; gives the losses."""
        rate = self.recipe.learning_rate * 0.5 ** (self.since / self.stage.halving)
        for group, speed in zip(self.G_opt.param_groups, (1.0, self.stage.mapping_speed)):
            group["lr"] = rate * speed
        lazy = self.recipe.r1_every / (self.recipe.r1_every + 1)
        self.D_opt.param_groups[0]["lr"] = rate * lazy
        self.critic_opt.param_groups[0]["lr"] = self.stage.critic_rate * rate / self.recipe.learning_rate
        with self.precision():
            losses = super().step()
        return {**losses, "critic": self.critic_loss}

    def seen(self, img: torch.Tensor) -> torch.Tensor:
        """Through noise."""
        most = self.stage.noise * 0.5 ** (self.since / self.stage.noise_halving)
        return img + torch.randn_like(img) * (torch.rand(len(img), 1, 1, 1) * most)

    def more_of_generator(self, fake: torch.Tensor) -> torch.Tensor:
        """What the critic thinks."""
        self.critic.requires_grad_(False)
        return F.softplus(-self.critic(self.read(fake))).mean() * self.stage.critic_weight

    def more_of_step(self, real: torch.Tensor, fake: torch.Tensor) -> None:
        """The critic learns."""
        with torch.no_grad():
            rows = [self.read(img) for img in (real, fake)]
        self.critic.requires_grad_(True)
        scores = self.critic(rows[0].requires_grad_(True))
        (slope,) = torch.autograd.grad(scores.sum(), rows[0], create_graph=True)
        loss = F.softplus(-scores).mean() + F.softplus(self.critic(rows[1])).mean()
        total = loss + slope.square().sum(dim=1).mean() * (self.stage.critic_gamma / 2)
        self.critic_opt.zero_grad(set_to_none=True)
        total.backward()
        self.critic_opt.step()
        self.critic_loss = loss.item()

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on."""
        return {**super().state(), "stage": asdict(self.stage), "first_steps": self.first_steps}

    def average(self) -> None:
        """Move the averaged generator."""
        self.move_average(0.5 ** (self.recipe.batch / (self.stage.ema_kimg * 1000)))


def the_reader(recipe: predictor.Recipe, pictures: np.ndarray, first: train.Recipe, path: Path) -> FactorNet:
    """The predictor that the critic looks through, trained once on the first stage's faces and kept at ``path``."""
    if not path.exists():
        factors = sample_factors(np.random.RandomState(first.seed), len(pictures), first.correlations)
        net, scale = predictor.train(recipe, pictures, factors)
        save_predictor(path, net, NAMES, scale, {"recipe": asdict(recipe)})
    return load_predictor(path).net


@click.command(context_settings={"show_default": True})
@click.option("--outdir", type=click.Path(file_okay=False, path_type=Path), default="sefa-out/demo-training")
@click.option("--upto", type=click.FloatRange(min=0, min_open=True), default=KIMG, help="Thousands of pictures in all.")
@click.option("--minutes", type=click.FloatRange(min=0), default=3, help="Between checkpoints.")
def main(outdir: Path, upto: float, minutes: float) -> None:
    """Go on from what ``demo.train`` left in --outdir. Run it again to go on after an interruption."""
    if not (outdir / train.CHECKPOINT).exists():
        raise click.UsageError(f"{outdir / train.CHECKPOINT}: no such file; run python -m demo.train first")
    first = checkpoint.read(outdir / train.CHECKPOINT)
    recipe = Recipe()
    begun = train.Recipe(**first["recipe"])
    pictures = train.drawn_faces(outdir, begun.seed, begun.pictures, begun.correlations)
    reader = the_reader(recipe.reader, pictures, begun, outdir / READER)
    training = Refinement(first, pictures, reader, recipe)
    path = outdir / CHECKPOINT
    if path.exists():
        state = checkpoint.read(path)
        if state["stage"] != training.state()["stage"]:
            raise click.ClickException(f"{path}: is of another recipe; use another --outdir")
        training.restore(state)
        click.echo(f"going on from {training.images / 1000:.1f} kimg")
    train.run(training, path, upto, minutes)


if __name__ == "__main__":
    main(prog_name="python -m demo.refine")
