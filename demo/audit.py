"""How close is the network to the world that it was trained on? ``python -m demo.audit [NETWORK]``.

The bundled predictor reads every factor from samples of the network and from drawn faces that no training saw,
so that its own errors fall on both sides. Compared are the distributions of each factor, the correlations, and
the Frechet distance (Heusel et al. 2017) on the predictor's features; the same between two sets of drawn faces
says what mere chance does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from demo import checkpoint, train
from demo.world import faces
from sefa_plugin.evaluate.scorers.predictor import Predictor, load_predictor
from sefa_plugin.evaluate.statistics.measures import frechet_distance
from sefa_plugin.networks.building import load_network
from sefa_plugin.system.whole_files import whole_file

SEED = 3000  # of the drawn faces: one set of this seed, one of the next; the training had 0, 1000 and 2000
FIRST = 100_000  # seed of the first latent
BATCH = 100
TIES = (("glasses", "wrinkles"), ("hair_colour", "wrinkles"), ("hair_colour", "skin"))  # that the world has on purpose


def opened(network: str) -> torch.nn.Module:
    """The averaged generator of a network file, or of a checkpoint of ``demo.train``."""
    if not network.endswith(".safetensors"):
        return load_network(network)
    state = checkpoint.read(Path(network))
    recipe = {name: value for name, value in state["recipe"].items() if name in train.Recipe.__dataclass_fields__}
    G = train.Recipe(**recipe).generator()
    G.load_state_dict(state["G_ema"])
    return G.eval().requires_grad_(False)


def samples(G: torch.nn.Module, count: int, first: int = FIRST) -> np.ndarray:
    """Pictures of the seeds from ``first`` on: uint8 ``[count, H, W, 3]``."""
    made = []
    for start in range(first, first + count, BATCH):
        seeds = range(start, min(start + BATCH, first + count))
        z = np.concatenate([np.random.RandomState(seed).randn(1, G.z_dim) for seed in seeds])
        made.append(shown(G, torch.from_numpy(z)))
    return np.concatenate(made)


def shown(G: torch.nn.Module, z: torch.Tensor) -> np.ndarray:
    """Pictures of z ``[N, z_dim]``: uint8 ``[N, H, W, 3]``."""
    with torch.no_grad():
        img = G(z, None, noise_mode="const")
    return (img * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Wasserstein-1 distance of two samples of equal size ``[N]``, in their unit."""
    return float(np.abs(np.sort(one) - np.sort(other)).mean())


def kolmogorov(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance of two samples: the largest gap between their cumulative shares, 0 to 1."""
    both = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(part), both, side="right") / len(part) for part in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def compare(found: dict[str, np.ndarray], data: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """For each factor: mean and std of ``found``, and how far its distribution is from that of ``data``.

    ``w1`` is the Wasserstein-1 distance over the std of ``data``, ``ks`` the Kolmogorov-Smirnov distance. For
    glasses, whose reading is a probability, ``worn`` is the share above one half.
    """
    result = {}
    for name, values in found.items():
        truth = data[name]
        row = {"mean": float(values.mean()), "std": float(values.std())}
        row["w1"], row["ks"] = wasserstein(values, truth) / float(truth.std()), kolmogorov(values, truth)
        if name == "glasses":
            row["worn"] = float((values >= 0.5).mean())
        result[name] = row
    return result


def correlations(found: dict[str, np.ndarray]) -> np.ndarray:
    """Between all factors, in their order: ``[factors, factors]``."""
    return np.corrcoef(np.stack(list(found.values())))


def report(predictor: Predictor, made: np.ndarray, data: np.ndarray, more: np.ndarray) -> dict[str, Any]:
    """Compare pictures of a network with drawn faces, and those with ``more`` drawn faces; as many of each."""
    sets = {"network": made, "data": data, "more": more}
    read = {name: predictor(pictures) for name, pictures in sets.items()}
    seen = {name: predictor.features(pictures) for name, pictures in sets.items()}
    ties, order = {name: correlations(values) for name, values in read.items()}, list(predictor.names)

    def tie(which: str, one: str, other: str) -> float:
        return float(ties[which][order.index(one), order.index(other)])

    upper = np.triu_indices(len(order), 1)
    return {
        "pictures": len(made),
        "factors": {
            "network": compare(read["network"], read["data"]),
            "data": compare(read["data"], read["data"]),
            "chance": compare(read["more"], read["data"]),
        },
        "correlations": {f"{a}/{b}": {s: tie(s, a, b) for s in ("network", "data")} for a, b in TIES},
        "correlation_error": {
            name: float(np.sqrt(np.square(ties[name] - ties["data"])[upper].mean())) for name in ("network", "more")
        },
        "frechet": {name: frechet_distance(seen[name], seen["data"]) for name in ("network", "more")},
    }


def table(result: dict[str, Any], echo: Callable[[str], None] = click.echo) -> None:
    """Print what :func:`report` gives."""
    network, data, chance = (result["factors"][key] for key in ("network", "data", "chance"))
    echo(f"{'factor':12} {'data':>15} {'network':>15} {'W1/sd':>6} {'(chance)':>8} {'KS':>5}")
    for name, row in network.items():
        there, here = (f"{each['mean']:6.3f} +- {each['std']:5.3f}" for each in (data[name], row))
        echo(f"{name:12} {there:>15} {here:>15} {row['w1']:6.3f} {chance[name]['w1']:8.3f} {row['ks']:5.3f}")
    echo(f"glasses worn: data {data['glasses']['worn']:.1%}, network {network['glasses']['worn']:.1%}")
    for pair, values in result["correlations"].items():
        echo(f"correlation {pair}: data {values['data']:.2f}, network {values['network']:.2f}")
    error, distance = result["correlation_error"], result["frechet"]
    echo(f"all correlations, root mean square error: {error['network']:.3f} (chance {error['more']:.3f})")
    echo(f"Frechet distance: {distance['network']:.3f} (chance {distance['more']:.3f})")


@click.command(context_settings={"show_default": True})
@click.argument("network", default="demo")
@click.option("--samples", "count", type=click.IntRange(min=200), default=4000, help="Pictures of each kind.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default="sefa-out/demo-audit.json")
def main(network: str, count: int, output: Path) -> None:
    """Compare samples of NETWORK (a network file, or a checkpoint of demo.train) with the drawn faces."""
    G, predictor = opened(network), load_predictor()
    click.echo(f"drawing {2 * count} faces, then {count} samples of {network} ...")
    drawn = [faces(SEED + index, count)[0] for index in range(2)]
    result = {"network": network, **report(predictor, samples(G, count), *drawn)}
    with whole_file(output) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    table(result)
    click.echo(f"{output}")


if __name__ == "__main__":
    main(prog_name="python -m demo.audit")
