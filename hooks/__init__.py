"""Hooks of the supported toolkits: one module each with a ``Hook`` as ``HOOK``, imported when a network is read.

They derive from the classes of ``planned``: a hook makes the plan of a network, and what is expected of the file, the
layers and the generator follow from it. Hooks that third parties register (``registered``) come first, so that they
take precedence for the networks of forks.
``docs/hooks.md`` shows how to write one.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from sefa_plugin.hook import Hook

from .registered import registered_hooks

# The first that fits is used: common ones come first, and StyleGAN-XL before StyleGAN3, whose tests it passes too.
BUILT_IN = (
    "stylegan_xl",
    "stylegan3",
    "stylegan2_ada",
    "eg3d",
    "pggan",
    "stylegan1",
    "stylegan2_tf",
    "rosinality",
    "mmgeneration",
    "hammer",
    "genforce",
    "genforce_stylegan1",
    "genforce_pggan",
    "growing_state",
    "lucidrains",
    "dcgan",
    "biggan",
    "biggan_deep",
    "stylegan3_state",
    "stylegan2_state",
)


def all_hooks() -> Iterator[Hook]:
    """Give every hook, third parties' first; modules are imported lazily.

    Raises:
        HookError: a third party's hook cannot be imported or lacks a part of the contract.
    """
    yield from registered_hooks()
    for name in BUILT_IN:
        hook: Hook = import_module(f"{__name__}.{name}").HOOK
        yield hook
