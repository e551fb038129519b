"""Write a trained checkpoint as a network file in NVIDIA's format: ``python -m demo.export CHECKPOINT``.

The file holds ``G``, ``D`` and ``G_ema`` as persistent objects whose source is ``demo/network.py``, so the
official toolkits load it too.
"""

from __future__ import annotations

import copy
import io
import os
import pickle
import struct
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "third_party")]

from torch_utils import persistence  # noqa: E402  (ours, in third_party/)

from demo import train  # noqa: E402
from demo.checkpoint import read  # noqa: E402

SHIPPED = ROOT / "sefa_plugin" / "data" / "demo.pkl"
SAMPLES = 20_000  # latents that the average w is measured over
PROTOCOL = 4

# The head of the layout in which PyTorch writes a storage inside a pickle.
_MAGIC, _LAYOUT = 0x1950A86A20F9469CFC6C, 1001
_MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class _StorageReference(pickle.Pickler):
    """Pickles a storage as a mention of the bytes that follow."""

    def persistent_id(self, obj: Any) -> Any:
        return ("storage", torch.FloatStorage, "0", "cpu", obj[0], None) if isinstance(obj, tuple) else None


class _Storage:
    """The elements of one tensor, pickled as a storage."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __reduce__(self) -> tuple:
        return torch.storage._load_from_bytes, (storage_bytes(self.values),)


class _EqualBytes(pickle.Pickler):
    """Names storages by a constant, where PyTorch writes their address: equal networks give equal files."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not torch.Tensor:
            return NotImplemented
        if obj.dtype != torch.float32:
            raise ValueError(f"the networks of the demo are float32, here is {obj.dtype}")
        obj = obj.detach().contiguous()
        place = (_Storage(obj.numpy()), 0, tuple(obj.shape), obj.stride(), False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, place


def storage_bytes(values: np.ndarray) -> bytes:
    """A float32 storage in PyTorch's older layout: five pickles, the number of elements, the elements."""
    blob = io.BytesIO()
    for part in (_MAGIC, _LAYOUT, _MACHINE):
        pickle.dump(part, blob, 2)
    _StorageReference(blob, 2).dump((values.size,))
    pickle.dump(["0"], blob, 2)
    blob.write(struct.pack("<q", values.size) + values.astype("<f4").tobytes())
    return blob.getvalue()


def persistent_module() -> types.ModuleType:
    """``demo/network.py`` with every class made persistent, its source as it stands in the file."""
    text = (ROOT / "demo" / "network.py").read_text(encoding="utf-8")
    module = types.ModuleType("demo_network_persistent")
    persistence._sources[module] = text
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


def write(content: dict[str, Any], output: str) -> None:
    """Write a network file, whole or not at all; equal networks give equal bytes."""
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    part = f"{output}.part"
    with open(part, "wb") as file:
        _EqualBytes(file, PROTOCOL).dump(content)
    os.replace(part, output)


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False))
@click.option("--output", type=click.Path(dir_okay=False), default=str(SHIPPED))
def main(checkpoint: str, output: str) -> None:
    """Export CHECKPOINT (of demo.train or demo.refine) as a network file."""
    write(snapshot(read(Path(checkpoint))), output)
    click.echo(f"{output}: {os.path.getsize(output) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
