"""Functions of the user, by ``module:name`` or ``file.py:name``: a perceptual loss, a detector of faces.

They are imported and run with all rights of this process, so they must be trusted.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class FunctionError(Exception):
    """A function of the user that cannot be imported, or returns something else than it should."""


def imported(option: str, spec: str) -> Callable[..., Any]:
    """Import the function that an option names.

    Raises:
        FunctionError: it cannot be imported, or there is no such function.
    """
    place, _, name = spec.rpartition(":")  # from the right: a Windows path may start with a drive letter and a colon
    if not place or not name:
        raise FunctionError(f"{option} {spec}: expected module:function or file.py:function")
    folder = str(Path(place).resolve().parent) if place.endswith(".py") else os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        if place.endswith(".py"):
            found = importlib.util.spec_from_file_location(f"sefa_function_{Path(place).stem}", place)
            assert found is not None and found.loader is not None  # not None for a file that ends in .py
            module = importlib.util.module_from_spec(found)
            found.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        held = getattr(module, name)
    except Exception as error:  # the user's code may raise anything
        raise FunctionError(f"{option} {spec}: cannot be imported: {_words(error)}") from error
    if not callable(held):
        raise FunctionError(f"{option} {spec}: {name} is a {type(held).__name__}, not a function")
    function: Callable[..., Any] = held
    return function


def perceptual(spec: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss of the user: two batches of pictures ``[N, 3, H, W]``, 0 to 1, to ``[N]``, differentiable.

    Raises:
        FunctionError: it cannot be imported; later, when it is called: it fails, or returns something else.
    """
    function = imported("--perceptual", spec)

    def checked(made: Tensor, target: Tensor) -> Tensor:
        import torch

        try:
            found = function(made, target)
        except Exception as error:
            raise FunctionError(f"--perceptual {spec}: {_words(error)}") from error
        if not isinstance(found, torch.Tensor) or found.numel() != len(made) or not found.requires_grad:
            what = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise FunctionError(f"--perceptual {spec}: gave {what}, expected a tensor of {len(made)} with gradients")
        return found.reshape(len(made))

    return checked


def landmarks(spec: str) -> Callable[[np.ndarray, str], tuple[float, ...]]:
    """A detector of the user: a picture, uint8 RGB ``[H, W, 3]``, to x and y of two eyes and the mouth.

    Raises:
        FunctionError: it cannot be imported; later, when it is called: it fails, or finds no three points.
    """
    function = imported("--landmarks", spec)

    def checked(picture: np.ndarray, name: str) -> tuple[float, ...]:
        try:
            found = function(picture)
        except Exception as error:
            raise FunctionError(f"{name}: --landmarks {spec}: {_words(error)}") from error
        try:
            points = np.asarray(found, float).ravel()
        except (TypeError, ValueError):
            points = np.zeros(0)
        if points.size != 6 or not np.isfinite(points).all():
            raise FunctionError(
                f"{name}: --landmarks {spec} found no face: expected three points, [[x, y], [x, y], [x, y]]; "
                "type them: --crop eyes=x,y,x,y,x,y"
            )
        return tuple(points.tolist())

    return checked


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
