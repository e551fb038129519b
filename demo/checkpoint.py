"""Checkpoints as safetensors: nested states of networks and optimisers, without pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def write(path: Path, state: Any) -> None:
    """Write nested dicts and lists of tensors and plain values, whole or not at all."""
    tensors: dict[str, torch.Tensor] = {}

    def plan(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            name = f"{len(tensors):05d}"
            tensors[name] = value.detach().cpu().contiguous().clone()
            return {"tensor": name}
        if isinstance(value, dict):
            return {"dict": [[key, plan(item)] for key, item in value.items()]}  # keys may be numbers
        if isinstance(value, (list, tuple)):
            return {"list": [plan(item) for item in value]}
        return {"value": value}

    layout = json.dumps(plan(state))
    part = path.with_name(f"{path.name}.part")
    save_file(tensors, str(part), {"layout": layout})
    os.replace(part, path)


def read(path: Path) -> Any:
    """Give what :func:`write` wrote; tuples come back as lists."""
    with safe_open(str(path), framework="pt") as file:

        def build(node: dict) -> Any:
            ((kind, held),) = node.items()
            if kind == "tensor":
                return file.get_tensor(held)
            if kind == "dict":
                return {key: build(item) for key, item in held}
            return [build(item) for item in held] if kind == "list" else held

        return build(json.loads(file.metadata()["layout"]))
