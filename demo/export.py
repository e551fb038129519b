"""Write a trained checkpoint as a network file in NVIDIA's format: ``python -m demo.export CHECKPOINT``.

The file holds ``G``, ``D`` and ``G_ema`` as persistent objects whose source is ``demo/network.py``, so the
official toolkits load it too.
"""

from __future__ import annotations

import copy
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "third_party")]

from torch_utils import persistence  # noqa: E402  (ours, in third_party/)

from demo import train  # noqa: E402

SAMPLES = 20_000  # latents that the average w is measured over
PROTOCOL = 4


def persistent_module() -> types.ModuleType:
    """``demo/network.py`` with every class made persistent, its source as it stands in the file."""
    text = (ROOT / "demo" / "network.py").read_text(encoding="utf-8")
    module = types.ModuleType("demo_network_persistent")
    persistence._sources[module.__name__] = text
    sys.modules[module.__name__] = module
    exec(compile(text, "demo/network.py", "exec"), module.__dict__)
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and issubclass(value, torch.nn.Module):
            setattr(module, name, persistence.persistent_class(value))
    return module


def measured_w_avg(G: torch.nn.Module, seed: int = 0) -> torch.Tensor:
    """Mean w over ``SAMPLES`` latents: float32 ``[w_dim]``."""
    z = torch.from_numpy(np.random.RandomState(seed).randn(SAMPLES, G.z_dim))
    with torch.no_grad():
        return G.mapping(z, None)[:, 0].double().mean(dim=0).float()


def snapshot(state: dict[str, Any]) -> dict[str, Any]:
    """The contents of the file from a checkpoint of ``demo.train``."""
    recipe = train.Recipe(**state["recipe"])
    module = persistent_module()
    sizes = {"channel_base": recipe.channel_base, "channel_max": recipe.channel_max}
    made: dict[str, Any] = {}
    for name in ("G", "G_ema"):
        made[name] = module.Generator(
            z_dim=recipe.z_dim,
            c_dim=0,
            w_dim=recipe.w_dim,
            img_resolution=recipe.resolution,
            img_channels=3,
            mapping_kwargs={"num_layers": recipe.mapping_layers},
            synthesis_kwargs=dict(sizes),
        )
    made["D"] = module.Discriminator(c_dim=0, img_resolution=recipe.resolution, img_channels=3, **sizes)
    for name, network in made.items():
        network.load_state_dict(state[name])
        made[name] = copy.deepcopy(network).eval().requires_grad_(False)
    made["G_ema"].mapping.w_avg.copy_(measured_w_avg(made["G_ema"]))
    training_set = {"class_name": "demo.world", "resolution": recipe.resolution, "max_size": recipe.pictures}
    return {
        "G": made["G"],
        "D": made["D"],
        "G_ema": made["G_ema"],
        "training_set_kwargs": training_set,
        "augment_pipe": None,
    }


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False))
@click.option("--output", type=click.Path(dir_okay=False), default=str(ROOT / "sefa_plugin" / "data" / "demo.pkl"))
def main(checkpoint: str, output: str) -> None:
    """Export CHECKPOINT (of demo.train) as a network file."""
    content = snapshot(torch.load(checkpoint, weights_only=True))
    part = f"{output}.part"
    with open(part, "wb") as file:
        pickle.dump(content, file, PROTOCOL)
    os.replace(part, output)
    click.echo(f"{output}: {os.path.getsize(output) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
