"""Train the bundled predictor of the world's factors, and write its file: ``python -m demo.predictor``.

Faces of known factors, lightly soiled as a generator's pictures are; factors are standardised, squared error for
all but ``glasses``, whose loss is the logistic one. One pass has one rate, which rises and falls once (Smith and
Topin, "Super-Convergence", 2018). Equal seeds give equal files on one machine. The held-out scores go into the
file's card.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch.nn import functional as F

from demo.train import drawn_faces
from demo.world import NAMES, faces, sample_factors
from sefa_plugin.evaluate.scorers.predictor import FILE, FactorNet, load_predictor, save_predictor

GLASSES = NAMES.index("glasses")
SHOWN = (("wrinkles", 0.12), ("hair_length", 0.15))  # below these values the drawing hardly changes


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out."""

    seed: int = 1000  # of the faces, the weights and the order; the generator's faces are of seed 0
    pictures: int = 48_000
    held_seed: int = 2000
    held_out: int = 6_000
    epochs: int = 5
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    noise: float = 0.06  # greatest standard deviation, of pictures from -1 to 1


def soiled(x: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Pictures ``[N, 3, H, W]`` with noise, blotches and blur by chance, which leave the factors as they are."""
    count = len(x)
    some = torch.rand(3, count, 1, 1, 1)
    blotches = F.interpolate(torch.randn(count, 3, 8, 8), x.shape[2:], mode="bilinear", align_corners=False)
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.lerp(x, blurred, (some[0] * 1.4 - 0.6).clamp(0, 0.8))
    noise = torch.randn_like(x) * some[1].square() + blotches * some[2].square()
    return (x + noise * recipe.noise).clamp(-1, 1)


def train(recipe: Recipe, pictures: np.ndarray, factors: np.ndarray) -> tuple[FactorNet, tuple]:
    """Train on uint8 ``[N, 64, 64, 3]`` and factors ``[N, 14]``; gives the network and its (mean, std)."""
    torch.manual_seed(recipe.seed)
    mean, std = factors.mean(axis=0), factors.std(axis=0)
    mean[GLASSES], std[GLASSES] = 0, 1  # a logit
    wanted = torch.from_numpy((factors - mean) / std).float()
    net = FactorNet(len(NAMES))
    optimiser = torch.optim.AdamW(net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * (len(pictures) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    others = [index for index in range(len(NAMES)) if index != GLASSES]
    start, done = time.time(), 0
    for epoch in range(recipe.epochs):
        for rows in torch.randperm(len(pictures))[: len(pictures) // recipe.batch * recipe.batch].split(recipe.batch):
            x = torch.from_numpy(pictures[rows.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
            found, _ = net(soiled(x, recipe))
            loss = F.mse_loss(found[:, others], wanted[rows][:, others])
            loss = loss + 0.1 * F.binary_cross_entropy_with_logits(found[:, GLASSES], wanted[rows][:, GLASSES])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            done += 1
            if done % 100 == 0:
                left = (time.time() - start) / done * (steps - done) / 60
                click.echo(f"epoch {epoch + 1}/{recipe.epochs}  loss {loss.item():.4f}  {left:4.1f} min left")
    return net.eval(), (mean, std)


def r2(truth: np.ndarray, found: np.ndarray) -> float:
    """Coefficient of determination: 1 - (squared error) / (variance of the truth)."""
    return float(1 - np.square(truth - found).mean() / truth.var())


def held_out_scores(found: dict[str, np.ndarray], factors: np.ndarray) -> dict[str, Any]:
    """For each factor its R^2; for glasses the share that is told rightly.

    Factors that hardly show below some value are scored above it as well, as ``NAME (shown)``.
    """
    scores = {}
    for name, truth in zip(NAMES, factors.T):
        if name == "glasses":
            scores["glasses (accuracy)"] = float(((found[name] >= 0.5) == (truth >= 0.5)).mean())
        else:
            scores[name] = r2(truth, found[name])
    for name, least in SHOWN:
        truth = factors[:, NAMES.index(name)]
        scores[f"{name} (shown)"] = r2(truth[truth >= least], found[name][truth >= least])
    return {name: round(value, 4) for name, value in scores.items()}


@click.command(context_settings={"show_default": True})
@click.option("--outdir", type=click.Path(file_okay=False, path_type=Path), default="sefa-out/demo-predictor")
@click.option("--epochs", type=click.IntRange(min=1), default=Recipe.epochs, help="Passes over the faces.")
@click.option("--pictures", type=click.IntRange(min=64), default=Recipe.pictures, help="How many faces to train on.")
@click.option("--seed", type=click.IntRange(min=0), default=Recipe.seed, help="Of the faces, the weights, the order.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=FILE)
def main(outdir: Path, epochs: int, pictures: int, seed: int, output: Path) -> None:
    """Train the predictor of the world's factors on drawn faces, and write its file."""
    recipe = Recipe(seed=seed, epochs=epochs, pictures=pictures)
    outdir.mkdir(parents=True, exist_ok=True)
    factors = sample_factors(np.random.RandomState(recipe.seed), recipe.pictures)
    net, scale = train(recipe, drawn_faces(outdir, recipe.seed, recipe.pictures), factors)
    card = {"recipe": asdict(recipe)}
    save_predictor(output, net, NAMES, scale, card)
    held, factors = faces(recipe.held_seed, recipe.held_out)
    card["held_out"] = held_out_scores(load_predictor(output)(held), factors)
    save_predictor(output, net, NAMES, scale, card)
    for name, score in card["held_out"].items():
        click.echo(f"{name:22} {score:.4f}")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(prog_name="python -m demo.predictor")
