"""SeFa editing directions for StyleGAN networks: closed form, from the weights alone.

Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021.

    from sefa_plugin import edit, factorize, load_network, render, write_video

Names are imported on first use: ``import sefa_plugin`` loads neither torch nor NumPy and stays fast, since Ctrl-C is
handled only after it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__version__ = "0.1.0"

_HOME = {
    "Directions": "directions.directions",
    "Factorisation": "directions.factorization",
    "Look": "rendering.look",
    "NetworkChoice": "runs.settings",
    "OutputSettings": "runs.output_settings",
    "Recipe": "runs.recipe",
    "Session": "runs.session",
    "SessionError": "runs.session",
    "SettingsError": "runs.settings",
    "Wanted": "runs.settings",
    "calibrate": "rendering.calibration",
    "contact_sheet": "runs.one_sheet",
    "edit": "rendering.edits",
    "edit_z": "rendering.edits",
    "explore": "runs.explorer",
    "factorize": "directions.factorization",
    "load_network": "networks.building",
    "make_outputs": "runs.each_direction",
    "open_network": "networks.opening",
    "plan_outputs": "runs.each_direction",
    "render": "rendering.frames",
    "render_plan": "runs.making",
    "style_layers": "networks.style_layers",
    "write_video": "media.video",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__


class _CheckoutFinder:
    """Finds ``sefa_plugin.hooks`` and ``sefa_plugin.third_party`` next to the package in a bare checkout.

    An installed package contains both and needs no finder.
    """

    names = ("hooks", "third_party")

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if parent != __name__ or name not in cls.names:
            return None
        folder = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), name)
        start = os.path.join(folder, "__init__.py")
        if not os.path.isfile(start):
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(fullname, start, submodule_search_locations=[folder])


if not all(os.path.isdir(os.path.join(os.path.dirname(__file__), name)) for name in _CheckoutFinder.names):
    sys.meta_path.insert(0, _CheckoutFinder)  # before an editable install's finder, which may find another copy's
