"""Checks of Python's version and of installed packages, without importing them."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from importlib.util import find_spec

PYTHON = (3, 9)
# Name for pip, name of the module, lowest version: as in setup.cfg, which is not checked for a bare checkout.
NEEDED = (
    ("torch", "torch", "1.9"),
    ("numpy", "numpy", "1.20"),
    ("click", "click", "8.0"),
    ("imageio", "imageio", "2.9"),
    ("imageio-ffmpeg", "imageio_ffmpeg", "0.5.0"),
    ("pillow", "PIL", "8.0"),
    ("safetensors", "safetensors", "0.3.1"),
    ("scipy", "scipy", "1.5"),
    ("jinja2", "jinja2", "3.0"),
    ("msgspec", "msgspec", "0.18"),
)
# Name for pip -> name of the module, of packages that only some commands use.
EXTRAS = {
    "scikit-learn": "sklearn",
    "transformers": "transformers",
    "open_clip_torch": "open_clip",
    "onnxruntime": "onnxruntime",
    "ipywidgets": "ipywidgets",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "python-osc": "pythonosc",
}
KEPT = ("torch", "numpy")  # never upgraded in place: a toolkit may not work with newer versions


def too_old() -> str | None:
    """One line if Python, torch or NumPy is too old for SeFa, else None."""
    if sys.version_info[:2] < PYTHON:
        found = ["Python " + ".".join(str(part) for part in sys.version_info[:3])]
    else:
        found = [f"{name} {version}" for name, version, _ in _lacking(KEPT) if version]
    if not found:
        return None
    needs = ", ".join(f"{name} {lowest}" for name, _, lowest in NEEDED if name in KEPT)
    return (
        f"{' and '.join(found)} of {sys.executable}: too old, SeFa needs Python {PYTHON[0]}.{PYTHON[1]}, {needs} or "
        "newer; install sefa_plugin in a separate environment: SeFa runs there without the toolkit's checkout"
    )


def missing() -> str | None:
    """One line with the packages to install and the command to do so, or None."""
    lacking = [(name, version, lowest) for name, version, lowest in _lacking() if not (name in KEPT and version)]
    if not lacking:
        return None
    names = ", ".join(f"{name} {version}".strip() for name, version, _ in lacking)
    wanted = " ".join(f'"{name}>={lowest}"' for name, _, lowest in lacking)
    return f'{names}: missing or too old; run "{sys.executable}" -m pip install {wanted}'


class MissingExtra(Exception):
    """A package that only some commands use is not installed."""


def require_extra(package: str, used_by: str) -> None:
    """Check that a package of ``EXTRAS`` is installed, without importing it.

    Args:
        package: its name for pip.
        used_by: what needs it, for the message.

    Raises:
        MissingExtra: it is not installed; the message says what to type.
    """
    module = EXTRAS[package]
    if sys.modules.get(module) is None and find_spec(module) is None:
        raise MissingExtra(
            f'{used_by} needs {package}, which is not installed; type: "{sys.executable}" -m pip install {package}'
        )


def _lacking(only: Collection[str] | None = None) -> list[tuple[str, str, str]]:
    """Name, installed version ("" for none) and lowest version of packages that are missing or too old."""
    from importlib import metadata  # not before Python 3.8

    found = []
    for name, module, lowest in NEEDED:
        if only is not None and name not in only:
            continue
        try:
            version = metadata.version(name) or ""
        except metadata.PackageNotFoundError:
            version = ""
        if version:
            if _numbers(version) < _numbers(lowest):
                found.append((name, version, lowest))
        elif find_spec(module) is None:  # a module built from source may lack metadata
            found.append((name, "", lowest))
    return found


def _numbers(version: str) -> list[int]:
    """Release numbers of a version: ``1.10.0a0+git`` gives ``[1, 10, 0]``."""
    release = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in release.group().split(".")] if release else [sys.maxsize]
