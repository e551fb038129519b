"""Open a network file by running its code; gives a record and a hook, as for supported networks."""

from __future__ import annotations

from torch import nn

from ..hook import Hook, NetworkRecord, StyleLayer
from .generator import GENERATOR_SIZES
from .module_record import record_of
from .plain import normalises_batches
from .probe import style_and_mapping
from .unpickle import Loaded, run_file
from .wrapped import EmbeddedError, EmbeddedGenerator


class EmbeddedHook(Hook):
    """The hook of one file whose code was run: holds the generator and its measured layers."""

    name = "embedded"

    def __init__(self, G: EmbeddedGenerator) -> None:
        self.G = G
        self._layers, self._mapping = style_and_mapping(G)
        self.has_mapping = self._mapping is not None

    def fits(self, record: NetworkRecord) -> bool:
        return True

    def check(self, record: NetworkRecord) -> None:
        """Nothing to check: the network was made by its own code."""

    def describe(self, record: NetworkRecord) -> dict[str, int]:
        return {described: getattr(self.G, attribute) for attribute, described in GENERATOR_SIZES.items()}

    def style_layers(self, record: NetworkRecord) -> list[StyleLayer]:
        return self._layers

    def mapping_layer(self, record: NetworkRecord) -> StyleLayer:
        assert self._mapping is not None  # not called otherwise: has_mapping is False
        return self._mapping

    def build(self, record: NetworkRecord) -> EmbeddedGenerator:
        return self.G

    def state(self, record: NetworkRecord) -> None:
        """None: the generator has its weights."""


def open_trusted(path: str, which: str) -> tuple[NetworkRecord, EmbeddedHook, Loaded]:
    """Run a file; gives its network as record and hook, and how it was loaded.

    Raises:
        TrustedFileError: the code fails, or makes no usable network; one line.
    """
    made: list[EmbeddedHook] = []

    def check(network: object) -> None:
        if not isinstance(network, nn.Module):
            raise EmbeddedError(f"holds a {type(network).__name__}, not a network")
        was_training = normalises_batches(network)
        network.eval().requires_grad_(False)
        made.append(EmbeddedHook(EmbeddedGenerator(network, was_training)))

    loaded = run_file(path, which, check)
    hook = made[-1]  # a file may be run twice, with other modules
    return record_of(hook.G.network, path, which, loaded.entries), hook, loaded
