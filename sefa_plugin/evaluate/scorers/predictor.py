"""The bundled scorer: reads the 14 factors of the drawn world (``demo/world.py``) from pictures.

A small convolutional network, trained by ``python -m demo.predictor`` on faces whose factors are known; its card
(how it was trained, held-out scores) is in its file. Its scores are valid for such faces only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...media.pictures import as_rgb
from ...system.regular_files import open_regular, reading

FILE = Path(__file__).resolve().parents[2] / "data" / "predictor.safetensors"
FORMAT = "sefa_predictor"  # the one key of the file's metadata: JSON, so that equal networks give equal bytes
VERSION = 1
SIZE = 64  # pixels a side of the network's input
BATCH = 256  # pictures at a time


class PredictorError(Exception):
    """A file of the predictor that is missing, broken or something else."""


class About(TypedDict):
    """The metadata of a predictor's file.

    Attributes:
        names: of the factors.
        probabilities: those of them that are probabilities.
        mean, std: of each factor, by which the outputs are brought to its units.
        card: how it was trained and its held-out scores.
    """

    version: int
    names: list[str]
    probabilities: list[str]
    mean: list[float]
    std: list[float]
    card: dict[str, object]


class FactorNet(nn.Module):
    """Pictures float32 ``[N, 3, 64, 64]``, -1 to 1, to ``[N, outputs]`` and features ``[N, 128]``."""

    WIDTHS = ((32, 1), (48, 2), (64, 1), (96, 2), (96, 1), (128, 2))  # channels and stride, from 32x32 on
    FEATURES = 128

    def __init__(self, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = 12
        for width, stride in self.WIDTHS:
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Linear(before * (SIZE // 16) ** 2, self.FEATURES)
        self.head = nn.Linear(self.FEATURES, outputs)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = F.relu(self.hidden(self.body(x)))
        return self.head(features), features


class Predictor:
    """A scorer: uint8 pictures ``[N, H, W, C]`` (C 1 to 4, any size) to ``{name: float64 [N]}``.

    Factors come in the units and about in the ranges of the world (``demo/world.py``): -1 to 1 for ``turn, tilt,
    size, smile, light, x, y``; 0 to 1 for ``eyes, hair_length, hair_colour, skin, wrinkles, background``. They are
    not clipped, so that edits beyond these ranges are still measured. ``background`` is a hue, red (0) to
    magenta (1), and does not wrap around. ``glasses`` is the probability (0 to 1) that some are worn.

    Pictures of other sizes are resized to 64x64; grey is repeated, transparency is laid over white.

    Attributes:
        names: of the factors, in the order of ``demo.world.NAMES``.
        card: how it was trained and its held-out scores.
        net: the network itself, in evaluation mode.
    """

    def __init__(self, tensors: dict[str, torch.Tensor], about: About, device: str = "cpu") -> None:
        self.names: tuple[str, ...] = tuple(about["names"])
        self.card = about["card"]
        self._chance = [self.names.index(name) for name in about["probabilities"]]
        scale = (np.asarray(values, dtype=np.float64) for values in (about["mean"], about["std"]))
        self._mean, self._std = (part.reshape(len(self.names)) for part in scale)
        self.net = FactorNet(len(self.names))
        if not all(torch.isfinite(value).all() for value in tensors.values()):
            raise ValueError("some of its numbers are not finite")
        # Counters of the batch normalisation are not kept.
        counters = {name: value for name, value in self.net.state_dict().items() if not value.is_floating_point()}
        self.net.load_state_dict({**counters, **{name: value.float() for name, value in tensors.items()}})
        self.net.eval().requires_grad_(False).to(device)
        self._device = device

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Read the factors: ``{name: float64 [N]}``.

        Raises:
            ValueError: ``pictures`` is not uint8 ``[N, H, W, 1-4]``.
        """
        values = self._run(pictures, 0, len(self.names)) * self._std + self._mean
        for index in self._chance:
            values[:, index] = 1 / (1 + np.exp(-values[:, index]))
        return dict(zip(self.names, values.T.copy()))

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """Activations before the last layer, for Frechet distances: float32 ``[N, 128]``."""
        return self._run(pictures, 1, FactorNet.FEATURES)

    def _run(self, pictures: np.ndarray, output: int, width: int) -> np.ndarray:
        pictures = np.asarray(pictures)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or not 1 <= pictures.shape[3] <= 4:
            raise ValueError(f"pictures of {pictures.dtype} {list(pictures.shape)}, expected uint8 [N, H, W, 1-4]")
        found = [np.zeros((0, width), np.float32)]
        with torch.no_grad():
            for start in range(0, len(pictures), BATCH):
                x = as_input(pictures[start : start + BATCH]).to(self._device)
                found.append(self.net(x)[output].cpu().numpy())
        return np.concatenate(found)


def as_input(pictures: np.ndarray) -> torch.Tensor:
    """uint8 ``[N, H, W, C]`` to the network's input: float32 ``[N, 3, 64, 64]``, -1 to 1."""
    count, high, wide, channels = pictures.shape
    rgb = as_rgb(pictures.reshape(count * high, wide, channels)).reshape(count, high, wide, 3)
    x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float() / 127.5 - 1
    if (high, wide) == (SIZE, SIZE):
        return x
    if min(high, wide) >= SIZE:
        return F.interpolate(x, (SIZE, SIZE), mode="area")
    return F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False)


def load_predictor(path: str | os.PathLike[str] = FILE, device: str = "cpu") -> Predictor:
    """Open the bundled predictor, or another file that ``python -m demo.predictor`` wrote.

    Raises:
        PredictorError: the file cannot be used; the message is one line.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with reading(path, PredictorError):
            open_regular(path).close()  # safetensors' message for a missing file lacks its path
        with safe_open(os.fspath(path), framework="pt") as file:
            about: About = json.loads((file.metadata() or {}).get(FORMAT, "null"))
            if not isinstance(about, dict):
                raise ValueError("it was not written by python -m demo.predictor")
            if about.get("version") != VERSION:
                raise ValueError(f"its version is {about.get('version')!r:.20}, this program reads {VERSION!r}")
            held = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in held}
        return Predictor(tensors, about, device)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PredictorError(f"{path}: is not a predictor's file: {reason}") from None


def save_predictor(
    path: str | os.PathLike[str],
    net: FactorNet,
    names: tuple[str, ...],
    scale: tuple[Iterable[float], Iterable[float]],
    card: dict[str, object],
) -> None:
    """Write a trained network, its weights as float16; equal ones give equal bytes.

    Args:
        scale: mean and standard deviation of each factor, by which the outputs are brought to its units.
        card: how it was trained and its scores; JSON values.
    """
    from safetensors.torch import save

    from ...system.whole_files import whole_file

    mean, std = ([float(value) for value in part] for part in scale)
    about: About = {
        "version": VERSION,
        "names": list(names),
        "probabilities": ["glasses"],
        "mean": mean,
        "std": std,
        "card": card,
    }
    state = {name: value.half() for name, value in net.state_dict().items() if value.is_floating_point()}
    with whole_file(path) as part:
        part.write_bytes(save(state, {FORMAT: json.dumps(about)}))
